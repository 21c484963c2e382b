"""What every service answers on a database, to be compared with what another one answers."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from invoicing import services
from invoicing.notebook.reading import read_frame

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
        listed = await services.list_accounts(session, limit=20)
        ids = [account.id for account in listed]
        first = await services.find_account(session)
        loaded = await services.get_account_with_invoices(session, first)
        chosen = services.InvoiceFilter(account_id=first, until=DAY)
        invoices = await services.list_invoices(session, chosen)
        found = {
            "list_accounts": listed,
            "count_accounts": await services.count_accounts(session),
            "search": await services.list_accounts(session, search="a"),
            "by name": await services.find_account(session, listed[0].name),
            "dashboard": await services.get_account_dashboard(session, first),
            "dashboards": await services.get_account_dashboards(session, ids),
            "graph": sorted(
                (i.id, i.amount_cents, i.status, sorted(line.total_cents for line in i.lines))
                for i in loaded.invoices
            ),
            "monthly_totals": await services.monthly_totals(session),
            "monthly_totals of one": await services.monthly_totals(session, account_id=first),
            "status_breakdown": await services.status_breakdown(session),
            "ageing": await services.ageing(session, as_of=DAY),
            "top_accounts": await services.top_accounts(session),
            "mismatched_invoices": await services.mismatched_invoices(session),
            "mismatched of one": await services.mismatched_invoices(session, account_id=first),
            "list_invoices": invoices,
            "invoice": await services.get_invoice(session, invoices.invoices[0].id),
            "headline": await services.headline(session, chosen),
            "months_of": await services.months_of(session, chosen),
            "statuses_of": await services.statuses_of(session, chosen),
            "ageing_of": await services.ageing_of(session, chosen),
            "currencies_of": await services.currencies_of(session, first),
            "concentration": services.concentration(
                await services.top_accounts(session, limit=10),
                await services.status_breakdown(session),
            ),
        }
    found["read_frame"] = (await read_frame(database, WHOLE)).to_csv()
    return {name: repr(answer) for name, answer in found.items()}
