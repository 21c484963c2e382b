"""What a reader has narrowed down to: each answer follows the same filter, by one statement.

Every answer is by currency: amounts of different currencies are never added together. Where a
question has a status of its own (what was billed is open or paid), the filter's narrows it further.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVarTuple

from sqlalchemy import Date, func, select, true

from invoicing.models import Account, Invoice, InvoiceLine, InvoiceStatus
from invoicing.schemas.dashboard import InvoiceSummary
from invoicing.schemas.filtered import (
    Headline,
    InvoiceDetail,
    InvoiceFilter,
    InvoiceLineItem,
    MatchedInvoices,
)
from invoicing.schemas.portfolio import AgeBucket, AgeingTotal, MonthlyTotals, StatusTotal
from invoicing.services.errors import InvoiceNotFoundError
from invoicing.services.figures import (
    DATED,
    counted_by_bucket,
    midnight,
    sum_of,
    summed,
    totals_by_month,
)
from invoicing.services.periods import every_month, previous_period
from invoicing.services.rolled_up import BILLED

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement, Select

    from invoicing.db.session import AsyncSession

Columns = TypeVarTuple("Columns")

# An invoice has no due date of its own: this many days after its date it is overdue.
TERMS = timedelta(days=30)
_OPEN = Invoice.status == InvoiceStatus.OPEN


async def list_invoices(
    session: AsyncSession, chosen: InvoiceFilter, *, limit: int = 500
) -> MatchedInvoices:
    """Return the invoices, the one made last first, each with its lines' total, and their number.

    Args:
        session: any session.
        chosen: which; over all accounts this reads every line there is.
        limit: how many invoices at the most; they are all counted.
    """
    total = sum_of(InvoiceLine.total_cents)
    lines = select(total.label("lines_total_cents")).where(InvoiceLine.invoice_id == Invoice.id)
    sums = lines.lateral("lines")
    columns = Invoice.__table__.c
    fields = [sums.c[n] if n in sums.c else columns[n] for n in InvoiceSummary.model_fields]
    statement = (
        select(*fields, func.count().over().label("matched"))
        .join_from(Invoice, sums, true())
        .order_by(Invoice.created_at.desc(), Invoice.id.desc())
        .limit(limit)
    )
    if chosen.mismatched:
        statement = statement.where(sums.c.lines_total_cents != Invoice.amount_cents)
    rows = (await summed(session, _narrowed(statement, chosen))).all()
    invoices = [InvoiceSummary.model_validate(row) for row in rows]
    return MatchedInvoices(invoices=invoices, total=rows[0].matched if rows else 0)


async def get_invoice(session: AsyncSession, invoice_id: UUID) -> InvoiceDetail:
    """Return an invoice with all of its lines; one round trip.

    Raises:
        InvoiceNotFoundError: no invoice has this id.
    """
    own = [n for n in InvoiceSummary.model_fields if n != "lines_total_cents"]
    statement = (
        select(
            *(Invoice.__table__.c[name] for name in own),
            Invoice.account_id,
            Account.name.label("account_name"),
            InvoiceLine.id.label("line_id"),
            InvoiceLine.description,
            InvoiceLine.total_cents,
        )
        .join(Account, Account.id == Invoice.account_id)
        .outerjoin(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .where(Invoice.id == invoice_id)
        .order_by(InvoiceLine.created_at, InvoiceLine.id)
    )
    rows = (await summed(session, statement)).all()
    if not rows:
        raise InvoiceNotFoundError(invoice_id)
    lines = [
        InvoiceLineItem(
            description=row.description, total_cents=row.total_cents, currency=row.currency
        )
        for row in rows
        if row.line_id is not None
    ]
    return InvoiceDetail(
        **{name: getattr(rows[0], name) for name in [*own, "account_id", "account_name"]},
        lines=lines,
        lines_total_cents=sum(line.total_cents for line in lines),
    )


async def headline(session: AsyncSession, chosen: InvoiceFilter) -> list[Headline]:
    """Return the figures of each currency, beside those of the period before; see `Headline`.

    Of the filter only account, currency and dates narrow them: what is billed, paid and open are
    shares of one whole, whatever status is looked at.
    """
    until = chosen.until or datetime.now(UTC).date() + timedelta(days=1)
    since = chosen.since
    periods: dict[str, tuple[date | None, date]] = {"": (since, until)}
    if since is not None:
        periods["previous_"] = previous_period(since, until)
    begin = min((begin for begin, _ in periods.values() if begin is not None), default=None)
    whole = InvoiceFilter(
        account_id=chosen.account_id, currency=chosen.currency, since=begin, until=until
    )
    statement = select(Invoice.currency, *_figures(periods)).where(Invoice.status.in_(BILLED))
    rows = await summed(
        session, _narrowed(statement.group_by(Invoice.currency), whole).order_by(Invoice.currency)
    )
    days = {
        f"{name}days": (end - first).days if first is not None else None
        for name, (first, end) in periods.items()
    }
    missing = dict.fromkeys(n for n in Headline.model_fields if n.startswith("previous_"))
    return [Headline.model_validate({**missing, **days, **row}) for row in rows.mappings()]


async def months_of(session: AsyncSession, chosen: InvoiceFilter) -> list[MonthlyTotals]:
    """Return what was billed by month and currency, every month of the filter's range, and paid."""
    statement = totals_by_month(DATED).where(Invoice.status.in_(BILLED))
    statement = statement.order_by(statement.selected_columns.month, Invoice.currency)
    rows = await summed(session, _narrowed(statement, chosen))
    found = [MonthlyTotals.model_validate(row) for row in rows]
    return every_month(found, chosen.since, chosen.until)


async def statuses_of(session: AsyncSession, chosen: InvoiceFilter) -> list[StatusTotal]:
    """Return how many of the invoices stand in each status, and their amounts, by currency."""
    statement = (
        select(
            Invoice.currency,
            Invoice.status,
            func.count().label("invoices"),
            sum_of(Invoice.amount_cents).label("amount_cents"),
        )
        .group_by(Invoice.currency, Invoice.status)
        .order_by(Invoice.currency, Invoice.status)
    )
    rows = await summed(session, _narrowed(statement, chosen))
    return [StatusTotal.model_validate(row) for row in rows]


async def ageing_of(session: AsyncSession, chosen: InvoiceFilter) -> list[AgeingTotal]:
    """Return the open ones by days since their date, counted to the last day of the filter."""
    until = chosen.until or datetime.now(UTC).date() + timedelta(days=1)
    day = until - timedelta(days=1)
    statement = counted_by_bucket(day, func.timezone("UTC", DATED).cast(Date), _OPEN)
    narrowed = _narrowed(statement, chosen.model_copy(update={"until": until}))
    totals = {(row.currency, row.bucket): row for row in await summed(session, narrowed)}
    return [
        AgeingTotal(
            currency=currency,
            bucket=age_bucket,
            invoices=row.invoices if row else 0,
            amount_cents=row.amount_cents if row else 0,
        )
        for currency in sorted({currency for currency, _ in totals})
        for age_bucket in AgeBucket
        for row in [totals.get((currency, age_bucket.value))]
    ]


async def currencies_of(session: AsyncSession, account_id: UUID) -> list[str]:
    """Return the currencies that an account's invoices are in."""
    statement = select(Invoice.currency).where(Invoice.account_id == account_id).distinct()
    return list(await session.scalars(statement.order_by(Invoice.currency)))


def _narrowed(statement: Select[*Columns], chosen: InvoiceFilter) -> Select[*Columns]:
    conditions = {
        "account_id": Invoice.account_id == chosen.account_id,
        "currency": Invoice.currency == chosen.currency,
        "status": Invoice.status == chosen.status,
    }
    for name, condition in conditions.items():
        if getattr(chosen, name) is not None:
            statement = statement.where(condition)
    return statement.where(*_within(chosen.since, chosen.until))


def _within(since: date | None, until: date | None) -> list[ColumnElement[bool]]:
    conditions = []
    if since is not None:
        conditions.append(midnight(since) <= DATED)
    if until is not None:
        conditions.append(midnight(until) > DATED)
    return conditions


def _figures(periods: dict[str, tuple[date | None, date]]) -> list[ColumnElement[Any]]:
    """Return the sums of each period, each under its name and the period's prefix."""
    figures: list[ColumnElement[Any]] = []
    for prefix, (since, until) in periods.items():
        within = _within(since, until)
        wanted: dict[str, list[ColumnElement[bool]]] = {
            "billed": [],
            "paid": [Invoice.status == InvoiceStatus.PAID],
            "open": [_OPEN],
            "overdue": [_OPEN, midnight(until - timedelta(days=1) - TERMS) > DATED],
        }
        for name, conditions in wanted.items():
            summed = sum_of(Invoice.amount_cents, *within, *conditions)
            figures.append(summed.label(f"{prefix}{name}_cents"))
    return figures
