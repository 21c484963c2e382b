"""The `invoicing` command: the list of its verbs, each in a file that is imported when it is used.

A command line should answer at once; importing SQLAlchemy, Alembic and numpy takes a second.
"""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from invoicing import __version__
from invoicing.cli.late import postpone_grammar
from invoicing.cli.output import errors
from invoicing.errors import InvoicingError, MissingExtraError
from invoicing.visible import visible

BEGIN, LOOK, CODE, RENAME, DATA = (
    "Begin here",
    "Look at invoices",
    "Look at code",
    "Change a live table",
    "Data and server",
)
# Each verb's panel in the help, its file, and the first line of its own help.
VERBS = {
    "demo": (
        BEGIN,
        "demo",
        "Start PostgreSQL, load a sample, run the dashboard notebook and print one dashboard.",
    ),
    "doctor": (
        BEGIN,
        "doctor",
        "Check Python, packages, database, migrations, disk and rules; say what to run.",
    ),
    "accounts": (
        LOOK,
        "dashboard",
        "List accounts by name, with how many invoices each has.",
    ),
    "dashboard": (
        LOOK,
        "dashboard",
        "Show an account with its last 10 invoices and what their lines add up to.",
    ),
    "report": (
        LOOK,
        "report",
        "Pages for people who open no notebook: one file each, opens offline, prints well.",
    ),
    "profile": (
        CODE,
        "profile",
        "Run a Python program and name the lines whose SQL is wasteful, and the fix.",
    ),
    "policy": (CODE, "policy", "Lint SQLAlchemy code and Alembic migrations."),
    "rename": (
        RENAME,
        "rename",
        "Rename a column of a live table: nothing lost, no request failed.",
    ),
    "retype": (
        RENAME,
        "retype",
        "Change the type of a column of a live table: nothing lost, no request failed.",
    ),
    "db": (DATA, "db", "The PostgreSQL server and its schema."),
    "load": (
        DATA,
        "load",
        "Load accounts, invoices and lines from files, all of them or nothing.",
    ),
    "portfolio": (
        DATA,
        "portfolio",
        "Totals that triggers keep exact: questions about all invoices take milliseconds.",
    ),
    "sample": (
        DATA,
        "sample",
        "Load deterministic sample data into a migrated database, all of it or nothing.",
    ),
    "init": (BEGIN, "lab", "Put the notebooks into a folder of your own, to run and to change."),
    "lab": (
        BEGIN,
        "lab",
        "Open JupyterLab on the notebooks; it listens on localhost, and ends with Ctrl-C.",
    ),
    "app": (
        LOOK,
        "app",
        "Serve the analyst's page, the portfolio and a rename's board, without their code.",
    ),
    "notebooks": (
        DATA,
        "demo",
        "Run the notebooks on a fresh sample and keep their outputs, for the repository and nbval.",
    ),
}
# What the extras bring, by the name it is imported by.
_EXTRAS = dict.fromkeys(
    (
        "IPython",
        "ipywidgets",
        "jupyterlab",
        "matplotlib",
        "nbclient",
        "nbconvert",
        "nbformat",
        "nest_asyncio",
        "numpy",
        "pandas",
        "papermill",
        "pyarrow",
        "traitlets",
        "voila",
    ),
    "notebooks",
) | {"python_calamine": "excel"}
_TOUR = """A tour, on the PostgreSQL that comes with it:

[bold]invoicing demo[/]                       a sample, and the first dashboard

[bold]invoicing accounts --search optics[/]   then: invoicing dashboard ACCOUNT

[bold]invoicing profile report.py[/]          which line sends too many statements

[bold]invoicing policy check[/]               which line breaks the rules

[bold]invoicing rename practice[/]            a database to try a rename on

[bold]invoicing doctor[/]                     when something does not work

DATABASE_URL names a database of your own. Exit codes: 0 done, 1 failed,
2 not understood."""


class Verbs(TyperGroup):
    """Shows the list without importing anything; imports a verb's file when it is called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = {
            name: TyperCommand(name, help=summary, rich_help_panel=panel, rich_markup_mode="rich")
            for name, (panel, _, summary) in VERBS.items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 -- typer's own
        """Return the verb itself, imported now."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and verb(str(name)), rest


def verb(name: str) -> TyperCommand | TyperGroup:
    """Import a verb's file and return its command."""
    module = import_module(f"invoicing.cli.{VERBS[name][1]}")
    command = typer.main.get_command(module.app)
    if isinstance(command, TyperGroup) and name in command.commands:
        return command.commands[name]  # type: ignore[return-value]
    command.name = name
    return command  # type: ignore[return-value]


app = typer.Typer(
    cls=Verbs,
    name="invoicing",
    help="Dashboards, loading strategies and online renames for invoices kept in PostgreSQL.",
    epilog=_TOUR,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def invoicing(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Take what comes before the verb."""


def main() -> None:
    """Run the command; an error of ours, or of the database, is one line and an exit code."""
    postpone_grammar()
    try:
        app()
    except InvoicingError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except OSError as error:
        # A folder or a file that was not looked at before: which, and why, is what matters. What
        # is printed has no name.
        where = error.filename or ("the output" if error.errno == errno.ENOSPC else "no file")
        _end(f"cannot go on: {error.strerror or error}: {where}", 1)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        missing = MissingExtraError(str(error.name), extra)
        _end(str(missing), missing.exit_code)
    except Exception as error:
        # Who has not imported SQLAlchemy has met no error of the database.
        alchemy = sys.modules.get("sqlalchemy.exc")
        if alchemy is None or not isinstance(error, alchemy.DBAPIError):
            raise
        refused = import_module("invoicing.db.refusal").explain(error)
        _end(str(refused), refused.exit_code)


def _end(message: str, exit_code: int) -> NoReturn:
    errors.print(f"invoicing: {visible(message)}", style="red")
    sys.exit(exit_code)
