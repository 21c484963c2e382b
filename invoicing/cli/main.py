"""The `invoicing` command: one file for each verb group, put together here."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from sqlalchemy.exc import DBAPIError

from invoicing.cli import (
    dashboard,
    db,
    demo,
    doctor,
    load,
    policy,
    profile,
    rename,
    rename_practice,
    sample,
)
from invoicing.cli.output import errors
from invoicing.db.refusal import explain
from invoicing.errors import InvoicingError

app = typer.Typer(
    name="invoicing",
    help="Dashboards, loading strategies and online renames for invoices kept in PostgreSQL.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
app.add_typer(dashboard.app)
app.add_typer(demo.app)
app.add_typer(doctor.app)
app.add_typer(load.app)
app.add_typer(policy.app, name="policy")
app.add_typer(profile.app)
app.add_typer(sample.app)
app.add_typer(db.app, name="db")
rename.app.add_typer(rename_practice.app)
app.add_typer(rename.app, name="rename")


def main() -> None:
    """Run the command; an error of ours, or of the database, is one line and an exit code."""
    try:
        app()
    except InvoicingError as error:
        _end(str(error), error.exit_code)
    except DBAPIError as error:
        refused = explain(error)
        _end(str(refused), refused.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", 130)


def _end(message: str, exit_code: int) -> NoReturn:
    errors.print(f"invoicing: {message}", style="red", markup=False, highlight=False)
    sys.exit(exit_code)
