"""`invoicing policy`: the SQLAlchemy rules of a project, checked without running it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from invoicing.cli.files import WriteBaseline
from invoicing.cli.output import echo_for_program, echo_json, echo_text, errors
from invoicing.errors import InvoicingError, UsageError
from invoicing.toolkit.policy import FORMATS, all_rules, check, fixable, root_of
from invoicing.toolkit.policy.cache import FOLDER, open_cache
from invoicing.toolkit.policy.errors import UnknownRuleError
from invoicing.toolkit.policy.files import relative_path
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.policy import PolicyFinding, Problem, Proof, Report

app = typer.Typer(no_args_is_help=True, help="Lint SQLAlchemy code and Alembic migrations.")

_HELP = """\
Check Python files, migrations and notebooks, without importing or running them.

Example: invoicing policy check invoicing migrations

One line for each finding, path:line:column: \\[rule] what is wrong; how to fix it. Allow one by a \
comment on its line or above it, # policy: allow lazy-raise -- why. Settings are in \
\\[tool.invoicing.policy] of the checked project's pyproject.toml. Exit code: 0 clean, 1 \
findings, 2 could not run, or something that was to be checked was not.
"""


@app.command("check", help=_HELP)
def check_command(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders.", metavar="[PATH]...")
    ] = None,
    *,
    output: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "text",
    select: Annotated[list[str] | None, typer.Option(help="Only this rule.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="All rules but this.")] = None,
    strict: Annotated[bool, typer.Option(help="Also report what is uncertain.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Apply the safe fixes.")] = False,
    unsafe_fixes: Annotated[
        bool,
        typer.Option(
            "--unsafe-fixes",
            help="With --fix or --diff: also fixes that may change what the code does.",
        ),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what --fix would write, without writing it.")
    ] = False,
    baseline: Annotated[
        Path | None, typer.Option(help="Hide the findings recorded in this file.")
    ] = None,
    write: WriteBaseline = None,
    models: Annotated[
        str | None,
        typer.Option(metavar="PACKAGE", help="Import this package and check its mappers, too."),
    ] = None,
    sql: Annotated[
        Path | None,
        typer.Option(
            metavar="ALEMBIC_INI",
            help="Check the SQL of each revision with squawk; runs their code, offline.",
        ),
    ] = None,
    database: Annotated[
        bool,
        typer.Option(
            "--database",
            help="Prove the revisions: run each up, down and up again, in databases of its own on "
            "the server of DATABASE_URL, or the embedded one.",
        ),
    ] = False,
    diff_base: Annotated[
        str | None,
        typer.Option(
            metavar="COMMIT", help="Only findings on lines changed since, e.g. origin/main."
        ),
    ] = None,
    stdin_filename: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Check standard input, as the text of this file."),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Read and judge every file again.")
    ] = False,
    cache_dir: Annotated[
        Path | None,
        typer.Option(help=f"Where to keep the cache; {FOLDER} in the project if not given."),
    ] = None,
    explain: Annotated[
        str | None, typer.Option(help="Explain a rule and exit.", metavar="RULE")
    ] = None,
) -> None:
    """Check, and end as the help says."""
    if explain is not None:
        typer.echo(explain_rule(explain))
        return
    if output not in FORMATS:
        raise UsageError(f"unknown format {output!r}; expected one of: {', '.join(FORMATS)}")
    chosen = paths or [Path()]
    texts = {}
    if stdin_filename is not None:
        texts = _of_stdin(stdin_filename, alone=not (paths or fix or diff))
        chosen = [stdin_filename]
    root = root_of(chosen[0])
    proof = _prove(chosen, root) if database else None
    cache = None if no_cache else _cache(root, cache_dir)

    def run() -> Report:
        return check(
            chosen,
            root=root,
            select=select or (),
            ignore=ignore or (),
            strict=strict,
            models=models,
            sql=sql,
            proof=proof,
            texts=texts,
            cache=cache,
        )

    report = only = run()
    if fix or diff:
        only = _new_only(report, root, chosen, baseline, diff_base)
    if diff:
        from invoicing.toolkit.policy import as_diff, find_fixes

        fixes = find_fixes(root, only.findings, paths=chosen, unsafe=unsafe_fixes)
        echo_for_program(as_diff(fixes).removesuffix("\n"))
        _unchecked(report)
        raise typer.Exit(_code(report, found=bool(fixes)))
    if fix:
        from invoicing.toolkit.policy import explain_left

        unwritten = _fix(root, only.findings, chosen, unsafe=unsafe_fixes)
        report = run()
        left = explain_left(root, report.findings, unsafe=unsafe_fixes, unwritten=unwritten)
        report = replace(report, findings=left)
    if write is not None:
        from invoicing.toolkit.policy.baseline import write_baseline

        write.parent.mkdir(parents=True, exist_ok=True)
        write_baseline(write, report.findings)
        errors.print(f"findings written to {write}: {len(report.findings)}", highlight=False)
        _unchecked(report)
        raise typer.Exit(_code(report, found=False))
    report = _new_only(report, root, chosen, baseline, diff_base)
    _show(report, output, unsafe=unsafe_fixes)
    raise typer.Exit(_code(report, found=bool(report.findings), select=select or ()))


def _cache(root: Path, given: Path | None) -> Path | None:
    """Return where the cache is: in a project, or where the command runs."""
    if given is not None:
        if open_cache(given) is None:
            errors.print(f"note: no cache can be kept in {given}; every file is read again")
        return given
    is_project = (root / "pyproject.toml").is_file() or root == Path.cwd()
    return root / FOLDER if is_project else None


def _of_stdin(path: Path, *, alone: bool) -> dict[str, bytes]:
    if not alone:
        raise UsageError("--stdin-filename is checked alone: name no path, and no --fix or --diff")
    return {relative_path(path, root_of(path)): sys.stdin.buffer.read()}


def _new_only(
    report: Report, root: Path, paths: list[Path], baseline: Path | None, diff_base: str | None
) -> Report:
    """Leave out what a baseline knows, and what is not on lines of this change."""
    if baseline is not None:
        from invoicing.toolkit.policy.baseline import without_known

        new, gone = without_known(baseline, report.findings, root=root, paths=paths)
        if new and new == report.findings:
            errors.print(f"no finding is in {baseline}: it hides nothing")
        report = replace(report, findings=new)
        if gone:
            errors.print(
                f"fixed since {baseline}: {plural(gone, 'finding')}. Write it again with "
                "--write-baseline"
            )
    if diff_base is not None:
        from invoicing.toolkit.policy import on_changed_lines

        changed = list(on_changed_lines(root, diff_base, report.findings))
        report = replace(report, findings=changed)
    return report


def _show(report: Report, output: str, *, unsafe: bool) -> None:
    echo = echo_json if output in {"json", "sarif"} else echo_text
    # A text names rules, and says nothing else of them.
    echo(FORMATS[output](report, {} if output == "text" else all_rules()))
    for note in report.notes:
        errors.print(f"note: {note}", markup=False, highlight=False)
    _hint(report, unsafe=unsafe)


def _prove(paths: list[Path], root: Path) -> Proof:
    import asyncio

    from sqlalchemy.exc import DBAPIError

    from invoicing.db.refusal import explain as explain_refusal
    from invoicing.toolkit.policy.errors import PolicyError
    from invoicing.toolkit.proof import prove_paths

    try:
        proof = asyncio.run(prove_paths(paths, root=root))
    except InvoicingError as error:
        # Nothing was proven: 1 would say that there are findings.
        raise PolicyError(str(error)) from error
    except DBAPIError as error:
        raise PolicyError(str(explain_refusal(error))) from None
    errors.print(str(proof), highlight=False)
    return proof


def _code(report: Report, *, found: bool, select: Sequence[str] = ()) -> int:
    asked_for = any(each.rule in select for each in report.not_run)
    return 2 if report.problems or asked_for else int(found)


def _unchecked(report: Report) -> None:
    for problem in report.problems:
        errors.print(str(problem), markup=False, highlight=False)


def _fix(
    root: Path, findings: list[PolicyFinding], paths: list[Path], *, unsafe: bool
) -> list[Problem]:
    """Fix, and return the files that could not be written."""
    from invoicing.toolkit.policy import find_fixes, write_fixes

    fixes = find_fixes(root, findings, paths=paths, unsafe=unsafe)
    problems = write_fixes(root, fixes)
    for problem in problems:
        errors.print(f"{problem.path}: {problem.message}", markup=False, highlight=False)
    failed = {problem.path for problem in problems}
    written = [file for file in fixes if file.path not in failed]
    count = sum(len(file.findings) for file in written)
    errors.print(f"findings fixed: {count}, files changed: {len(written)}", highlight=False)
    return problems


def _hint(report: Report, *, unsafe: bool) -> None:
    safe = len(fixable(report.findings, unsafe=False, facts=report.facts))
    hidden = len(fixable(report.findings, unsafe=True, facts=report.facts)) - safe
    shown = safe + hidden if unsafe else safe
    if shown:
        flags = "--fix --unsafe-fixes" if unsafe and hidden else "--fix"
        errors.print(f"fixable with {flags}: {shown}", markup=False, highlight=False)
    if hidden and not unsafe:
        message = f"unsafe fixes, applied with --fix --unsafe-fixes: {hidden}"
        errors.print(message, markup=False, highlight=False)


def explain_rule(slug: str) -> str:
    """Return a rule's summary, reason and examples.

    Raises:
        UnknownRuleError: no rule has this slug.
    """
    rule = all_rules().get(slug)
    if rule is None:
        raise UnknownRuleError(slug, tuple(all_rules()))
    from invoicing.toolkit.policy.page import first_example

    bad, good = (
        "\n    ".join(first_example(examples).splitlines()) for examples in (rule.bad, rule.good)
    )
    why = " ".join(filter(None, (rule.why, rule.options.replace("`", ""))))
    return f"{rule.slug}: {rule.summary}\n\n{why}\n\nNot:\n    {bad}\n\nBut:\n    {good}"


@app.command()
def rules(
    *,
    markdown: Annotated[bool, typer.Option(help="Print the page that explains all rules.")] = False,
) -> None:
    """List the rules, one a line.

    Example: invoicing policy rules
    """
    if markdown:
        from invoicing.toolkit.policy import rules_page

        typer.echo(rules_page(), nl=False)
        return
    for rule in all_rules().values():
        needs = f" (needs {rule.needs})" if rule.needs else ""
        sees = f" (sees more with {rule.seen_by})" if rule.seen_by else ""
        typer.echo(f"{rule.slug:24}{rule.summary}{needs}{sees}")


@app.command("new-rule")
def new_rule(
    slug: Annotated[str, typer.Argument(help="Its name, such as lazy-raise.")],
    *,
    migrations: Annotated[
        bool, typer.Option("--migrations", help="It reads each revision, not the code.")
    ] = False,
) -> None:
    """Begin a rule of the gate, in a clone of this project; prints the files written.

    Example: invoicing policy new-rule no-surprise
    """
    root = root_of(Path())
    from invoicing.toolkit.policy.new_rule import write_rule

    written = write_rule(root, slug, "migrations" if migrations else "python")
    for path in written:
        echo_for_program(str(path.relative_to(root)))
    errors.print(
        "it finds its own example; say there what it asks for, then run: make pages && "
        ".venv/bin/python -m pytest tests/policy -q",
        highlight=False,
    )
