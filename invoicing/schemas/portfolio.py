"""Answers to questions about many invoices; every amount is of one currency."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from invoicing.models import InvoiceStatus
from invoicing.schemas.moments import StoredDay, StoredMoment

if TYPE_CHECKING:
    from collections.abc import Iterable

Item = TypeVar("Item")


class Source(StrEnum):
    """What an answer was read from; it is the same either way, but takes longer from invoices."""

    ROLL_UP = "roll-up"
    INVOICES = "invoices"


class Answer(list[Item]):
    """The rows of an answer, and what they were read from.

    Attributes:
        source: the roll-up of the portfolio, where one is built, or the invoices themselves.
    """

    def __init__(self, rows: Iterable[Item], source: Source) -> None:
        super().__init__(rows)
        self.source = source


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class AccountSummary(_Row):
    """An account in a list, with how many invoices it has."""

    id: UUID
    name: str
    plan: str
    invoices: int


class MonthlyTotals(_Row):
    """What was billed in one month (UTC), and what has become of it.

    `billed_cents` is `paid_cents` + `open_cents`; drafts and voids are none of them.
    """

    month: StoredDay
    currency: str
    invoices: int
    billed_cents: int
    paid_cents: int
    open_cents: int


class StatusTotal(_Row):
    """How many invoices of one currency stand in one status, and their amount."""

    currency: str
    status: InvoiceStatus
    invoices: int
    amount_cents: int


class AgeBucket(StrEnum):
    """Days since an open invoice was issued."""

    DAYS_0_30 = "0-30"
    DAYS_31_60 = "31-60"
    DAYS_61_90 = "61-90"
    DAYS_OVER_90 = "90+"


class AgeingTotal(_Row):
    """Open invoices of one currency in one age bucket; 0 where there are none."""

    currency: str
    bucket: AgeBucket
    invoices: int
    amount_cents: int


class TopAccount(_Row):
    """One of the accounts billed most in a currency; `rank` begins at 1 in each currency."""

    currency: str
    rank: int
    account_id: UUID
    name: str
    invoices: int
    billed_cents: int
    open_cents: int


class MismatchedInvoice(_Row):
    """An invoice whose lines do not add up to its amount.

    `difference_cents` is the sum of the lines less the amount.
    """

    id: UUID
    account_id: UUID
    account_name: str
    currency: str
    status: InvoiceStatus
    issued_at: StoredMoment | None
    amount_cents: int
    lines_total_cents: int
    difference_cents: int
