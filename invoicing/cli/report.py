"""`invoicing report`: pages for people who open no notebook."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from invoicing.cli.days import check_as_of
from invoicing.cli.files import writable
from invoicing.cli.output import AsJson, console, echo_json, errors
from invoicing.cli.progress import ProgressStep, shown_progress
from invoicing.cli.rename_options import New, Old, Schema, TableName, Url, make_target
from invoicing.db import Database, libpq_url
from invoicing.db.url import shown_url
from invoicing.errors import InvoicingError, UsageError
from invoicing.models import InvoiceStatus
from invoicing.services import InvoiceFilter, months_before
from invoicing.toolkit.postgres import database_url
from invoicing.toolkit.rename import Rename, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import URL

    from invoicing.report import Written

app = typer.Typer(
    help="Pages for people who open no notebook: one file each, opens offline, prints well.",
    no_args_is_help=True,
)
_EVERYBODY = 1_000_000
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", help="A parameter of the notebook: NAME=VALUE."),
]
Out = Annotated[Path, typer.Option("--out", "-o", callback=writable, help="The file to write.")]


@app.command()
def dashboard(
    accounts: Annotated[
        list[str] | None,
        typer.Argument(help="The accounts: ids or names.", show_default=False),
    ] = None,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write; a folder, for many accounts.")
    ],
    from_file: Annotated[
        Path | None, typer.Option(help="A file with an id on each line.", dir_okay=False)
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Every account.")] = False,
    months: Annotated[int, typer.Option(min=1, help="How many months of totals.")] = 12,
    as_of: Annotated[
        str, typer.Option(help="The date of the report, as 2026-06-30; default: today.")
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, help="How many at once.")] = 2,
    internal: Annotated[
        bool, typer.Option("--internal", help="For those who work here: every cell, with its text.")
    ] = False,
    index: Annotated[
        bool, typer.Option("--index", help="For many: a page that lists them; it names them all.")
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Also each account's invoices of these months as CSV.")
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also each page as PDF, by chromium, Chrome or Edge.")
    ] = False,
    parameter: Parameters = None,
) -> None:
    """Write the dashboard notebook of one account or many as pages for the customers.

    A page shows its account alone: no other customer, no code, no database. One that fails
    is reported, and does not stop the others.

    Exit codes: 0 all written, 1 one failed or is not there, 2 not understood.

    Example: invoicing report dashboard 8858c75c-0b70-8742-8b42-d8dc8bd372ea --out report.html
    """
    own = _own_parameters(parameter) if parameter else {}
    if "account" in own:
        message = "name the accounts as arguments, not by --parameter. Nothing was written"
        raise UsageError(message)
    months, as_of = own.get("months", months), own.get("as_of", as_of)
    if as_of:
        check_as_of(as_of)
    today = date.fromisoformat(as_of) if as_of else datetime.now().astimezone().date()
    chosen = _filter(today, months, own)
    from invoicing.report import find_browser, write_index, write_invoices

    browser = find_browser() if pdf else ""
    url = database_url()
    single = len(accounts or []) == 1 and not (from_file or everybody)
    names, unknown = asyncio.run(
        _existing(url, accounts or [], _ids_in(from_file), everybody=everybody, single=single)
    )
    for message in unknown:
        errors.print(message, style="red")
    paths = _paths(list(names), out, single=single)
    parameters = own | {"months": months, "as_of": today.isoformat()}
    written = _write(paths, url, parameters, names, jobs, internal) if paths else []
    if pdf:
        written = _printed(written, browser, jobs)
    if csv:
        done = {report.account_id: report.path for report in written if report.error is None}
        asyncio.run(write_invoices(done, url, chosen))
    if index and not single:
        write_index(written, names, out / "index.html")
    failed = [report for report in written if report.error is not None]
    for report in failed:
        errors.print(
            f"{report.account_id}: {report.error}", style="red", markup=False, highlight=False
        )
    whole, asked = len(written) - len(failed), len(written) + len(unknown)
    console.print(f"{whole:,} of {asked:,} written: {out}", markup=False, highlight=False)
    if failed or unknown:
        sys.exit(1)


@app.command()
def portfolio(*, out: Out, parameter: Parameters = None) -> None:
    """Write the notebook of all accounts together as a page, for those who work here.

    Exit codes: 0 written, 1 the notebook stopped, 2 not understood.

    Example: invoicing report portfolio -p as_of= -p months=6 --out portfolio.html
    """
    from invoicing.report import NOTEBOOKS, parse_parameters, write_report

    notebook = NOTEBOOKS / "04_portfolio.ipynb"
    today = datetime.now().astimezone().date().isoformat()
    parameters = {"as_of": today} | parse_parameters(notebook, parameter or [])
    url = database_url()
    with console.status("Running notebooks/04_portfolio.ipynb"):
        write_report(notebook, out, parameters, _address(url), _facts(url))
    console.print(f"written: {out}", markup=False, highlight=False)


@app.command()
def loading(
    *, out: Out, account: Annotated[str, typer.Option(help="Whose invoices.")] = ""
) -> None:
    """Write the comparison of loading strategies as a page, measured now.

    Example: invoicing report loading --out loading.html
    """
    from invoicing.report import NOTEBOOKS, write_report

    url = database_url()
    with console.status("Running notebooks/02_loading_strategies.ipynb"):
        notebook = NOTEBOOKS / "02_loading_strategies.ipynb"
        write_report(notebook, out, {"account": account}, _address(url), _facts(url))
    console.print(f"written: {out}", markup=False, highlight=False)


@app.command()
def rename(
    table: TableName,
    old: Old,
    new: New,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", callback=writable, help="The file to write.")
    ] = None,
    as_json: AsJson = False,
    schema: Schema = None,
    url: Url = None,
) -> None:
    """Write the record of a rename, for the change ticket: who, when, how long, counts, SQL.

    It says how far it is while it runs, and what was done once it is contracted. A rollback takes
    the record with it: write it before.

    Example: invoicing report rename invoice amt amount_cents --out change-4711.html
    """
    if out is None and not as_json:
        message = "nothing to write: give --out FILE, --json, or both"
        raise UsageError(message)
    asyncio.run(_rename(make_target(table, old, new, schema, url), url, out, as_json=as_json))
    if out is not None:
        errors.print(f"written: {out}", markup=False, highlight=False)


async def _rename(target: Target, url: str | None, out: Path | None, *, as_json: bool) -> None:
    from invoicing.report import write_rename_report

    async with Database(url or database_url()) as database:
        rename = Rename(database, target)
        status, runs = await rename.status(), await rename.runs()
        if not runs:
            message = (
                f"no record of {target}: no phase has run yet, or it was rolled back. "
                f"Run: {target.command('status')}"
            )
            raise UsageError(message)
        if out is not None:
            write_rename_report(status, runs, _facts(database.url)["database"], out)
    if as_json:
        record = {"status": status.as_dict(), "runs": [asdict(run) for run in runs]}
        echo_json(json.dumps(record, indent=2, default=str))


def _own_parameters(given: list[str]) -> dict[str, Any]:
    from invoicing.report import NOTEBOOKS, parse_parameters

    return parse_parameters(NOTEBOOKS / "01_dashboard.ipynb", given)


def _filter(today: date, months: int, parameters: Mapping[str, Any]) -> InvoiceFilter:
    """Return what the notebook narrows its invoices down to by these parameters."""
    status = parameters.get("status") or None
    if status not in {None, *InvoiceStatus}:
        message = f"status {status!r} is not one of {', '.join(InvoiceStatus)}. Nothing was written"
        raise UsageError(message)
    return InvoiceFilter(
        currency=parameters.get("currency") or None,
        status=status,
        since=months_before(today, months - 1),
        until=today + timedelta(days=1),
    )


def _write(
    paths: dict[UUID, Path],
    url: URL,
    parameters: dict[str, Any],
    names: dict[UUID, str],
    jobs: int,
    internal: bool,
) -> list[Written]:
    from invoicing.report import write_dashboards

    with shown_progress() as show:
        done = 0
        show(ProgressStep("Reports", 0, len(paths)))

        def progress(_: Written) -> None:
            nonlocal done
            done += 1
            show(ProgressStep("Reports", done, len(paths)))

        return write_dashboards(
            paths,
            _address(url),
            parameters=parameters,
            names=names,
            jobs=jobs,
            internal=internal,
            progress=progress,
        )


def _printed(written: list[Written], browser: str, jobs: int) -> list[Written]:
    """Print the pages that are there, and return what became of each."""
    from invoicing.report import write_pdfs

    pages = [report.path for report in written if report.error is None]
    with shown_progress() as show:
        show(ProgressStep("PDF", 0, len(pages)))
        done = count(1)
        failed = write_pdfs(
            pages,
            browser,
            jobs=jobs,
            progress=lambda: show(ProgressStep("PDF", next(done), len(pages))),
        )
    return [
        report._replace(error=failed[report.path]) if report.path in failed else report
        for report in written
    ]


async def _existing(
    url: URL, named: list[str], ids: list[UUID], *, everybody: bool, single: bool
) -> tuple[dict[UUID, str], list[str]]:
    """Return whose reports to write, with their names, and what was wrong with each of the others.

    Raises:
        InvoicingError: the only account is not there, or its name means several.
    """
    from invoicing.cli.dashboard import find_named_account
    from invoicing.services import get_account_dashboards, list_accounts
    from invoicing.services.errors import AccountNotFoundError

    if everybody == bool(named or ids):
        message = "name the accounts, or give --from-file or --all: only one of these"
        raise UsageError(message)
    async with Database(url) as database, database.read_only() as session:
        if everybody:
            found = await list_accounts(session, limit=_EVERYBODY)
            return {account.id: account.name for account in found}, []
        asked, unknown = [], []
        for text in named:
            try:
                asked.append(_as_uuid(text) or await find_named_account(session, text))
            except InvoicingError as error:
                if single:
                    raise
                unknown.append(f"{text}: {error}")
        wanted = list(dict.fromkeys([*asked, *ids]))
        try:
            dashboards = await get_account_dashboards(session, wanted)
        except AccountNotFoundError as error:
            if single:
                raise
            missing = set(error.account_ids)
            unknown += [f"{id_}: {AccountNotFoundError(id_)}" for id_ in error.account_ids]
            known = [id_ for id_ in wanted if id_ not in missing]
            dashboards = await get_account_dashboards(session, known)
    return {dashboard.id: dashboard.name for dashboard in dashboards}, unknown


def _paths(asked: list[UUID], out: Path, *, single: bool) -> dict[UUID, Path]:
    if single:
        if out.is_dir():
            message = f"{out} is a folder. Give --out a file, such as {out / 'report.html'}"
            raise UsageError(message)
        return {asked[0]: writable(out)}
    if out.exists() and not out.is_dir():
        message = f"{out} is a file, and many reports need a folder. Give --out a folder"
        raise UsageError(message)
    return {account_id: writable(out / f"{account_id}.html") for account_id in asked}


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _ids_in(path: Path | None) -> list[UUID]:
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {path}: {error}"
        raise UsageError(message) from None
    ids = []
    for number, line in enumerate(lines, 1):
        try:
            ids += [UUID(line.strip())] if line.strip() else []
        except ValueError:
            message = (
                f"{path}, line {number}: {line.strip()!r} is not an account id. Nothing was written"
            )
            raise UsageError(message) from None
    return ids


def _address(url: URL) -> str:
    """Return the URL for a kernel to connect to, password and all; never to be shown."""
    return libpq_url(url, password=True)


def _facts(url: URL) -> dict[str, str]:
    return {"database": shown_url(url)}
