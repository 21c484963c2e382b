"""The account that invoices are addressed to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy.orm import Mapped, mapped_column, relationship

from invoicing.db.base import Base, TimeStampedMixin

if TYPE_CHECKING:
    from invoicing.models.invoice import Invoice


class Account(TimeStampedMixin, Base):
    """A customer and the plan it is on."""

    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    plan: Mapped[str]

    invoices: Mapped[list[Invoice]] = relationship(
        back_populates="account",
        cascade="all, delete-orphan",
        passive_deletes=True,
        lazy="raise",
    )
