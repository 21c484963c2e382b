"""The portfolio questions over totals and the changes that are not folded, and the choice.

A question is one statement with two branches, the invoices themselves and the roll-up, of which the
server runs one. It decides on the statement's own snapshot (a one-time filter), so that an answer
is exact to the last commit, whatever happens to the roll-up meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Numeric,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    not_,
    select,
    text,
    true,
    union_all,
)

from invoicing.models import (
    INVOICE_ACCOUNT_TOTAL,
    INVOICE_DAY_TOTAL,
    INVOICE_DELTA,
    INVOICE_DIFFERENCE,
    INVOICE_LINE_DELTA,
    Account,
    Invoice,
    InvoiceStatus,
)
from invoicing.rollup import is_usable
from invoicing.schemas.portfolio import Source
from invoicing.services.figures import bucket_of, summed, with_lines_total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Row, Select, Subquery
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

    from invoicing.db.session import AsyncSession

    AnySelect: TypeAlias = Select[*tuple[Any, ...]]

BILLED = (InvoiceStatus.OPEN, InvoiceStatus.PAID)
_DELTA = INVOICE_DELTA.c
_SIGNED = _DELTA.sign * cast(_DELTA.cents, Numeric)


def question(
    plain: AnySelect,
    rolled: AnySelect | None,
    order: Callable[[Any], Sequence[ColumnElement[Any]]],
) -> AnySelect:
    """Return the statement that answers from whichever branch may.

    Args:
        plain: over the invoices.
        rolled: the same columns over the roll-up; None if it cannot answer the question.
        order: what to order by, of the answer's columns.
    """
    if rolled is None:
        answer = plain.subquery("answer")
        return select(answer).order_by(*order(answer.c))
    chosen = select(is_usable().label("is_rolled_up")).cte("chosen")
    rolls = select(chosen.c.is_rolled_up).scalar_subquery()
    # OFFSET keeps the condition above its branch, so that not even its parallel workers start.
    there = select(true().label("is_there"))
    branches = [branch.offset(literal_column("0")).subquery() for branch in (plain, rolled)]
    answer = union_all(
        there.add_columns(branches[0]).where(not_(rolls)),
        there.add_columns(branches[1]).where(rolls),
    ).subquery("answer")
    both = select(answer, chosen.c.is_rolled_up).select_from(chosen.outerjoin(answer, true()))
    return both.order_by(*order(answer.c))


async def rows_of(session: AsyncSession, statement: AnySelect) -> tuple[list[Row[Any]], Source]:
    """Return the rows of a question, and what they were read from; one statement."""
    rows = list(await summed(session, statement))
    if "is_rolled_up" not in statement.selected_columns:
        return rows, Source.INVOICES
    # Of no rows at all one comes, of NULLs, that says which branch it was.
    source = Source.ROLL_UP if rows[0].is_rolled_up else Source.INVOICES
    return [row for row in rows if row.is_there], source


def monthly_totals_statement(since: date | None, until: date | None) -> AnySelect:
    """Select what `monthly_totals` needs, by month and currency."""
    totals = _day_totals()
    month = cast(func.date_trunc("month", cast(totals.day, DateTime)), Date).label("month")
    statement = (
        select(
            month,
            totals.currency,
            _count(totals.invoices).label("invoices"),
            _cents(totals.cents).label("billed_cents"),
            _cents(totals.cents, totals.status == InvoiceStatus.PAID).label("paid_cents"),
            _cents(totals.cents, totals.status == InvoiceStatus.OPEN).label("open_cents"),
        )
        .where(totals.status.in_(BILLED))
        .group_by(month, totals.currency)
        .having(func.sum(totals.invoices) > 0)
    )
    if since is not None:
        statement = statement.where(totals.day >= since)
    if until is not None:
        statement = statement.where(totals.day < until)
    return statement


def status_breakdown_statement() -> AnySelect:
    """Select what `status_breakdown` needs, by currency and status."""
    totals = _day_totals()
    return (
        select(
            totals.currency,
            totals.status,
            _count(totals.invoices).label("invoices"),
            _cents(totals.cents).label("amount_cents"),
        )
        .group_by(totals.currency, totals.status)
        .having(func.sum(totals.invoices) > 0)
    )


def ageing_statement(day: date) -> AnySelect:
    """Select what `ageing` needs, by currency and bucket."""
    totals = _day_totals()
    bucket = bucket_of(day, totals.day)
    return (
        select(
            totals.currency,
            bucket,
            _count(totals.invoices).label("invoices"),
            _cents(totals.cents).label("amount_cents"),
        )
        .where(totals.status == InvoiceStatus.OPEN, totals.day <= day)
        .group_by(totals.currency, bucket)
        .having(func.sum(totals.invoices) > 0)
    )


def top_accounts_statement(limit: int) -> AnySelect:
    """Select the largest accounts of each currency, and which rank each has."""
    currencies = "SELECT currency FROM invoice_day_total UNION SELECT currency FROM invoice_delta"
    largest = _largest_accounts(currencies, limit)
    rank = func.row_number().over(
        partition_by=largest.c.currency,
        order_by=(largest.c.billed_cents.desc(), largest.c.account_id),
    )
    return select(
        largest.c.currency,
        rank.label("rank"),
        largest.c.account_id,
        largest.c.invoices,
        largest.c.billed_cents,
        largest.c.open_cents,
        Account.name,
    ).join(Account, Account.id == largest.c.account_id)


def first_account_statement() -> AnySelect:
    """Select the account billed most in the currency that most invoices are billed in."""
    most_used = """
        SELECT currency FROM (
            SELECT currency, invoices FROM invoice_day_total WHERE status IN ('open', 'paid')
            UNION ALL SELECT currency, sign FROM invoice_delta WHERE status IN ('open', 'paid')
        ) AS billed
        GROUP BY currency HAVING sum(invoices) > 0 ORDER BY sum(invoices) DESC, currency LIMIT 1
    """
    return select(_largest_accounts(most_used, 1).c.account_id)


def mismatched_invoices_statement(limit: int) -> AnySelect:
    """Select the invoices of the largest differences; the caller orders and limits them."""
    part = union_all(
        select(_DELTA.invoice_id, (-_SIGNED).label("cents")),
        select(INVOICE_LINE_DELTA),
    ).subquery()
    changed = (
        select(part.c.invoice_id, func.sum(part.c.cents).label("cents"))
        .group_by(part.c.invoice_id)
        .cte("changed_difference")
    )
    folded = INVOICE_DIFFERENCE.c
    # The order of an index: as many as are wanted are read, however many there are.
    unchanged = (
        select(folded.invoice_id, folded.cents)
        .join(Invoice, Invoice.id == folded.invoice_id)
        .where(folded.invoice_id.not_in(select(changed.c.invoice_id)))
        .order_by(func.abs(folded.cents).desc(), folded.invoice_id)
        .limit(limit)
        .subquery()
    )
    now = changed.c.cents + func.coalesce(folded.cents, 0)
    since = (
        select(changed.c.invoice_id, now.label("cents"))
        .select_from(
            changed.outerjoin(INVOICE_DIFFERENCE, folded.invoice_id == changed.c.invoice_id)
        )
        .where(now != 0)
    )
    difference = union_all(select(unchanged), since).subquery("difference").c
    # Both fit, or the same question over the invoices fails alike.
    cents = cast(difference.cents, BigInteger)
    return (
        with_lines_total(cast(Invoice.amount_cents + difference.cents, BigInteger), cents)
        .join(difference.invoice_id.table, difference.invoice_id == Invoice.id)
        .order_by(func.abs(difference.cents).desc(), Invoice.id)
        .limit(limit)
    )


def _day_totals() -> ReadOnlyColumnCollection[str, Any]:
    """Return the columns of all days' totals, and of the changes as totals of one invoice each."""
    return (
        union_all(
            select(INVOICE_DAY_TOTAL),
            select(
                _DELTA.currency,
                _DELTA.status,
                _DELTA.day,
                _DELTA.is_issued,
                cast(_DELTA.sign, BigInteger).label("invoices"),
                _SIGNED.label("cents"),
            ),
        )
        .subquery("total")
        .c
    )


# Accounts without a change come in the order of an index, so that only so many are read. NOT IN,
# and no NOT EXISTS: the planner hashes it.
_LARGEST = """
    WITH changed AS MATERIALIZED (
        SELECT account_id, currency, sum(sign) AS invoices,
            sum(sign * CAST(cents AS numeric)) AS billed_cents,
            coalesce(sum(sign * CAST(cents AS numeric)) FILTER (WHERE status = 'open'), 0)
                AS open_cents
        FROM invoice_delta WHERE status IN ('open', 'paid') GROUP BY account_id, currency
    ), now_changed AS MATERIALIZED (
        SELECT account_id, currency, changed.invoices + coalesce(total.invoices, 0) AS invoices,
            changed.billed_cents + coalesce(total.billed_cents, 0) AS billed_cents,
            changed.open_cents + coalesce(total.open_cents, 0) AS open_cents
        FROM changed LEFT JOIN invoice_account_total AS total USING (account_id, currency)
    )
    SELECT largest.account_id, largest.currency, CAST(invoices AS bigint) AS invoices,
        CAST(billed_cents AS bigint) AS billed_cents, CAST(open_cents AS bigint) AS open_cents
    FROM ({currencies}) AS used CROSS JOIN LATERAL (
        SELECT * FROM (
            (SELECT * FROM invoice_account_total AS total
            WHERE total.currency = used.currency AND invoices > 0
                AND (account_id, currency) NOT IN (SELECT account_id, currency FROM changed)
            ORDER BY billed_cents DESC, account_id LIMIT :most)
            UNION ALL
            SELECT * FROM now_changed WHERE currency = used.currency AND invoices > 0
        ) AS total ORDER BY billed_cents DESC, account_id LIMIT :most
    ) AS largest
"""


def _largest_accounts(currencies: str, limit: int) -> Subquery:
    """Return the `limit` accounts billed most in each of the currencies that a query selects."""
    own = INVOICE_ACCOUNT_TOTAL.c
    counts = {name: column(name, BigInteger) for name in ("invoices", "billed_cents", "open_cents")}
    statement = text(_LARGEST.format(currencies=currencies)).bindparams(
        bindparam("most", limit, BigInteger, unique=True)
    )
    return statement.columns(own.account_id, own.currency, *counts.values()).subquery("largest")


def _count(invoices: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.sum(invoices), BigInteger)


def _cents(
    cents: ColumnElement[Any], where: ColumnElement[bool] | None = None
) -> ColumnElement[int]:
    total = func.sum(cents) if where is None else func.sum(cents).filter(where)
    return cast(func.coalesce(total, 0), BigInteger)
