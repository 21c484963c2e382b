"""What follows a filter: each answer against plain Python on the same invoices."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from invoicing.models import InvoiceStatus
from invoicing.schemas.portfolio import StatusTotal, TopAccount
from invoicing.services import (
    InvoiceFilter,
    MonthlyTotals,
    ageing_of,
    compare_periods,
    concentration,
    currencies_of,
    every_month,
    get_invoice,
    headline,
    list_invoices,
    months_of,
    previous_period,
    statuses_of,
)
from invoicing.services.errors import InvoiceNotFoundError
from tests.conftest import newest_server_url
from tests.factories import create_account, create_invoice
from tests.wire import recorded_statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.db import Database
    from invoicing.models import Account, Invoice

server_url = newest_server_url
SINCE, UNTIL = date(2026, 1, 1), date(2026, 7, 1)
BILLED = {InvoiceStatus.OPEN, InvoiceStatus.PAID}


def portfolio(seed: int) -> list[Account]:
    random = Random(seed)
    accounts = [create_account(id=uuid4(), name=f"Account {n}") for n in range(2)]
    for _ in range(60):
        dated = datetime(2026, 6, 30, 23, 59, tzinfo=UTC) - timedelta(
            days=random.randrange(-3, 400)
        )
        lines = [random.randrange(-500, 10**6) for _ in range(random.randrange(3))]
        create_invoice(
            random.choice(accounts),
            id=uuid4(),
            issued_at=random.choice([dated, dated, dated, None]),
            created_at=dated,
            currency=random.choice(["EUR", "JPY"]),
            status=random.choice(list(InvoiceStatus)),
            line_cents=lines,
            amount_cents=sum(lines) + random.choice([0, 0, 0, 7]),
        )
    return accounts


def is_chosen(invoice: Invoice, chosen: InvoiceFilter) -> bool:
    day = (invoice.issued_at or invoice.created_at).date()
    adds_up = sum(line.total_cents for line in invoice.lines) == invoice.amount_cents
    return (
        invoice.account_id == chosen.account_id
        and chosen.currency in {None, invoice.currency}
        and chosen.status in {None, invoice.status}
        and (chosen.since is None or day >= chosen.since)
        and (chosen.until is None or day < chosen.until)
        and not (chosen.mismatched and adds_up)
    )


def sums(invoices: Iterable[Invoice]) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for invoice in invoices:
        totals[invoice.currency] += invoice.amount_cents
    return totals


@pytest.mark.parametrize(
    "narrowed",
    [
        {},
        {"currency": "EUR", "since": SINCE, "until": UNTIL},
        {"status": InvoiceStatus.OPEN, "until": date(2026, 6, 15)},
        {"mismatched": True, "since": date(2026, 5, 17)},
        {"currency": "CHF"},
    ],
)
async def test_every_answer_follows_the_filter(narrowed: dict, database: Database) -> None:
    accounts = portfolio(len(narrowed))
    async with database.transaction() as session:
        session.add_all(accounts)
    account = accounts[0]
    chosen = InvoiceFilter(account_id=account.id, **narrowed)
    expected = [invoice for invoice in account.invoices if is_chosen(invoice, chosen)]
    expected.sort(key=lambda i: (i.created_at, i.id), reverse=True)
    async with database.read_only() as session:
        listed = await list_invoices(session, chosen, limit=5)
        assert [invoice.id for invoice in listed.invoices] == [i.id for i in expected[:5]]
        assert listed.total == len(expected)
        assert await currencies_of(session, account.id) == sorted(sums(account.invoices))
        if chosen.mismatched:
            return  # of invoices, and not of totals
        statuses = await statuses_of(session, chosen)
        months = await months_of(session, chosen)
        ages = await ageing_of(session, chosen)
    assert sum(row.invoices for row in statuses) == len(expected)
    billed = [invoice for invoice in expected if invoice.status in BILLED]
    assert {
        c: sum(m.billed_cents for m in months if m.currency == c) for c in sums(billed)
    } == sums(billed)
    if chosen.since is not None and chosen.until is not None and billed:
        assert {row.month for row in months} == {date(2026, n, 1) for n in range(1, 7)}
    still_open = [invoice for invoice in expected if invoice.status is InvoiceStatus.OPEN]
    last = (chosen.until or datetime.now(UTC).date() + timedelta(days=1)) - timedelta(days=1)
    old = [i for i in still_open if (last - (i.issued_at or i.created_at).date()).days > 90]
    by_bucket = {row.currency: row.amount_cents for row in ages if row.bucket.value == "90+"}
    assert {currency: cents for currency, cents in by_bucket.items() if cents} == {
        currency: cents for currency, cents in sums(old).items() if cents
    }


async def test_headline_figures_and_those_of_the_period_before(database: Database) -> None:
    accounts = portfolio(11)
    async with database.transaction() as session:
        session.add_all(accounts)
    account = accounts[0]
    chosen = InvoiceFilter(account_id=account.id, since=SINCE, until=UNTIL)
    async with database.read_only() as session:
        statements = recorded_statements(database.read_only_engine)
        rows = await headline(session, chosen)
        assert len(statements) == 1
        (endless, *_) = await headline(session, InvoiceFilter(account_id=account.id))
    assert (endless.previous_billed_cents, endless.days_sales_outstanding) == (None, None)
    for row in rows:
        own = [i for i in account.invoices if i.currency == row.currency and i.status in BILLED]
        for prefix, since, until in (("", SINCE, UNTIL), ("previous_", date(2025, 7, 1), SINCE)):
            dated = [i for i in own if since <= (i.issued_at or i.created_at).date() < until]
            left = [i for i in dated if i.status is InvoiceStatus.OPEN]
            late = [i for i in left if (until - (i.issued_at or i.created_at).date()).days - 1 > 30]
            amounts = [sum(i.amount_cents for i in part) for part in (dated, left, late)]
            names = [f"{prefix}{name}_cents" for name in ("billed", "open", "overdue")]
            assert [getattr(row, name) for name in names] == amounts
            if amounts[0]:
                days = amounts[1] / amounts[0] * (until - since).days
                assert getattr(row, f"{prefix}days_sales_outstanding") == pytest.approx(days)
            if amounts[1]:
                share = amounts[2] / amounts[1]
                assert getattr(row, f"{prefix}overdue_share") == pytest.approx(share)


async def test_an_invoice_with_its_lines_in_one_statement(database: Database) -> None:
    account = create_account(name="Aurora")
    invoice = create_invoice(account, id=uuid4(), line_cents=[5, 7], amount_cents=13)
    empty = create_invoice(account, id=uuid4(), line_cents=[], amount_cents=2)
    async with database.transaction() as session:
        session.add(account)
    async with database.read_only() as session:
        statements = recorded_statements(database.read_only_engine)
        found = await get_invoice(session, invoice.id)
        assert len(statements) == 1
        assert sorted(line.total_cents for line in found.lines) == [5, 7]
        assert (found.account_name, found.difference_cents) == ("Aurora", -1)
        nothing = await get_invoice(session, empty.id)
        assert (nothing.lines, nothing.difference_cents) == ([], -2)
        with pytest.raises(InvoiceNotFoundError):
            await get_invoice(session, uuid4())


def month(number: int, currency: str = "EUR", cents: int = 10) -> MonthlyTotals:
    amounts = {"billed_cents": cents, "paid_cents": cents, "open_cents": 0}
    return MonthlyTotals(month=date(2026, number, 1), currency=currency, invoices=1, **amounts)


def test_months_without_invoices_are_filled_for_each_currency() -> None:
    filled = every_month([month(2), month(5, "JPY")], date(2025, 12, 15), date(2026, 7, 1))
    assert [row.month for row in filled if row.currency == "JPY"] == [
        date(2025, 12, 1), *(date(2026, n, 1) for n in range(1, 7)),
    ]  # fmt: skip
    assert [row.month for row in filled if row.billed_cents] == [date(2026, 2, 1), date(2026, 5, 1)]
    assert len(every_month([month(2), month(5)])) == 4
    assert every_month([], SINCE, UNTIL) == []
    # What was asked for twice, or lies outside, is not lost.
    assert [row.month.month for row in every_month([month(9)], SINCE, date(2026, 2, 1))] == [1, 9]


def test_a_period_before_has_as_many_months_or_days() -> None:
    assert previous_period(date(2026, 1, 1), date(2026, 3, 1)) == (
        date(2025, 11, 1), date(2026, 1, 1),
    )  # fmt: skip
    assert previous_period(date(2026, 3, 10), date(2026, 3, 17)) == (
        date(2026, 3, 3), date(2026, 3, 10),
    )  # fmt: skip


def test_periods_and_concentration_by_currency() -> None:
    totals = [month(1), month(2, cents=30), month(3, cents=60), month(4, "JPY", cents=5)]
    euro, yen = compare_periods(totals, date(2026, 3, 1), months=2)
    assert (euro.billed_cents, euro.previous_billed_cents, euro.change_share) == (60, 40, 0.5)
    assert (yen.billed_cents, yen.change_share) == (5, None)
    top = [
        TopAccount(
            currency="EUR", rank=rank, account_id=uuid4(), name="x", invoices=1,
            billed_cents=cents, open_cents=0,
        )
        for rank, cents in ((1, 50), (2, 30))
    ]  # fmt: skip
    statuses = [
        StatusTotal(currency="EUR", status=status, invoices=1, amount_cents=50)
        for status in InvoiceStatus
    ]
    shares = [(row.accounts, row.share) for row in concentration(top, statuses)]
    assert shares == [(1, 0.5), (2, 0.8)]
