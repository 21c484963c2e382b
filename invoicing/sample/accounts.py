"""The sample's accounts: what each is like, and how the invoices are shared among them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isqrt

import numpy as np

from invoicing.sample import catalogue
from invoicing.sample.calendar import DAY, MONTHS, month_start_days
from invoicing.sample.hashing import (
    Draws,
    Integers,
    Rows,
    Stream,
    below,
    bits,
    draw,
    uuid_words,
    weighted_table,
)

_CURRENCY_TABLE = weighted_table(catalogue.CURRENCY_SHARES)
_PLAN_TABLES = np.stack([weighted_table(shares) for shares in catalogue.PLAN_SHARES])
_LARGEST, _LARGE = 50, 1_000

_OLDEST_MONTH = -24
_NEWEST_MONTH = MONTHS - 2
# In 1,024: accounts older than the first invoice, for the largest, the large and the others.
_OLD_SHARE = np.array([860, 600, 360], dtype=np.int64)
# In 1,024: payers that are always late, and accounts billed in a second currency as well.
_LATE_SHARE, _SECOND_CURRENCY_SHARE = 64, 48

_NAMES = len(catalogue.FIRST_NAMES) * len(catalogue.TRADES) * len(catalogue.LEGAL_FORMS)
# About the golden section of _NAMES and prime to it: neighbours get names far apart, none twice.
_NAME_STEP = 45_569


@dataclass(frozen=True)
class Accounts(Rows):
    """Accounts by number: account k is the same however many there are.

    Attributes:
        numbers: the accounts' numbers; 0 has the most invoices.
        id_high, id_low: the halves of the id.
        plan: number of the plan in `catalogue.PLANS`.
        currency, second_currency: numbers in `catalogue.CURRENCIES`; mostly the same.
        is_late: whether it always pays late.
        first_month: the first month in which it is billed.
        created_at: seconds since 1970; always before `first_month`.
    """

    id_high: Draws
    id_low: Draws
    plan: Integers
    currency: Integers
    second_currency: Integers
    is_late: Integers
    first_month: Integers
    created_at: Integers

    def part(self, first: int, last: int) -> Accounts:
        """Return the accounts at places `first` to `last` - 1."""
        return Accounts(*(getattr(self, field.name)[first:last] for field in fields(self)))


def make_accounts(seed: int, first: int, last: int) -> Accounts:
    """Make the accounts numbered `first` to `last` - 1."""
    numbers = np.arange(first, last, dtype=np.uint64)
    high, low = uuid_words(seed, Stream.ACCOUNT_ID_HIGH, Stream.ACCOUNT_ID_LOW, numbers)
    traits = draw(seed, Stream.ACCOUNT_TRAITS, numbers)
    currency = _CURRENCY_TABLE[bits(traits, 10, 10)]
    second = _CURRENCY_TABLE[bits(traits, 20, 10)]
    has_second = bits(traits, 30, 10) < _SECOND_CURRENCY_SHARE
    rank = numbers.astype(np.int64)
    size = (rank >= _LARGEST).astype(np.int64) + (rank >= _LARGE)
    month, created_at = _opening(draw(seed, Stream.ACCOUNT_TIME, numbers), size)
    return Accounts(
        numbers=numbers,
        id_high=high,
        id_low=low,
        plan=_PLAN_TABLES[size, bits(traits, 0, 10)],
        currency=currency,
        second_currency=np.where(has_second, second, currency),
        is_late=(bits(traits, 40, 10) < _LATE_SHARE).astype(np.int64),
        first_month=np.maximum(month + 1, 0),
        created_at=created_at,
    )


def account_names(seed: int, accounts: Accounts) -> list[str]:
    """Name each account; the first 73,728 differ, and 3.5 million do with their cities."""
    start = int(draw(seed, Stream.ACCOUNT_NAME, np.zeros(1, dtype=np.uint64))[0]) % _NAMES
    return [_name(start, number) for number in accounts.numbers.tolist()]


def invoice_shares(accounts: int) -> Integers:
    """Return the cumulative share of the invoices that the accounts up to each one have.

    The k-th largest has a share of 1 / (k + c): Zipf's law as Mandelbrot flattened it, for no
    customer of a firm with a hundred thousand others is one twelfth of its business.
    """
    flat = isqrt(accounts) // 8
    ranks = np.arange(1, accounts + 1, dtype=np.int64)
    return np.cumsum((1 << 40) // (ranks + flat))


def _opening(time: Draws, size: Integers) -> tuple[Integers, Integers]:
    """Return the month and the second in which each account was opened."""
    is_old = bits(time, 0, 10) < _OLD_SHARE[size]
    old = _OLDEST_MONTH + below(time >> np.uint64(10), -_OLDEST_MONTH)
    young = below(time >> np.uint64(10), _NEWEST_MONTH + 1)
    month = np.where(is_old, old, young)
    starts = month_start_days(_OLDEST_MONTH, _NEWEST_MONTH + 1)
    begin = starts[month - _OLDEST_MONTH]
    days = starts[month - _OLDEST_MONTH + 1] - begin
    day = begin + below(time >> np.uint64(24), days)
    return month, day * DAY + 7 * 3_600 + below(time >> np.uint64(40), 12 * 3_600)


def _name(start: int, number: int) -> str:
    turn, place = divmod(number, _NAMES)
    rest, form = divmod((start + place * _NAME_STEP) % _NAMES, len(catalogue.LEGAL_FORMS))
    first, trade = divmod(rest, len(catalogue.TRADES))
    # Neighbours would have trades near each other; this shift tears them apart, one to one.
    trade = (trade + 5 * first * first + 29 * first + 11 * form) % len(catalogue.TRADES)
    name = f"{catalogue.FIRST_NAMES[first]} {catalogue.TRADES[trade]}"
    city = f" {catalogue.CITIES[(turn - 1) % len(catalogue.CITIES)]}" if turn else ""
    return f"{name}{city} {catalogue.LEGAL_FORMS[form]}"
