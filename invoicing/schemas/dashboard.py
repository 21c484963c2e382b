"""What a dashboard is made of."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from invoicing.models import InvoiceStatus


class InvoiceSummary(BaseModel):
    """One invoice on a dashboard.

    Attributes:
        amount_cents: what was billed, in minor units of `currency`.
        lines_total_cents: the sum of its lines, in the same units; 0 without lines.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    amount_cents: int
    currency: str
    status: InvoiceStatus
    issued_at: datetime | None
    lines_total_cents: int


class AccountDashboard(BaseModel):
    """An account and its last invoices, newest first."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    name: str
    plan: str
    invoices: list[InvoiceSummary]
