"""What a dashboard is made of."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from invoicing.models import InvoiceStatus
from invoicing.schemas.moments import StoredMoment


class InvoiceSummary(BaseModel):
    """One invoice on a dashboard.

    Attributes:
        amount_cents: what was billed, in minor units of `currency`.
        created_at: when it was made; a dashboard is in this order, the newest first.
        lines_total_cents: the sum of its lines, in the same units; 0 without lines.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    amount_cents: int
    currency: str
    status: InvoiceStatus
    issued_at: StoredMoment | None
    created_at: StoredMoment
    lines_total_cents: int

    @property
    def difference_cents(self) -> int:
        """The sum of the lines less the amount; 0 where they add up."""
        return self.lines_total_cents - self.amount_cents


class AccountDashboard(BaseModel):
    """An account and its last invoices, the one made last first."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    name: str
    plan: str
    invoices: list[InvoiceSummary]
