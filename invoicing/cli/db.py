"""`invoicing db`: the embedded PostgreSQL server, and the schema of whichever database is used."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from invoicing.cli.connection import open_database
from invoicing.cli.db_units import distribute, units
from invoicing.cli.output import AsJson, console, echo_for_program, echo_json, errors
from invoicing.cli.progress import ProgressStep, shown_progress
from invoicing.db.errors import MigrationsMissingError, SchemaNotFoundError
from invoicing.db.migrations import current_revision, head_revision, upgrade
from invoicing.db.session import Database
from invoicing.db.url import hosts_of, in_schema, libpq_url, parse_url, shown_url
from invoicing.errors import DatabaseUnavailableError, UsageError
from invoicing.settings import Settings
from invoicing.toolkit.postgres import database_url, embedded_server, find_psql

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.model import Progress

# Asked for these, psql opens no database, and none is started for it.
_TELLS_OF_ITSELF = frozenset({"--help", "-?", "--version", "-V"})

app = typer.Typer(help="The PostgreSQL server and its schema.", no_args_is_help=True)
app.command()(distribute)
app.command()(units)


@app.command()
def start() -> None:
    """Start the embedded server unless it runs; a killed one recovers, and says so.

    Example: invoicing db start
    """
    if Settings.read().database_url is not None:
        console.print("DATABASE_URL is set and wins: no embedded server is needed, none started")
        return
    server = embedded_server()
    with console.status("Starting PostgreSQL"):
        report = server.ensure_running()
    console.print(f"{report}\nData in {server.data_dir}", markup=False, highlight=False)
    if server.folder != server.data_dir:
        console.print(f"which is kept in {server.folder}", markup=False, highlight=False)


@app.command()
def stop() -> None:
    """Stop the embedded server; its data stays.

    Example: invoicing db stop
    """
    server = embedded_server()
    with console.status("Stopping PostgreSQL"):
        pid = server.stop()
    said = "No embedded server was running" if pid is None else f"PostgreSQL stopped (pid {pid})"
    console.print(said, highlight=False)
    if Settings.read().database_url is not None:
        console.print("DATABASE_URL is set: the server it names was left alone")


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Show where the database is, whether it runs, and its migration; exit code 1 if it does not.

    Example: invoicing db status --json
    """
    facts = asyncio.run(database_facts(Settings.read()))
    if as_json:
        echo_json(json.dumps(facts, indent=2))
    else:
        table = Table("", "", show_header=False, box=None)
        for name, value in facts.items():
            table.add_row(name.removesuffix("_bytes").replace("_", " "), _shown(name, value))
        console.print(table)
    if not facts["running"]:
        raise typer.Exit(1)


@app.command()
def url(
    *,
    show_password: Annotated[bool, typer.Option(help="Print the password too.")] = False,
) -> None:
    """Print the database's URL; the embedded server is started if need be.

    Example: psql "$(invoicing db url)"
    """
    found = in_schema(database_url(), Settings.read().database_schema)
    echo_for_program(libpq_url(found, password=show_password))
    if found.password is not None and not show_password:
        errors.print("The password was left out: set PGPASSWORD, or add --show-password")


@app.command()
def reset(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the embedded server's data and start afresh; nothing else is touched.

    Example: invoicing db reset --yes
    """
    if Settings.read().database_url is not None:
        message = (
            "cannot reset: DATABASE_URL is set, and only the embedded server's data is ever "
            "deleted. Nothing was changed. Unset DATABASE_URL, then run: invoicing db reset"
        )
        raise UsageError(message)
    server = embedded_server()
    if not yes:
        _confirm(f"Delete everything in {server.data_dir}?")
    with console.status("Starting PostgreSQL afresh"):
        report = server.reset()
    console.print(f"{report}\nThe database is empty. Run: invoicing db upgrade", highlight=False)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def psql(context: typer.Context) -> None:
    """Open psql on the database; what follows goes to psql.

    Example: invoicing db psql -c "SELECT count(*) FROM invoice"
    """
    if context.args and set(context.args) <= _TELLS_OF_ITSELF:
        program, _ = find_psql(tls=False)
        os.execv(program, [program, *context.args])
    found = in_schema(database_url(), Settings.read().database_schema)
    environment = dict(os.environ)
    if found.password is not None:
        # Not in the arguments: every user of the machine can read those.
        environment["PGPASSWORD"] = str(found.password)
    program = _psql_for(found)
    target = libpq_url(found, password=False)
    os.execve(program, [program, f"--dbname={target}", *context.args], environment)


def _psql_for(url: URL) -> str:
    """Return a psql that can open `url`; one without TLS only where that is not asked for."""
    mode = str(url.query.get("sslmode", "prefer"))
    remote = any(not host.is_socket for host in hosts_of(url))
    program, suits = find_psql(tls=remote and mode != "disable")
    if suits:
        return program
    message = f"{program} was built without TLS, and no other psql is here"
    if mode not in {"allow", "prefer"}:
        message += (
            f", so sslmode={mode} cannot be kept. Install PostgreSQL's client, so that its psql is "
            "on PATH, and run this again"
        )
        raise UsageError(message)
    errors.print(f"{message}: this connection will not be encrypted", highlight=False)
    return program


@app.command(name="upgrade")
def upgrade_schema(
    revision: Annotated[str, typer.Argument(help="The revision to migrate to.")] = "head",
    *,
    confirm: Annotated[
        str | None, typer.Option(help="What a destructive revision drops: invoice.amt.")
    ] = None,
) -> None:
    """Migrate the database's schema up; nothing happens when it is there already.

    Example: invoicing db upgrade
    """
    before, after = asyncio.run(_upgrade(revision, confirm))
    moved = (
        f"is at {after} already"
        if before == after
        else f"went from {before or 'nothing'} to {after}"
    )
    console.print(f"The schema {moved}", highlight=False)


async def _upgrade(revision: str, confirm: str | None) -> tuple[str | None, str | None]:
    async with open_database() as database:
        before = await current_revision(database)
        with shown_progress() as show:
            await upgrade(
                database,
                revision,
                rename={
                    "confirm": confirm,
                    "progress": lambda at: at.rows_total and show(_step(at)),
                },
            )
        return before, await current_revision(database)


def _step(at: Progress) -> ProgressStep:
    return ProgressStep("Backfill", at.rows_done, at.rows_total, f"{at.rate:,.0f} rows/s")


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        message = "cannot ask whether to delete the data: there is no terminal. Add: --yes"
        raise UsageError(message)
    errors.print(question, markup=False, highlight=False)
    if not typer.confirm("It cannot be undone.", err=True):
        raise typer.Exit(1)


async def database_facts(settings: Settings) -> dict[str, Any]:
    """Return where the database is, whether it runs, and its migration; it starts nothing."""
    facts: dict[str, Any] = {"source": "DATABASE_URL", "running": False}
    if settings.database_url is not None:
        target = parse_url(settings.database_url.get_secret_value())
        return facts | await _facts_of(target, settings)
    found = embedded_server(settings).status()
    facts |= {
        "source": "embedded",
        "version": found.version,
        "pid": found.pid,
        "data_folder": str(found.data_dir),
        "kept_in": str(found.folder),
        "size_bytes": found.size,
        "log_file": str(found.log_file),
        "url": None,
        "revision": None,
        "newest_revision": _newest_revision(),
    }
    return facts | await _facts_of(found.url, settings) if found.url is not None else facts


async def _facts_of(target: URL, settings: Settings) -> dict[str, Any]:
    async with Database.routed(target, settings) as database:
        facts: dict[str, Any] = {"url": shown_url(target)}
        if settings.database_schema is not None:
            facts["schema"] = settings.database_schema
        try:
            version = await database.server_version()
            revision = await current_revision(database)
        except DatabaseUnavailableError as error:
            return facts | {"reason": error.reason}
        except SchemaNotFoundError as error:
            return facts | {"reason": str(error)}
        if database.standby is not None and database.read_url is not None:
            recent = await database.standby.is_recent()
            facts["read_url"] = shown_url(database.read_url)
            facts["reads_go_to"] = "standby" if recent else "primary"
        return facts | {
            "running": True,
            "version": version,
            "revision": revision,
            "newest_revision": _newest_revision(),
        }


def _newest_revision() -> str | None:
    try:
        return head_revision()
    except MigrationsMissingError:
        return None


def _shown(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "size_bytes" and isinstance(value, int):
        return f"{value / 1024 / 1024:,.0f} MB"
    return str(value)
