"""The invoice, its status, and the indexes that the dashboard reads by."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from invoicing.db.base import Base, TimeStampedMixin

if TYPE_CHECKING:
    from invoicing.models.account import Account
    from invoicing.models.invoice_line import InvoiceLine


class InvoiceStatus(StrEnum):
    """Where an invoice stands: only OPEN and PAID count as billed."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


class Invoice(TimeStampedMixin, Base):
    """What an account owes: an amount in minor units (cents) of one ISO 4217 currency."""

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_iso_4217"),
        Index(None, "account_id", "status"),
        # Newest first with ties broken by id: the order of every "last invoices" query.
        Index(
            "ix_invoice_account_id_created_at_id",
            "account_id",
            text("created_at DESC"),
            text("id DESC"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    amount_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[InvoiceStatus] = mapped_column(
        Enum(
            InvoiceStatus,
            name="invoice_status",
            values_callable=lambda statuses: [status.value for status in statuses],
        ),
        default=InvoiceStatus.DRAFT,
        server_default=InvoiceStatus.DRAFT.value,
        index=True,
    )
    issued_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship(back_populates="invoices", lazy="raise")
    lines: Mapped[list[InvoiceLine]] = relationship(
        back_populates="invoice",
        cascade="all, delete-orphan",
        passive_deletes=True,
        lazy="raise",
    )
