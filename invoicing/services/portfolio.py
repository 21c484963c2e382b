"""Questions about many invoices at once, each one statement and so one round trip.

Every answer is by currency: amounts of different currencies are never added together. Every
question can be narrowed to one account. Months and days are those of UTC.

An answer over all accounts comes from the roll-up (`invoicing portfolio build`) where there is one,
and from the invoices where there is none: the same rows either way, and its `source` says which.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVarTuple

from sqlalchemy import Date, func, select, true

from invoicing.models import Account, Invoice, InvoiceLine, InvoiceStatus
from invoicing.schemas.portfolio import (
    AgeBucket,
    AgeingTotal,
    Answer,
    MismatchedInvoice,
    MonthlyTotals,
    StatusTotal,
    TopAccount,
)
from invoicing.services import rolled_up
from invoicing.services.figures import (
    DATED,
    counted_by_bucket,
    midnight,
    sum_of,
    totals_by_month,
    with_lines_total,
)
from invoicing.services.rolled_up import BILLED, question, rows_of

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement, FromClause, Select

    from invoicing.db.session import AsyncSession
    from invoicing.services.rolled_up import AnySelect

Columns = TypeVarTuple("Columns")

# Making a statement takes longer than a roll-up's answer.
_made_once = lru_cache(maxsize=128)


async def monthly_totals(
    session: AsyncSession,
    *,
    account_id: UUID | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Answer[MonthlyTotals]:
    """Return what was billed by month and currency, oldest first, and what is paid of it.

    An invoice is dated by its issue, one without by the day it was made.

    Args:
        session: any session.
        account_id: one account only.
        since: first day to count; from the beginning if not given.
        until: first day not to count any more; to the end if not given.
    """
    rows, source = await rows_of(session, _monthly_totals(account_id, since, until))
    return Answer((MonthlyTotals.model_validate(row) for row in rows), source)


@_made_once
def _monthly_totals(account_id: UUID | None, since: date | None, until: date | None) -> AnySelect:
    statement = totals_by_month(DATED).where(Invoice.status.in_(BILLED))
    if since is not None:
        statement = statement.where(midnight(since) <= DATED)
    if until is not None:
        statement = statement.where(midnight(until) > DATED)
    rolled = rolled_up.monthly_totals_statement(since, until) if account_id is None else None
    plain = _of_account(statement, account_id)
    return question(plain, rolled, lambda total: (total.month, total.currency))


async def status_breakdown(
    session: AsyncSession, *, account_id: UUID | None = None
) -> Answer[StatusTotal]:
    """Return how many invoices stand in each status, and their amounts, by currency."""
    rows, source = await rows_of(session, _status_breakdown(account_id))
    return Answer((StatusTotal.model_validate(row) for row in rows), source)


@_made_once
def _status_breakdown(account_id: UUID | None) -> AnySelect:
    statement = select(
        Invoice.currency,
        Invoice.status,
        func.count().label("invoices"),
        sum_of(Invoice.amount_cents).label("amount_cents"),
    ).group_by(Invoice.currency, Invoice.status)
    rolled = rolled_up.status_breakdown_statement() if account_id is None else None
    plain = _of_account(statement, account_id)
    return question(plain, rolled, lambda total: (total.currency, total.status))


async def ageing(
    session: AsyncSession, *, account_id: UUID | None = None, as_of: date | None = None
) -> Answer[AgeingTotal]:
    """Return the open invoices by days since issue and currency; all four buckets of each currency.

    Args:
        session: any session.
        account_id: one account only.
        as_of: the day to count from; today if not given. What was issued later is left out.
    """
    day = as_of if as_of is not None else datetime.now(UTC).date()
    rows, source = await rows_of(session, _ageing(account_id, day))
    totals = {(row.currency, row.bucket): row for row in rows}
    buckets = (
        AgeingTotal(
            currency=currency,
            bucket=age_bucket,
            invoices=found.invoices if found else 0,
            amount_cents=found.amount_cents if found else 0,
        )
        for currency in sorted({row.currency for row in rows})
        for age_bucket in AgeBucket
        for found in [totals.get((currency, age_bucket.value))]
    )
    return Answer(buckets, source)


@_made_once
def _ageing(account_id: UUID | None, day: date) -> AnySelect:
    # An open invoice without a date of issue is still owed: it ages from the day it was made.
    issued = func.timezone("UTC", DATED).cast(Date)
    statement = counted_by_bucket(day, issued, Invoice.status == InvoiceStatus.OPEN, issued <= day)
    rolled = rolled_up.ageing_statement(day) if account_id is None else None
    plain = _of_account(statement, account_id)
    return question(plain, rolled, lambda total: (total.currency, total.bucket))


async def top_accounts(session: AsyncSession, *, limit: int = 10) -> Answer[TopAccount]:
    """Return the accounts billed most in each currency, `limit` a currency, with what is open."""
    rows, source = await rows_of(session, _top_accounts(limit))
    return Answer((TopAccount.model_validate(row) for row in rows), source)


@_made_once
def _top_accounts(limit: int) -> AnySelect:
    billed = sum_of(Invoice.amount_cents)
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
            sum_of(Invoice.amount_cents, Invoice.status == InvoiceStatus.OPEN).label("open_cents"),
        )
        .where(Invoice.status.in_(BILLED))
        .group_by(Invoice.currency, Invoice.account_id)
        .subquery("ranked")
    )
    statement = (
        select(ranked, Account.name)
        .join(Account, Account.id == ranked.c.account_id)
        .where(ranked.c.rank <= limit)
    )
    rolled = rolled_up.top_accounts_statement(limit)
    return question(statement, rolled, lambda account: (account.currency, account.rank))


async def first_account(session: AsyncSession) -> UUID | None:
    """Return the account billed most, of the currency that most invoices are billed in.

    Amounts of different currencies cannot be compared, and counts can. None if nothing is billed.
    """
    rows, _ = await rows_of(session, _first_account())
    return rows[0].account_id if rows else None


@_made_once
def _first_account() -> AnySelect:
    billed = (
        select(
            Invoice.account_id,
            Invoice.currency,
            sum_of(Invoice.amount_cents).label("billed_cents"),
            func.sum(func.count()).over(partition_by=Invoice.currency).label("invoices"),
        )
        .where(Invoice.status.in_(BILLED))
        .group_by(Invoice.currency, Invoice.account_id)
        .subquery("billed")
        .c
    )
    order = (billed.invoices.desc(), billed.currency, billed.billed_cents.desc(), billed.account_id)
    statement = select(billed.account_id).order_by(*order).limit(1)
    return question(statement, rolled_up.first_account_statement(), lambda _: ())


async def mismatched_invoices(
    session: AsyncSession, *, account_id: UUID | None = None, limit: int = 100
) -> Answer[MismatchedInvoice]:
    """Return invoices whose lines do not add up to `amount_cents`, largest difference first.

    An invoice without lines adds up to 0. Differences of different currencies are compared as
    numbers only to order them. Over all accounts, without a roll-up, this reads every line there
    is.
    """
    rows, source = await rows_of(session, _mismatched_invoices(account_id, limit))
    return Answer((MismatchedInvoice.model_validate(row) for row in rows), source)


@_made_once
def _mismatched_invoices(account_id: UUID | None, limit: int) -> AnySelect:
    lines_total = sum_of(InvoiceLine.total_cents)
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
    difference = total - Invoice.amount_cents
    statement = (
        with_lines_total(total, difference)
        .outerjoin(sums, on)
        .where(total != Invoice.amount_cents)
        .order_by(func.abs(difference).desc(), Invoice.id)
        .limit(limit)
    )
    rolled = rolled_up.mismatched_invoices_statement(limit) if account_id is None else None
    return question(
        _of_account(statement, account_id),
        rolled,
        lambda invoice: (func.abs(invoice.difference_cents).desc(), invoice.id),
    )


def _of_account(statement: Select[*Columns], account_id: UUID | None) -> Select[*Columns]:
    return statement if account_id is None else statement.where(Invoice.account_id == account_id)
