"""One line of an invoice."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from invoicing.db.base import Base, TimeStampedMixin

if TYPE_CHECKING:
    from invoicing.models.invoice import Invoice


class InvoiceLine(TimeStampedMixin, Base):
    """What was sold, and its total in minor units of the invoice's currency."""

    __tablename__ = "invoice_line"
    __table_args__ = (
        # INCLUDE lets the sum of an invoice's lines be read from the index alone.
        Index(None, "invoice_id", postgresql_include=["total_cents"]),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"))
    description: Mapped[str | None]
    total_cents: Mapped[int]

    invoice: Mapped[Invoice] = relationship(back_populates="lines", lazy="raise")
