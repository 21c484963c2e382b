"""The sample's invoices: whose, when, in which currency, and how far they have got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from invoicing.sample.accounts import Accounts, invoice_shares, make_accounts
from invoicing.sample.calendar import (
    AS_OF_SECONDS,
    DAY,
    MONTHS,
    cumulative_month_weights,
    month_start_days,
    to_working_day,
)
from invoicing.sample.hashing import Rows, Stream, below, bits, draw, uuid_words

if TYPE_CHECKING:
    import numpy.typing as npt

    from invoicing.sample.hashing import Draws, Integers

STATUSES = ("draft", "open", "paid", "void")
DRAFT, OPEN, PAID, VOID = range(4)

_MONTH_STARTS = month_start_days(0, MONTHS)
_MONTH_WEIGHTS = cumulative_month_weights()

# One in four invoices comes from the run on a month's first day at six, so that some of an
# account's have the very same created_at.
_BILLING_RUN = 6 * 3_600
# How long an invoice lies before it is issued, equally likely.
_ISSUE_DELAYS = np.array([0, 0, 0, 0, 0, 1, 1, 2], dtype=np.int64) * DAY

# Of 1,024 invoices so many days old, how many are still drafts or still open.
_AGES = np.array([7, 15, 30, 45, 60, 90, 180, 365])
_DRAFT_SHARE = np.array([220, 120, 60, 30, 20, 12, 6, 4, 3])
_OPEN_SHARE = np.array([960, 870, 640, 330, 170, 90, 45, 24, 10])
_VOID_SHARE = 24
# Who is always late pays an invoice like others pay one this much younger.
_LATE_GRACE = 60
# Days from issue to payment, equally likely; who is always late takes _LATE_GRACE more.
_PAYMENT_DAYS = np.array([1, 3, 7, 10, 12, 14, 14, 15, 18, 21, 25, 28, 30, 30, 34, 47])
_SECOND_CURRENCY_SHARE = 256


@dataclass(frozen=True)
class Invoices(Rows):
    """Invoices by number; amounts are the lines' affair. Times are seconds since 1970.

    Attributes:
        account: number of the account.
        status: number in STATUSES.
        issued_at: meaningless where the status is DRAFT.
    """

    id_high: Draws
    id_low: Draws
    account: Integers
    currency: Integers
    status: Integers
    created_at: Integers
    issued_at: Integers
    updated_at: Integers


class Book:
    """A seed and its accounts: what is needed to make any of their invoices.

    An invoice depends on the seed, its own number and how many accounts there are; not on how many
    invoices there are. A smaller sample of the same accounts is the beginning of a larger one.
    """

    def __init__(self, seed: int, accounts: int) -> None:
        self.seed = seed
        self.accounts: Accounts = make_accounts(seed, 0, accounts)
        self._shares = invoice_shares(accounts)

    def make_invoices(self, first: int, last: int, empty: npt.NDArray[np.bool_]) -> Invoices:
        """Make the invoices numbered `first` to `last` - 1; those that are `empty` stay drafts."""
        numbers = np.arange(first, last, dtype=np.uint64)
        high, low = uuid_words(self.seed, Stream.INVOICE_ID_HIGH, Stream.INVOICE_ID_LOW, numbers)
        chosen = below(draw(self.seed, Stream.INVOICE_ACCOUNT, numbers), int(self._shares[-1]))
        account = np.searchsorted(self._shares, chosen, side="right").astype(np.int64)
        fate = draw(self.seed, Stream.INVOICE_STATUS, numbers)
        second = bits(fate, 40, 10) < _SECOND_CURRENCY_SHARE
        created_at, in_run = self._creation(numbers, self.accounts.first_month[account])
        status = _status(fate, created_at, self.accounts.is_late[account])
        status[empty] = DRAFT
        delay = np.where(in_run, 0, _ISSUE_DELAYS[bits(fate, 20, 3)])
        issued_at = np.minimum(created_at + delay, AS_OF_SECONDS)
        return Invoices(
            numbers=numbers,
            id_high=high,
            id_low=low,
            account=account,
            currency=np.where(
                second, self.accounts.second_currency[account], self.accounts.currency[account]
            ),
            status=status,
            created_at=created_at,
            issued_at=issued_at,
            updated_at=_last_change(
                fate, status, created_at, issued_at, self.accounts.is_late[account]
            ),
        )

    def _creation(self, numbers: Draws, first_month: Integers) -> tuple[Integers, Integers]:
        """Return when each invoice was made, and whether the billing run made it."""
        before = _MONTH_WEIGHTS[first_month]
        chosen = draw(self.seed, Stream.INVOICE_MONTH, numbers)
        weight = before + below(chosen, _MONTH_WEIGHTS[-1] - before)
        month = np.searchsorted(_MONTH_WEIGHTS, weight, side="right") - 1
        start = _MONTH_STARTS[month]
        time = draw(self.seed, Stream.INVOICE_DAY, numbers)
        days = below(time >> np.uint64(8), _MONTH_STARTS[month + 1] - start)
        day = to_working_day(start + days, start)
        second = 7 * 3_600 + below(time >> np.uint64(32), 12 * 3_600)
        in_run = bits(time, 0, 2)
        created_at = np.where(in_run == 0, start * DAY + _BILLING_RUN, day * DAY + second)
        return created_at, (in_run == 0).astype(np.int64)


def _status(fate: Draws, created_at: Integers, is_late: Integers) -> Integers:
    age = (AS_OF_SECONDS - created_at) // DAY
    is_draft = bits(fate, 0, 10) < _DRAFT_SHARE[np.searchsorted(_AGES, age, side="right")]
    payment_age = np.where(is_late != 0, np.maximum(age - _LATE_GRACE, 0) // 2, age)
    open_share = _OPEN_SHARE[np.searchsorted(_AGES, payment_age, side="right")]
    is_open = bits(fate, 10, 10) < open_share
    is_void = bits(fate, 30, 10) < _VOID_SHARE
    return np.where(is_draft, DRAFT, np.where(is_void, VOID, np.where(is_open, OPEN, PAID)))


def _last_change(
    fate: Draws, status: Integers, created_at: Integers, issued_at: Integers, is_late: Integers
) -> Integers:
    """Return when each invoice was paid or voided, else when it was issued or drafted."""
    days = _PAYMENT_DAYS[bits(fate, 52, 4)] + is_late * _LATE_GRACE
    settled = np.minimum(issued_at + days * DAY + bits(fate, 56, 8) * 60, AS_OF_SECONDS)
    waiting = np.where(status == DRAFT, created_at, issued_at)
    return np.where((status == PAID) | (status == VOID), settled, waiting)
