"""`invoicing profile`: run a program, and say what it wastes of its databases."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from invoicing.cli.files import WriteBaseline, writable
from invoicing.cli.output import LiteralConsole, echo_json
from invoicing.files import write_whole
from invoicing.toolkit.profiling import Thresholds
from invoicing.toolkit.profiling.baseline import Baseline, entry_of, write_baseline
from invoicing.toolkit.profiling.errors import UnknownFindingError
from invoicing.toolkit.profiling.findings import KINDS, SLUGS, findings_page
from invoicing.toolkit.profiling.findings.page import section
from invoicing.toolkit.profiling.formats import as_github, as_sarif
from invoicing.toolkit.profiling.report import html_report, json_report
from invoicing.toolkit.profiling.running import ProgramRun, run_program
from invoicing.toolkit.profiling.settings import ProfileSettings, read_settings

if TYPE_CHECKING:
    from invoicing.toolkit.profiling import Finding
    from invoicing.toolkit.profiling.baseline import BaselineEntry

app = typer.Typer()

_HELP = """\
Run a Python program and name the lines whose SQL is wasteful, and the fix.

N+1, cartesian products, eager loads that are never read, and more: what each costs, and the \
option that fixes it.

Example: invoicing profile --html queries.html report.py --month 2026-10

Options stand before the program; what follows it is the program's own. The report goes to \
standard error, so that the program's output stays as it is. Exit code: the program's own if it is \
not 0, else 1 if there are findings, else 0. Leave a finding out by a comment on its line, \
`# profile: allow n-plus-one -- why`, or by --allow. Which kinds fail, and a baseline of known \
findings, stand in \\[tool.invoicing.profile] of pyproject.toml. A program that ends by os._exit \
or by a signal takes the report with it.
"""


def _print_explanation(slug: str | None) -> None:
    """Print what one finding, or each of them, means.

    Raises:
        UnknownFindingError: there is no such finding.
    """
    if slug is None:
        return
    if slug != "all" and slug not in KINDS:
        raise UnknownFindingError(slug, SLUGS)
    typer.echo(findings_page() if slug == "all" else section(KINDS[slug]), nl=False)
    raise typer.Exit


@app.command(
    help=_HELP,
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
)
def profile(
    program: Annotated[str, typer.Argument(help="A script; with -m, a module.", metavar="PROGRAM")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="The program's own arguments.", metavar="[ARGS]...")
    ] = None,
    *,
    module: Annotated[bool, typer.Option("-m", "--module", help="PROGRAM is a module.")] = False,
    html: Annotated[
        Path | None, typer.Option(callback=writable, help="Write a page that needs no network.")
    ] = None,
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", callback=writable, help="Write JSON; - is standard output."
        ),
    ] = None,
    allow: Annotated[list[str] | None, typer.Option(help="A finding to leave out.")] = None,
    _explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="SLUG",
            callback=_print_explanation,
            is_eager=True,
            help="Say what a finding means, with examples, and end; `all` for every one.",
        ),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="From which size on something is a finding."),
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option(callback=writable, help="Write SARIF, for code scanning.")
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print GitHub's annotations, with their fixes.")
    ] = False,
    baseline: Annotated[
        Path | None, typer.Option(help="Findings of this file are known, and do not fail.")
    ] = None,
    write: WriteBaseline = None,
    plans: Annotated[
        bool,
        typer.Option(
            "--plans", help="Ask PostgreSQL for the plans afterwards: each shape runs once more."
        ),
    ] = False,
) -> None:
    """Run a program, report what it wastes, and end as the help says."""
    settings = _settings(threshold, allow, baseline)
    known = Baseline.read(settings.baseline) if settings.baseline and write is None else None
    run = run_program(
        program,
        arguments or [],
        module=module,
        thresholds=settings.thresholds,
        allow=settings.allow,
        explain=plans,
    )
    sys.stdout.flush()
    # First what is seen: a file that cannot be written ends the command.
    new = _show(run, settings, known)
    _write(run, settings, html=html, json_file=json_file, sarif=sarif)
    if github:
        typer.echo(as_github(run.recorder.findings, settings), err=True)
    if write is not None:
        write_baseline(write, _entries(run, settings).values())
    raise typer.Exit(run.exit_code or (1 if new and write is None else 0))


def _settings(
    threshold: list[str] | None, allow: list[str] | None, baseline: Path | None
) -> ProfileSettings:
    """Return the project's settings, with what the command line says above them."""
    settings = read_settings(Path.cwd())
    return replace(
        settings,
        thresholds=Thresholds.parse(threshold) if threshold else settings.thresholds,
        allow=(*settings.allow, *(allow or ())),
        baseline=baseline or settings.baseline,
    )


def _entries(run: ProgramRun, settings: ProfileSettings) -> dict[Finding, BaselineEntry]:
    failing = settings.failing(run.recorder.findings)
    return {finding: entry_of(finding, settings.root) for finding in failing}


def _write(
    run: ProgramRun,
    settings: ProfileSettings,
    *,
    html: Path | None,
    json_file: str | None,
    sarif: Path | None,
) -> None:
    if html is not None:
        write_whole(html_report(run), html)
    if sarif is not None:
        log = as_sarif(run.recorder.findings, settings)
        write_whole(json.dumps(log, indent=2), sarif)
    if json_file == "-":
        echo_json(json.dumps(json_report(run)))
    elif json_file is not None:
        write_whole(json.dumps(json_report(run), indent=2), Path(json_file))


def _show(run: ProgramRun, settings: ProfileSettings, known: Baseline | None) -> int:
    """Print the report, and return how many findings fail."""
    # A pipe or a log has no width of its own.
    console = LiteralConsole(stderr=True, width=None if sys.stderr.isatty() else 140)
    console.print(f"\nQueries of {run.program}", style="bold", markup=False, highlight=False)
    console.print(run.recorder)
    findings = len(run.recorder.findings)
    entries = _entries(run, settings)
    new = [each for each in entries.values() if known is None or each not in known.entries]
    said = f"{findings} finding{'' if findings == 1 else 's'}"
    if len(new) != findings:
        warned = findings - len(entries)
        parts = [f"{len(entries) - len(new)} known", f"{warned} of kinds that do not fail"]
        said += f": {len(new)} new, {', '.join(parts)}"
    console.print(said if findings else "No findings.", style="red" if new else "green")
    for allowance in run.recorder.unused_allowances:
        console.print(str(allowance), style="yellow", markup=False, highlight=False)
    for entry in known.stale(entries.values()) if known is not None else ():
        console.print(f"Not found in this run: {entry}", markup=False, highlight=False)
    for missing in run.not_recorded:
        console.print(f"{missing}.", style="yellow", markup=False, highlight=False)
    return len(new)
