"""Answers about the invoices a reader has narrowed down to; every amount is of one currency."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict, computed_field

from invoicing.models import InvoiceStatus
from invoicing.schemas.dashboard import InvoiceSummary


class _FilteredRow(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class InvoiceFilter(_FilteredRow):
    """Which invoices a reader has narrowed down to; what is not given narrows nothing.

    An invoice is dated by the day of its issue (UTC); one without it, such as a draft, by the day
    it was made.

    Attributes:
        account_id: one account only.
        currency: one ISO 4217 code only.
        status: one status only.
        since: the first day to count.
        until: the first day not to count any more.
        mismatched: only those whose lines do not add up to the amount.
    """

    account_id: UUID | None = None
    currency: str | None = None
    status: InvoiceStatus | None = None
    since: date | None = None
    until: date | None = None
    mismatched: bool = False


class InvoiceLineItem(_FilteredRow):
    """One line of an invoice, in minor units of the invoice's currency."""

    description: str | None
    total_cents: int
    currency: str


class InvoiceDetail(InvoiceSummary):
    """An invoice with whose it is and all of its lines, in the order they were made."""

    account_id: UUID
    account_name: str
    lines: list[InvoiceLineItem]


class Headline(_FilteredRow):
    """The figures of one currency in a period, beside those of the period before it.

    What is paid and what is open is said by the status that an invoice has now: no date of payment
    is kept, so the period before has had longer to be paid.

    Attributes:
        currency: of every amount; there is no total across currencies.
        billed_cents: amounts of the open and paid invoices dated in the period; drafts and voids
            are none of them.
        paid_cents: what of `billed_cents` is paid.
        open_cents: what of `billed_cents` is not paid.
        overdue_cents: what of `open_cents` is dated more than 30 days before the period's last day.
        days: how many days the period has.
        previous_billed_cents: the same of the period before; so are the other `previous_` fields.
            None where the period has no beginning, and so none before it.
    """

    currency: str
    billed_cents: int
    paid_cents: int
    open_cents: int
    overdue_cents: int
    days: int | None
    previous_billed_cents: int | None
    previous_paid_cents: int | None
    previous_open_cents: int | None
    previous_overdue_cents: int | None
    previous_days: int | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def overdue_share(self) -> float | None:
        """`overdue_cents` as a share of `open_cents`; None where nothing is open."""
        return _share(self.overdue_cents, self.open_cents)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def previous_overdue_share(self) -> float | None:
        """The same of the period before."""
        return _share(self.previous_overdue_cents, self.previous_open_cents)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def days_sales_outstanding(self) -> float | None:
        """`open_cents` / `billed_cents` x `days`: after how many days a sale is paid.

        None where nothing was billed, or the period has no beginning.
        """
        return _days(self.open_cents, self.billed_cents, self.days)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def previous_days_sales_outstanding(self) -> float | None:
        """The same of the period before."""
        return _days(self.previous_open_cents, self.previous_billed_cents, self.previous_days)


class PeriodComparison(_FilteredRow):
    """What was billed in a period and in the one before it, in one currency.

    Attributes:
        change_cents: what was billed more than in the period before; negative, if less.
        change_share: the same as a share of the period before; None where nothing was billed then.
    """

    currency: str
    since: date
    billed_cents: int
    paid_cents: int
    open_cents: int
    previous_since: date
    previous_billed_cents: int
    change_cents: int
    change_share: float | None


class Concentration(_FilteredRow):
    """How much of all that was billed in one currency is of its largest accounts.

    Attributes:
        accounts: how many accounts, from the largest down; fewer, where a currency has fewer.
        share: `billed_cents` as a share of `total_cents`.
    """

    currency: str
    accounts: int
    billed_cents: int
    total_cents: int
    share: float


class MatchedInvoices(_FilteredRow):
    """A filter's invoices, the one made last first, and how many there are in all."""

    invoices: list[InvoiceSummary]
    total: int


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _days(left: int | None, billed: int | None, days: int | None) -> float | None:
    return left / billed * days if left is not None and billed and days else None
