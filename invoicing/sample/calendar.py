"""When things happen in the sample: 36 months of growth and seasons, up to a fixed day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from invoicing.sample.hashing import Integers

# The sample's "today": nothing in it is later. It never moves, or the bytes would.
SAMPLE_AS_OF = datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)
AS_OF_SECONDS = int(SAMPLE_AS_OF.timestamp())

MONTHS = 36
FIRST_YEAR, FIRST_MONTH = 2023, 7
DAY = 86_400

# Business is slow in summer and hurries before a year or a quarter ends.
_SEASON = (96, 94, 104, 99, 100, 105, 90, 84, 104, 106, 108, 112)
_MONTHLY_GROWTH_PERCENT = 2
_SATURDAY = 5


def month_start_days(first: int, last: int) -> Integers:
    """Return the day (since 1970) on which the months `first` to `last` of the sample begin.

    Month 0 is the first of the sample; those before it have negative numbers.
    """
    origin = FIRST_YEAR * 12 + FIRST_MONTH - 1
    epoch = date(1970, 1, 1).toordinal()
    return np.array(
        [
            date((origin + month) // 12, (origin + month) % 12 + 1, 1).toordinal() - epoch
            for month in range(first, last + 1)
        ],
        dtype=np.int64,
    )


def cumulative_month_weights() -> Integers:
    """Return how much is billed before each month, and in all, in units of no meaning."""
    level = 10_000
    total = 0
    cumulative = [0]
    for month in range(MONTHS):
        total += level * _SEASON[(FIRST_MONTH - 1 + month) % 12]
        cumulative.append(total)
        level += level * _MONTHLY_GROWTH_PERCENT // 100
    return np.array(cumulative, dtype=np.int64)


def to_working_day(days: Integers, first_days: Integers) -> Integers:
    """Move weekend days to the Friday before, where that is not before `first_days`."""
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
    friday = days - np.maximum(weekday - (_SATURDAY - 1), 0)
    return np.where(friday >= first_days, friday, days)
