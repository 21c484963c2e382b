"""`invoicing dashboard` and `invoicing accounts`: look at one account, find one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter

from invoicing.cli.connection import open_database
from invoicing.cli.output import console, echo_json
from invoicing.errors import UsageError
from invoicing.schemas.dashboard import InvoiceSummary
from invoicing.schemas.portfolio import AccountSummary
from invoicing.services import (
    count_accounts,
    find_account,
    get_account_dashboard,
    list_accounts,
)
from invoicing.tables import columns_of, grid_of

if TYPE_CHECKING:
    from uuid import UUID

    from rich.console import RenderableType

    from invoicing.db.session import AsyncSession
    from invoicing.schemas.dashboard import AccountDashboard

app = typer.Typer()

# What a reader looks for comes first; the other fields follow in their order.
_FIRST = ("id", "issued_at", "status", "amount_cents", "lines_total_cents", "difference_cents")
_HEADINGS = {"id": "Invoice", "created_at": "Created", "issued_at": "Issued"}

ACCOUNT_HELP = "An account's id, its name, or a part of the name that no other account has."


@app.command()
def dashboard(
    account: Annotated[str, typer.Argument(help=ACCOUNT_HELP, show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Show an account with its last 10 invoices and what their lines add up to.

    Example: invoicing dashboard 8858c75c-0b70-8742-8b42-d8dc8bd372ea
    """
    found = asyncio.run(_read_dashboard(account))
    if as_json:
        echo_json(found.model_dump_json(indent=2))
    else:
        console.print(dashboard_table(found))


@app.command()
def accounts(
    *,
    search: Annotated[str | None, typer.Option(help="Text that the name contains.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """List accounts by name, with how many invoices each has.

    Example: invoicing accounts --search optics
    """
    found, total = asyncio.run(_read_accounts(search, limit))
    if as_json:
        echo_json(TypeAdapter(list[AccountSummary]).dump_json(found, indent=2).decode())
        return
    columns = columns_of(found, AccountSummary.model_fields)
    console.print(grid_of(columns, headings={"id": "Account"}).rich())
    console.print(f"{len(found):,} of {total:,} accounts", style="dim")
    if total > len(found):
        console.print("Narrow with --search, or show more with --limit.", style="dim")


def dashboard_table(dashboard: AccountDashboard) -> RenderableType:
    """Lay a dashboard out as a table, every field of an invoice and what does not add up."""
    invoices = dashboard.invoices
    differences = [invoice.difference_cents or None for invoice in invoices]
    columns = columns_of(invoices, InvoiceSummary.model_fields) | {"difference_cents": differences}
    return grid_of(
        {name: columns[name] for name in dict.fromkeys([*_FIRST, *columns])},
        title=f"{dashboard.name}  ({dashboard.plan})",
        caption=f"Account {dashboard.id}; the last {len(invoices)} invoices, newest first",
        headings=_HEADINGS,
    ).rich()


async def _read_dashboard(account: str) -> AccountDashboard:
    async with open_database() as database, database.read_only() as session:
        return await get_account_dashboard(session, await find_named_account(session, account))


async def find_named_account(session: AsyncSession, text: str) -> UUID:
    """Return the account that the command line names.

    Raises:
        UsageError: the name is empty, as an unset variable of a script is.
    """
    if not text.strip():
        message = "the account's name is empty. Nothing was done. Run: invoicing accounts"
        raise UsageError(message)
    return await find_account(session, text)


async def _read_accounts(search: str | None, limit: int) -> tuple[list[AccountSummary], int]:
    async with open_database() as database, database.read_only() as session:
        found = await list_accounts(session, search=search, limit=limit)
        return found, await count_accounts(session, search=search)
