"""The `invoicing` command: one file for each verb group, put together here."""

from __future__ import annotations

import sys

import typer

from invoicing.cli.output import errors
from invoicing.errors import InvoicingError

app = typer.Typer(
    name="invoicing",
    help="Dashboards, loading strategies and online renames for invoices kept in PostgreSQL.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)


def main() -> None:
    """Run the command; an error of ours is one line on stderr and its exit code."""
    try:
        app()
    except InvoicingError as error:
        errors.print(f"invoicing: {error}", style="red", markup=False, highlight=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        errors.print("invoicing: interrupted", style="red")
        sys.exit(130)
