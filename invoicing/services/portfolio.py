"""Questions about many invoices at once, each one statement and so one round trip.

Every answer is by currency: amounts of different currencies are never added together. Every
question can be narrowed to one account. Months and days are those of UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeVarTuple

from sqlalchemy import BigInteger, Date, case, func, select, true

from invoicing.models import Account, Invoice, InvoiceLine, InvoiceStatus
from invoicing.schemas.portfolio import (
    AgeBucket,
    AgeingTotal,
    MismatchedInvoice,
    MonthlyTotals,
    StatusTotal,
    TopAccount,
)

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement, ColumnExpressionArgument, FromClause, Select

    from invoicing.db.session import AsyncSession

Columns = TypeVarTuple("Columns")

# The most days of each bucket; what is older has one of its own.
_AGES = {30: AgeBucket.DAYS_0_30, 60: AgeBucket.DAYS_31_60, 90: AgeBucket.DAYS_61_90}
BILLED = (InvoiceStatus.OPEN, InvoiceStatus.PAID)


async def monthly_totals(
    session: AsyncSession,
    *,
    account_id: UUID | None = None,
    since: date | None = None,
    until: date | None = None,
) -> list[MonthlyTotals]:
    """Return what was billed by month of issue and currency, oldest first, and what is paid of it.

    Args:
        session: any session.
        account_id: one account only.
        since: first day of issue to count; from the beginning if not given.
        until: first day not to count any more; to the end if not given.
    """
    issued = func.timezone("UTC", Invoice.issued_at)
    month = func.date_trunc("month", issued).cast(Date).label("month")
    statement = (
        select(
            month,
            Invoice.currency,
            func.count().label("invoices"),
            _sum(Invoice.amount_cents).label("billed_cents"),
            _sum(Invoice.amount_cents, Invoice.status == InvoiceStatus.PAID).label("paid_cents"),
            _sum(Invoice.amount_cents, Invoice.status == InvoiceStatus.OPEN).label("open_cents"),
        )
        .where(Invoice.status.in_(BILLED), Invoice.issued_at.is_not(None))
        .group_by(month, Invoice.currency)
        .order_by(month, Invoice.currency)
    )
    if since is not None:
        statement = statement.where(Invoice.issued_at >= _midnight(since))
    if until is not None:
        statement = statement.where(Invoice.issued_at < _midnight(until))
    rows = await session.execute(_of_account(statement, account_id))
    return [MonthlyTotals.model_validate(row) for row in rows]


async def status_breakdown(
    session: AsyncSession, *, account_id: UUID | None = None
) -> list[StatusTotal]:
    """Return how many invoices stand in each status, and their amounts, by currency."""
    statement = (
        select(
            Invoice.currency,
            Invoice.status,
            func.count().label("invoices"),
            _sum(Invoice.amount_cents).label("amount_cents"),
        )
        .group_by(Invoice.currency, Invoice.status)
        .order_by(Invoice.currency, Invoice.status)
    )
    rows = await session.execute(_of_account(statement, account_id))
    return [StatusTotal.model_validate(row) for row in rows]


async def ageing(
    session: AsyncSession, *, account_id: UUID | None = None, as_of: date | None = None
) -> list[AgeingTotal]:
    """Return the open invoices by days since issue and currency; all four buckets of each currency.

    Args:
        session: any session.
        account_id: one account only.
        as_of: the day to count from; today if not given. What was issued later is left out.
    """
    day = as_of if as_of is not None else datetime.now(UTC).date()
    # An open invoice without a date of issue is still owed: it ages from the day it was made.
    issued = func.timezone("UTC", func.coalesce(Invoice.issued_at, Invoice.created_at)).cast(Date)
    # A date less a date is a number of days.
    age = day - issued
    bucket = case(
        *((age <= days, bucket.value) for days, bucket in _AGES.items()),
        else_=AgeBucket.DAYS_OVER_90.value,
    ).label("bucket")
    statement = (
        select(
            Invoice.currency,
            bucket,
            func.count().label("invoices"),
            _sum(Invoice.amount_cents).label("amount_cents"),
        )
        .where(Invoice.status == InvoiceStatus.OPEN, issued <= day)
        .group_by(Invoice.currency, bucket)
    )
    rows = (await session.execute(_of_account(statement, account_id))).all()
    totals = {(row.currency, row.bucket): row for row in rows}
    return [
        AgeingTotal(
            currency=currency,
            bucket=age_bucket,
            invoices=found.invoices if found else 0,
            amount_cents=found.amount_cents if found else 0,
        )
        for currency in sorted({row.currency for row in rows})
        for age_bucket in AgeBucket
        for found in [totals.get((currency, age_bucket.value))]
    ]


async def top_accounts(session: AsyncSession, *, limit: int = 10) -> list[TopAccount]:
    """Return the accounts billed most in each currency, `limit` a currency, with what is open."""
    billed = _sum(Invoice.amount_cents)
    rank = func.row_number().over(
        partition_by=Invoice.currency, order_by=(billed.desc(), Invoice.account_id)
    )
    ranked = (
        select(
            Invoice.currency,
            rank.label("rank"),
            Invoice.account_id,
            func.count().label("invoices"),
            billed.label("billed_cents"),
            _sum(Invoice.amount_cents, Invoice.status == InvoiceStatus.OPEN).label("open_cents"),
        )
        .where(Invoice.status.in_(BILLED))
        .group_by(Invoice.currency, Invoice.account_id)
        .subquery("ranked")
    )
    statement = (
        select(ranked, Account.name)
        .join(Account, Account.id == ranked.c.account_id)
        .where(ranked.c.rank <= limit)
        .order_by(ranked.c.currency, ranked.c.rank)
    )
    return [TopAccount.model_validate(row) for row in await session.execute(statement)]


async def mismatched_invoices(
    session: AsyncSession, *, account_id: UUID | None = None, limit: int = 100
) -> list[MismatchedInvoice]:
    """Return invoices whose lines do not add up to `amount_cents`, largest difference first.

    An invoice without lines adds up to 0. Differences of different currencies are compared as
    numbers only to order them. Over all accounts this reads every line there is.
    """
    lines_total = _sum(InvoiceLine.total_cents)
    if account_id is None:
        # Every line is needed: grouping them once is cheaper than a look-up an invoice.
        sums: FromClause = (
            select(InvoiceLine.invoice_id, lines_total.label("cents"))
            .group_by(InvoiceLine.invoice_id)
            .subquery("lines")
        )
        on: ColumnElement[bool] = sums.c.invoice_id == Invoice.id
    else:
        sums = (
            select(lines_total.label("cents"))
            .where(InvoiceLine.invoice_id == Invoice.id)
            .lateral("lines")
        )
        on = true()
    total = func.coalesce(sums.c.cents, 0)
    difference = (total - Invoice.amount_cents).label("difference_cents")
    statement = (
        select(
            Invoice.id,
            Invoice.account_id,
            Account.name.label("account_name"),
            Invoice.currency,
            Invoice.status,
            Invoice.issued_at,
            Invoice.amount_cents,
            total.label("lines_total_cents"),
            difference,
        )
        .join(Account, Account.id == Invoice.account_id)
        .outerjoin(sums, on)
        .where(total != Invoice.amount_cents)
        .order_by(func.abs(difference).desc(), Invoice.id)
        .limit(limit)
    )
    rows = await session.execute(_of_account(statement, account_id))
    return [MismatchedInvoice.model_validate(row) for row in rows]


def _of_account(statement: Select[*Columns], account_id: UUID | None) -> Select[*Columns]:
    return statement if account_id is None else statement.where(Invoice.account_id == account_id)


def _sum(
    cents: ColumnExpressionArgument[int], where: ColumnElement[bool] | None = None
) -> ColumnElement[int]:
    """Sum minor units as BIGINT (PostgreSQL sums BIGINT to NUMERIC); 0 for no rows."""
    total = func.sum(cents) if where is None else func.sum(cents).filter(where)
    return func.coalesce(total, 0).cast(BigInteger)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
