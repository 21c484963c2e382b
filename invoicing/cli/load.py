"""`invoicing load`: accounts, invoices and lines from files of the user's own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from invoicing.cli.connection import open_database
from invoicing.cli.files import writable
from invoicing.cli.load_output import LoadRate, print_report
from invoicing.cli.output import echo_for_program, errors
from invoicing.cli.progress import shown_progress
from invoicing.errors import UsageError
from invoicing.files import write_whole
from invoicing.load import KINDS, load_files
from invoicing.load.errors import BadRowsError
from invoicing.load.mapping import mapping_text, ready_mappings
from invoicing.load.mapping.rules import TO_FILL_IN

if TYPE_CHECKING:
    from invoicing.schemas.load import LoadReport

app = typer.Typer()


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
Load accounts, invoices and lines from files, all of them or nothing.

Example: invoicing load accounts.csv invoices.csv lines.csv

Files of another system: invoicing load --suggest export.csv > mapping.toml writes what their \
columns seem to mean, to be read and corrected; then invoicing load --map mapping.toml --dry-run \
shows what would be stored. Ready mappings: {", ".join(ready_mappings())}.

Loading a file again changes nothing: an id always becomes the same UUID, and a row that is \
there already is updated only where it differs. A column that a file does not have keeps what \
the database holds. Nothing is deleted. References may also be to rows of the database.

CSV files are UTF-8 (or see --encoding), with comma, semicolon, tab or bar, and may be gzip; the \
first line names the columns, in any order. So may JSON lines. An Excel workbook is read from its \
first sheet. In Parquet cents are integers (a decimal without a scale will do), bytes are UTF-8 \
text, and 16 bytes of fixed length are a UUID. Rows without any text are left out.

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
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="MAPPING",
            help="A TOML file that says what the columns mean, or a ready one by its name. Files "
            "that are named replace its own, in its order.",
        ),
    ] = None,
    show_map: Annotated[
        bool, typer.Option("--show-map", help="Print the mapping of --map, to start from.")
    ] = False,
    suggest: Annotated[
        bool,
        typer.Option(
            "--suggest",
            help="Write a mapping for the files, to be read and corrected; load nothing.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="The file for --suggest; printed if not given.")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Of CSV and JSON lines: utf-8 if not given; utf-16, latin-1, cp1252."),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Load the good rows; write the bad ones to a file.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            callback=writable,
            help="The CSV file for all bad rows; it is replaced. "
            "With --skip-bad, rejects-<time>.csv if not given.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check everything, show what would be stored, then load nothing."
        ),
    ] = False,
    show: Annotated[int, typer.Option(min=0, help="How many bad rows to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Load the files and tell what became of their rows."""
    if show_map:
        echo_for_program(mapping_text(_given(mapping))[0].rstrip())
        return
    if suggest:
        _suggest([path for path in (accounts, invoices, lines) if path is not None], out)
        return
    _check_encoding(encoding)
    if skip_bad and rejects is None:
        rejects = Path(f"rejects-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv")
    options: dict[str, Any] = {
        "encoding": encoding,
        "skip_bad": skip_bad,
        "rejects": rejects,
        "dry_run": dry_run,
        "show": show,
    }
    if mapping is None:
        options["accounts"] = accounts
        options["invoices"] = _one("invoices", invoices, only_invoices)
        options["lines"] = _one("lines", lines, only_lines)
    else:
        if only_invoices or only_lines:
            message = "with --map files are named in the mapping's order, not by their kind"
            raise UsageError(message)
        options["mapping"] = mapping
        options["files"] = [path for path in (accounts, invoices, lines) if path is not None]
    try:
        report = asyncio.run(_load(options))
    except BadRowsError as error:
        print_report(error.report, as_json=as_json)
        raise
    print_report(report, as_json=as_json)


async def _load(options: dict[str, Any]) -> LoadReport:
    rate = LoadRate()
    with shown_progress() as shown:
        async with open_database() as database:
            return await load_files(database, **options, progress=lambda at: shown(rate.step(at)))


def _suggest(files: list[Path], out: Path | None) -> None:
    from invoicing.load.suggest import suggest_mapping

    if not files:
        message = "name the files to suggest a mapping for: invoicing load --suggest export.csv"
        raise UsageError(message)
    if out is not None and out.exists():
        message = f"{out} exists already, and may have been corrected. Name another file"
        raise UsageError(message)
    writable(out)
    text = suggest_mapping(files, out.parent if out is not None else ".")
    if out is None:
        echo_for_program(text.rstrip())
    else:
        write_whole(text, out)
    unknown = text.count(f'"{TO_FILL_IN}"')
    if unknown:
        errors.print(f"Values to fill in, as {TO_FILL_IN}: {unknown}", style="yellow")


def _given(mapping: str | None) -> str:
    if mapping is None:
        message = f"name a mapping: --map with a file, or one of {', '.join(ready_mappings())}"
        raise UsageError(message)
    return mapping


def _check_encoding(encoding: str | None) -> None:
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        message = f"unknown encoding {encoding!r}. Common ones: utf-8, utf-16, latin-1, cp1252"
        raise UsageError(message) from None


def _one(kind: str, positional: Path | None, option: Path | None) -> Path | None:
    if positional is not None and option is not None:
        message = f"two files of {kind} were named, {positional} and {option}. Name one"
        raise UsageError(message)
    return positional or option
