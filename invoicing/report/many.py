"""What stands beside many pages: a list of them, and each account's invoices as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.db import Database
from invoicing.files import write_whole
from invoicing.notebook import Table
from invoicing.report.page import page
from invoicing.services import InvoiceFilter, InvoiceSummary, list_invoices
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy.engine import URL

    from invoicing.report.dashboards import Written

_EVERY = 10_000_000


def write_index(written: Sequence[Written], names: Mapping[UUID, str], path: Path) -> None:
    """Write a page that links to each page of the folder, by the account's name.

    It names every customer, so it is not for a customer.
    """
    rows = []
    for report in sorted(written, key=lambda report: names.get(report.account_id, "").lower()):
        name, data = escape(names.get(report.account_id, "")), report.path.with_suffix(".csv")
        shown = f'<a href="{escape(report.path.name)}">{name}</a>' if not report.error else name
        csv = f'<a href="{escape(data.name)}">CSV</a>' if data.exists() else ""
        said = escape(report.error or "")
        rows.append(
            f"<tr><td>{shown}</td><td>{csv}</td><td>{report.account_id}</td><td>{said}</td>"
        )
    head = "<tr><th>Account</th><th>Data</th><th>Id</th><th>Failed</th></tr>"
    title = f"{len(written):,} accounts"
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
    write_whole(page(title, f"<h1>{title}</h1>{table}", {}), path)


async def write_invoices(
    reports: Mapping[UUID, Path], url: URL | str, chosen: InvoiceFilter
) -> None:
    """Write each account's invoices as CSV, beside its page.

    Args:
        reports: where the page of each account is.
        url: of the database.
        chosen: which of its invoices.
    """
    async with Database(url) as database, database.read_only() as session:
        for account_id, path in reports.items():
            own = chosen.model_copy(update={"account_id": account_id})
            matched = await list_invoices(session, own, limit=_EVERY)
            Table.of(matched.invoices, InvoiceSummary).to_csv(path.with_suffix(".csv"))
