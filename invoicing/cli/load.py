"""`invoicing load`: accounts, invoices and lines from files of the user's own."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from invoicing.cli.connection import open_database
from invoicing.cli.output import console, echo_json, errors
from invoicing.cli.progress import Step, shown_progress
from invoicing.errors import UsageError
from invoicing.load import KINDS, LoadProgress, load_files
from invoicing.load.errors import BadRowsError
from invoicing.tables import columns_of, grid_of
from invoicing.visible import visible

if TYPE_CHECKING:
    from invoicing.schemas.load import LoadReport

app = typer.Typer()

_PHASES = {"reading": "Reading", "checking": "Checking", "writing": "Writing"}
_NO_RATE_BEFORE = 0.1
_COUNTS = ("path", "rows", "inserted", "updated", "unchanged", "rejected")


def columns_help() -> str:
    """Return the columns of each file, as the row models say them."""
    parts = []
    for kind in KINDS:
        lines = [
            f"* {column.name}{'' if column.required else ' (optional)'}: {column.meaning}"
            for column in kind.columns
        ]
        parts.append("\n\n".join([f"Columns of the {kind.name} file:", "\n".join(lines)]))
    return "\n\n".join(parts)


_HELP = f"""\
Load accounts, invoices and lines from CSV or Parquet files, all of them or nothing.

Example: invoicing load accounts.csv invoices.csv lines.csv

Loading a file again changes nothing: an id always becomes the same UUID, and a row that is \
there already is updated only where it differs. A column that a file does not have keeps what \
the database holds. Nothing is deleted. References may also be to rows of the database.

CSV files are UTF-8, with comma, semicolon, tab or bar, and may be gzip; the first line names the \
columns, in any order. In Parquet cents are integers (a decimal without a scale will do), bytes \
are UTF-8 text, and 16 bytes of fixed length are a UUID.

{columns_help()}
"""


@app.command(help=_HELP)
def load(
    accounts: Annotated[
        Path | None, typer.Argument(metavar="[ACCOUNTS]", help="The accounts file.")
    ] = None,
    invoices: Annotated[
        Path | None, typer.Argument(metavar="[INVOICES]", help="The invoices file.")
    ] = None,
    lines: Annotated[Path | None, typer.Argument(metavar="[LINES]", help="The lines file.")] = None,
    *,
    only_invoices: Annotated[
        Path | None, typer.Option("--invoices", help="An invoices file without an accounts file.")
    ] = None,
    only_lines: Annotated[
        Path | None, typer.Option("--lines", help="A lines file without an invoices file.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Load the good rows; write the bad ones to a file.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="The CSV file for all bad rows; it is replaced. "
            "With --skip-bad, rejects-<time>.csv if not given."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, then load nothing.")
    ] = False,
    show: Annotated[int, typer.Option(min=0, help="How many bad rows to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Load the files and tell what became of their rows."""
    options = {
        "accounts": accounts,
        "invoices": _one("invoices", invoices, only_invoices),
        "lines": _one("lines", lines, only_lines),
    }
    if skip_bad and rejects is None:
        rejects = Path(f"rejects-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv")
    try:
        report = asyncio.run(
            _load(options, skip_bad=skip_bad, rejects=rejects, dry_run=dry_run, show=show)
        )
    except BadRowsError as error:
        _print(error.report, as_json=as_json)
        raise
    _print(report, as_json=as_json)


async def _load(
    files: dict[str, Path | None],
    *,
    skip_bad: bool,
    rejects: Path | None,
    dry_run: bool,
    show: int,
) -> LoadReport:
    pace = _Pace()
    with shown_progress() as shown:
        async with open_database() as database:
            return await load_files(
                database,
                **files,
                skip_bad=skip_bad,
                rejects=rejects,
                dry_run=dry_run,
                show=show,
                progress=lambda at: shown(pace.step(at)),
            )


def _one(kind: str, positional: Path | None, option: Path | None) -> Path | None:
    if positional is not None and option is not None:
        message = f"two files of {kind} were named, {positional} and {option}. Name one"
        raise UsageError(message)
    return positional or option


def _print(report: LoadReport, *, as_json: bool) -> None:
    if as_json:
        echo_json(json.dumps(report.to_json(), indent=2))
        return
    for file in report.files:
        if file.ignored_columns:
            ignored = ", ".join(file.ignored_columns)
            errors.print(
                visible(f"{file.path}: these columns were not loaded: {ignored}"), style="yellow"
            )
    for row in report.first_rejected:
        console.print(visible(f"{row.path}:{row.line}: {row.reason}"), soft_wrap=True)
    if report.rejected > len(report.first_rejected):
        console.print(f"... and {report.rejected - len(report.first_rejected):,} more bad rows")
    if report.reasons:
        reasons: dict[str, list[Any]] = {
            "reason": [*report.reasons],
            "times": [*report.reasons.values()],
        }
        console.print(grid_of(reasons).rich())
    files = columns_of(report.files, _COUNTS)
    console.print(grid_of(files, headings={"path": "File"}).rich())
    if report.rejects is not None:
        console.print(visible(f"Every bad row is in {report.rejects}"), soft_wrap=True)
    console.print(_last_line(report))


def _last_line(report: LoadReport) -> str:
    left = [("unchanged", report.unchanged), ("rejected", report.rejected)]
    others = "".join(f", {count:,} {name}" for name, count in left if count)
    read = f"{report.rows:,} read in {report.seconds:,.1f} s"
    if report.seconds > 1:
        read += f", {report.rows / report.seconds:,.0f} a second"
    if report.loaded:
        return f"Loaded: {report.written:,} rows{others}; {read}"
    would = f": {report.written:,} rows would be" if report.dry_run else ""
    return f"Checked, and nothing loaded{would}{others}; {read}"


class _Pace:
    """Turns where a load stands into a step, with its rate."""

    def __init__(self) -> None:
        self._label = ""
        self._begun = 0.0

    def step(self, progress: LoadProgress) -> Step:
        """Say what is being done, and how fast."""
        label = f"{_PHASES[progress.phase]} {progress.kind}"
        if label != self._label:
            self._label = label
            self._begun = time.monotonic()
        seconds = time.monotonic() - self._begun
        rate = ""
        if progress.phase == "reading" and seconds > _NO_RATE_BEFORE:
            rate = f"{progress.rows / seconds:,.0f} rows a second"
        return Step(label, progress.rows, note=rate)
