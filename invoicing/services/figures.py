"""SQL that several questions about invoices share: sums, days and ages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, case, func

from invoicing.schemas.portfolio import AgeBucket

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, ColumnExpressionArgument, Label

# The most days of each bucket; what is older has one of its own.
_MOST_DAYS = {30: AgeBucket.DAYS_0_30, 60: AgeBucket.DAYS_31_60, 90: AgeBucket.DAYS_61_90}


def sum_of(cents: ColumnExpressionArgument[int], *where: ColumnElement[bool]) -> ColumnElement[int]:
    """Sum minor units as BIGINT (PostgreSQL sums BIGINT to NUMERIC); 0 for no rows."""
    total = func.sum(cents).filter(*where) if where else func.sum(cents)
    return func.coalesce(total, 0).cast(BigInteger)


def bucket_of(age: ColumnElement[Any]) -> Label[str]:
    """Return the bucket of an age in days, as `bucket`."""
    return case(
        *((age <= days, bucket.value) for days, bucket in _MOST_DAYS.items()),
        else_=AgeBucket.DAYS_OVER_90.value,
    ).label("bucket")


def midnight(day: date) -> datetime:
    """Return the moment at which a day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
