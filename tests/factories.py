"""Make rows with believable defaults; keywords override."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from invoicing.models import Account, Invoice, InvoiceLine, InvoiceStatus

CREATED_AT = datetime(2026, 1, 15, 12, tzinfo=UTC)


def create_account(**values: Any) -> Account:
    return Account(**{"name": "Aurora Optics", "plan": "team", "invoices": []} | values)


def create_invoice(
    account: Account, *, line_cents: list[int] | None = None, **values: Any
) -> Invoice:
    """Make an invoice of `account` with one line for each amount of `line_cents`."""
    line_cents = [12_00] if line_cents is None else line_cents
    defaults = {
        "account": account,
        "account_id": account.id,
        "amount_cents": sum(line_cents),
        "currency": "EUR",
        "status": InvoiceStatus.OPEN,
        "issued_at": CREATED_AT,
        "created_at": CREATED_AT,
        "updated_at": CREATED_AT,
        "lines": [InvoiceLine(description="Seats", total_cents=cents) for cents in line_cents],
    }
    return Invoice(**defaults | values)
