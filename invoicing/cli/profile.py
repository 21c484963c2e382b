"""`invoicing profile`: run a program, and say what it wastes of its databases."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from invoicing.cli.files import writable
from invoicing.cli.output import LiteralConsole, echo_json
from invoicing.files import write_whole
from invoicing.toolkit.profiling import Thresholds
from invoicing.toolkit.profiling.errors import UnknownFindingError
from invoicing.toolkit.profiling.findings import KINDS, SLUGS, findings_page
from invoicing.toolkit.profiling.findings.page import section
from invoicing.toolkit.profiling.report import html_report, json_report
from invoicing.toolkit.profiling.running import ProgramRun, run_program

app = typer.Typer()

_HELP = """\
Run a Python program and name the lines whose SQL is wasteful, and the fix.

N+1, cartesian products, eager loads that are never read, and more: what each costs, and the \
option that fixes it.

Example: invoicing profile --html queries.html report.py --month 2026-10

Options stand before the program; what follows it is the program's own. The report goes to \
standard error, so that the program's output stays as it is. Exit code: the program's own if it is \
not 0, else 1 if there are findings, else 0. Leave a finding out by a comment on its line, \
`# profile: allow n-plus-one -- why`, or by --allow. A program that ends by os._exit or by a \
signal takes the report with it.
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
) -> None:
    """Run a program, report what it wastes, and end as the help says."""
    run = run_program(
        program,
        arguments or [],
        module=module,
        thresholds=Thresholds.parse(threshold or []),
        allow=allow or [],
    )
    sys.stdout.flush()
    if html is not None:
        write_whole(html_report(run), html)
    if json_file == "-":
        echo_json(json.dumps(json_report(run)))
    elif json_file is not None:
        write_whole(json.dumps(json_report(run), indent=2), Path(json_file))
    findings = len(run.recorder.findings)
    _show(run, findings)
    raise typer.Exit(run.exit_code or (1 if findings else 0))


def _show(run: ProgramRun, findings: int) -> None:
    # A pipe or a log has no width of its own.
    console = LiteralConsole(stderr=True, width=None if sys.stderr.isatty() else 140)
    console.print(f"\nQueries of {run.program}", style="bold", markup=False, highlight=False)
    console.print(run.recorder)
    said = f"{findings} finding{'' if findings == 1 else 's'}"
    console.print(said if findings else "No findings.", style="red" if findings else "green")
