"""What every service answers on a database, to be compared with what another one answers."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from invoicing.notebook.reading import read_frame
from invoicing.services import (
    InvoiceFilter,
    ageing,
    ageing_of,
    concentration,
    count_accounts,
    currencies_of,
    find_account,
    get_account_dashboard,
    get_account_dashboards,
    get_account_with_invoices,
    get_invoice,
    headline,
    list_accounts,
    list_invoices,
    mismatched_invoices,
    monthly_totals,
    months_of,
    status_breakdown,
    statuses_of,
    top_accounts,
)

if TYPE_CHECKING:
    from invoicing.db import Database

DAY = date(2026, 6, 1)
WHOLE = (
    "SELECT i.id, i.amount_cents, i.currency, i.status, i.issued_at, i.created_at, a.name,"
    " l.id AS line_id, l.total_cents FROM invoice AS i JOIN account AS a"
    " ON a.id = i.account_id LEFT JOIN invoice_line AS l ON l.invoice_id = i.id"
    " ORDER BY i.id, l.id"
)


async def answers(database: Database) -> dict[str, Any]:
    """Return the answer of each service, by its name, as it is shown."""
    async with database.read_only() as session:
        listed = await list_accounts(session, limit=20)
        ids = [account.id for account in listed]
        first = await find_account(session)
        loaded = await get_account_with_invoices(session, first)
        chosen = InvoiceFilter(account_id=first, until=DAY)
        invoices = await list_invoices(session, chosen)
        found = {
            "list_accounts": listed,
            "count_accounts": await count_accounts(session),
            "search": await list_accounts(session, search="a"),
            "by name": await find_account(session, listed[0].name),
            "dashboard": await get_account_dashboard(session, first),
            "dashboards": await get_account_dashboards(session, ids),
            "graph": sorted(
                (i.id, i.amount_cents, i.status, sorted(line.total_cents for line in i.lines))
                for i in loaded.invoices
            ),
            "monthly_totals": await monthly_totals(session),
            "monthly_totals of one": await monthly_totals(session, account_id=first),
            "status_breakdown": await status_breakdown(session),
            "ageing": await ageing(session, as_of=DAY),
            "top_accounts": await top_accounts(session),
            "mismatched_invoices": await mismatched_invoices(session),
            "mismatched of one": await mismatched_invoices(session, account_id=first),
            "list_invoices": invoices,
            "invoice": await get_invoice(session, invoices.invoices[0].id),
            "headline": await headline(session, chosen),
            "months_of": await months_of(session, chosen),
            "statuses_of": await statuses_of(session, chosen),
            "ageing_of": await ageing_of(session, chosen),
            "currencies_of": await currencies_of(session, first),
            "concentration": concentration(
                await top_accounts(session, limit=10), await status_breakdown(session)
            ),
        }
    found["read_frame"] = (await read_frame(database, WHOLE)).to_csv()
    return {name: repr(answer) for name, answer in found.items()}
