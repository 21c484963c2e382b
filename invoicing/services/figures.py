"""SQL that several questions about invoices share: sums, days and ages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Date, case, func, literal, select
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import INSUFFICIENT_PRIVILEGE, explain
from invoicing.models import Account, Invoice, InvoiceStatus
from invoicing.schemas.moments import DateOutOfRangeError
from invoicing.schemas.portfolio import AgeBucket
from invoicing.services.errors import SumTooLargeError

if TYPE_CHECKING:
    from sqlalchemy import (
        ColumnElement,
        ColumnExpressionArgument,
        Executable,
        Label,
        Result,
        Select,
    )

    from invoicing.db.session import AsyncSession

OUT_OF_RANGE = "22003"
# The moment that dates an invoice: its issue, or the day it was made.
DATED: ColumnElement[datetime] = func.coalesce(Invoice.issued_at, Invoice.created_at)
# The most days of each bucket; what is older has one of its own.
_MOST_DAYS = {30: AgeBucket.DAYS_0_30, 60: AgeBucket.DAYS_31_60, 90: AgeBucket.DAYS_61_90}


async def summed(
    session: AsyncSession, statement: Executable, values: dict[str, Any] | None = None
) -> Result[Any]:
    """Run a statement that adds amounts up.

    Raises:
        SumTooLargeError: a sum is beyond a BIGINT.
        DateOutOfRangeError: a date is of a year that Python cannot hold.
        StatementFailedError: the account may not read a table, of the roll-up too.
    """
    try:
        return await session.execute(statement, values)
    except DBAPIError as error:
        sqlstate = getattr(error.orig, "sqlstate", None)
        if sqlstate == INSUFFICIENT_PRIVILEGE:
            raise explain(error) from None
        if sqlstate != OUT_OF_RANGE:
            raise
        raise SumTooLargeError from None
    except (OverflowError, ValueError):
        # The driver's, for a year after 9999 or before 1.
        raise DateOutOfRangeError from None


def sum_of(cents: ColumnExpressionArgument[int], *where: ColumnElement[bool]) -> ColumnElement[int]:
    """Sum minor units as BIGINT (PostgreSQL sums BIGINT to NUMERIC); 0 for no rows."""
    total = func.sum(cents).filter(*where) if where else func.sum(cents)
    return func.coalesce(total, 0).cast(BigInteger)


def totals_by_month(moment: ColumnExpressionArgument[Any]) -> Select[*tuple[Any, ...]]:
    """Select each month's number of invoices and what was billed, paid and is open, by currency.

    Args:
        moment: what dates an invoice; its month is that of UTC.
    """
    month = func.date_trunc("month", func.timezone("UTC", moment)).cast(Date).label("month")
    return select(
        month,
        Invoice.currency,
        func.count().label("invoices"),
        sum_of(Invoice.amount_cents).label("billed_cents"),
        sum_of(Invoice.amount_cents, Invoice.status == InvoiceStatus.PAID).label("paid_cents"),
        sum_of(Invoice.amount_cents, Invoice.status == InvoiceStatus.OPEN).label("open_cents"),
    ).group_by(month, Invoice.currency)


def with_lines_total(
    lines_total: ColumnElement[int], difference: ColumnElement[int]
) -> Select[*tuple[Any, ...]]:
    """Select invoices, their accounts' names, and what their lines add up to."""
    return select(
        Invoice.id,
        Invoice.account_id,
        Account.name.label("account_name"),
        Invoice.currency,
        Invoice.status,
        Invoice.issued_at,
        Invoice.amount_cents,
        lines_total.label("lines_total_cents"),
        difference.label("difference_cents"),
    ).join(Account, Account.id == Invoice.account_id)


def bucket_of(day: date, dated: ColumnElement[Any]) -> Label[str]:
    """Return the bucket, as `bucket`, of what is dated so, on a day.

    Days are compared, not taken from each other: an infinite one has no distance to any.
    """
    return case(
        *(
            (dated >= literal(day - timedelta(days), Date), bucket.value)
            for days, bucket in _MOST_DAYS.items()
        ),
        else_=AgeBucket.DAYS_OVER_90.value,
    ).label("bucket")


def counted_by_bucket(
    day: date, dated: ColumnElement[Any], *conditions: ColumnElement[bool]
) -> Select[str, str, int, int]:
    """Count and add up the invoices that meet `conditions`, by currency and age on a day."""
    bucket = bucket_of(day, dated)
    return (
        select(
            Invoice.currency,
            bucket,
            func.count().label("invoices"),
            sum_of(Invoice.amount_cents).label("amount_cents"),
        )
        .where(*conditions)
        .group_by(Invoice.currency, bucket)
    )


def midnight(day: date) -> datetime:
    """Return the moment at which a day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
