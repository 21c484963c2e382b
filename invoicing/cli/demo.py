"""`invoicing demo` and `invoicing notebooks`: the main job in one command, and its kept outputs."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from invoicing.cli.dashboard import dashboard_table
from invoicing.cli.output import console
from invoicing.db import Database, libpq_url
from invoicing.db.databases import drop_database, run_on_server
from invoicing.db.migrations import upgrade
from invoicing.db.url import beside
from invoicing.folders import notebooks_folder
from invoicing.sample import load_sample
from invoicing.services import count_accounts, find_account, get_account_dashboard
from invoicing.settings import Settings
from invoicing.toolkit.postgres import embedded_server, home_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

    from invoicing.schemas.dashboard import AccountDashboard

app = typer.Typer()

ACCOUNTS, INVOICES = 200, 20_000
# Of its own, so that refreshing the notebooks never touches anybody's data.
REFRESH_DATABASE = "invoicing_notebooks"


@app.command()
def demo() -> None:
    """Start PostgreSQL, load a sample, run the dashboard notebook and print one dashboard.

    It works on the embedded server, whatever DATABASE_URL says, and leaves it running.

    Example: invoicing demo
    """
    from invoicing.report import NOTEBOOKS, write_report

    settings = Settings.read()
    server = embedded_server(settings)
    with _step("Starting PostgreSQL"):
        report = server.ensure_running()
    console.print(f"  {report}", style="dim", highlight=False, markup=False)
    url = server.url()
    with _step("Migrating and loading the sample"):
        asyncio.run(_prepare(url))
    page = home_folder(settings) / "reports" / "dashboard.html"
    with _step("Running notebooks/01_dashboard.ipynb"):
        write_report(NOTEBOOKS / "01_dashboard.ipynb", page, {}, _address(url))
    dashboard = asyncio.run(_one_dashboard(url))
    console.print()
    console.print(dashboard_table(dashboard))
    console.print()
    console.print(f"Report:    {page}", highlight=False, soft_wrap=True)
    checkout = (notebooks_folder().parent / "Makefile").is_file()
    command = ".venv/bin/invoicing" if checkout else "invoicing"
    lab = "make lab" if checkout else "invoicing init, then invoicing lab"
    console.print(f"Notebooks: {lab}", highlight=False)
    console.print(f"Accounts:  {command} accounts --search optics", highlight=False, markup=False)
    console.print(f"Stop:      {command} db stop", highlight=False)


@app.command()
def notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which, such as 01_dashboard; all if none is named.")
    ] = None,
) -> None:
    """Run the notebooks on a fresh sample and keep their outputs, for the repository and nbval.

    Example: invoicing notebooks 01_dashboard
    """
    from invoicing.report import NOTEBOOKS, refresh_outputs

    server = embedded_server()
    server.ensure_running()
    known = {path.stem: path for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        message = f"no notebook is called {unknown[0]!r}; there are: {', '.join(known)}"
        raise typer.BadParameter(message)
    with _step("Loading a fresh sample"):
        url = asyncio.run(_fresh_database(server.url()))
    try:
        for name in names or known:
            with _step(f"Running {name}"):
                refresh_outputs(known[name], _address(url))
    finally:
        asyncio.run(drop_database(Database(url)))


@contextmanager
def _step(doing: str) -> Iterator[None]:
    """Say what is done while it is done, and how long it took."""
    started = time.monotonic()
    with console.status(doing):
        yield
    console.print(f"{doing}: {time.monotonic() - started:.1f} s", highlight=False)


def _address(url: URL) -> str:
    """Return the URL for a kernel to connect to, password and all; never to be shown."""
    return libpq_url(url, password=True)


async def _prepare(url: URL) -> None:
    async with Database(url) as database:
        await upgrade(database)
        async with database.read_only() as session:
            filled = await count_accounts(session) > 0
        if not filled:
            await load_sample(database, accounts=ACCOUNTS, invoices=INVOICES)


async def _one_dashboard(url: URL) -> AccountDashboard:
    async with Database(url) as database, database.read_only() as session:
        return await get_account_dashboard(session, await find_account(session))


async def _fresh_database(server: URL) -> URL:
    url = beside(server, REFRESH_DATABASE)
    await drop_database(Database(url))
    await run_on_server(url, f"CREATE DATABASE {REFRESH_DATABASE}")
    await _prepare(url)
    return url
