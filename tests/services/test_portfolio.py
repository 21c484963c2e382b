"""The portfolio questions: right against a plain Python computation, one statement each."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from invoicing.models import InvoiceStatus
from invoicing.rollup import build_rollup, check_rollup
from invoicing.schemas.filtered import InvoiceFilter
from invoicing.schemas.moments import DateOutOfRangeError
from invoicing.schemas.portfolio import AgeBucket
from invoicing.services import (
    ageing,
    ageing_of,
    count_accounts,
    get_account_dashboard,
    get_invoice,
    headline,
    list_accounts,
    list_invoices,
    mismatched_invoices,
    monthly_totals,
    months_of,
    status_breakdown,
    statuses_of,
    top_accounts,
)
from invoicing.services.errors import SumTooLargeError
from tests.factories import create_account, create_invoice
from tests.wire import recorded_statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.db import Database
    from invoicing.models import Account, Invoice

AS_OF = date(2026, 6, 30)
BILLED = {InvoiceStatus.OPEN, InvoiceStatus.PAID}


async def replace_all(database: Database, accounts: list[Account]) -> None:
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE account CASCADE"))
        session.add_all(accounts)


def all_invoices(accounts: list[Account]) -> list[Invoice]:
    return [invoice for account in accounts for invoice in account.invoices]


def dated(invoice: Invoice) -> datetime:
    return invoice.issued_at or invoice.created_at


@st.composite
def portfolios(draw: st.DrawFn) -> list[Account]:
    cents = st.integers(0, 10**9)
    accounts = []
    for n in range(draw(st.integers(1, 3))):
        account = create_account(id=uuid4(), name=f"Account {n}")
        for _ in range(draw(st.integers(0, 8))):
            days = draw(st.integers(-2, 200))
            issued = datetime(2026, 6, 30, draw(st.integers(0, 23)), 59, tzinfo=UTC)
            lines = draw(st.lists(cents, max_size=2))
            create_invoice(
                account,
                id=uuid4(),
                issued_at=draw(st.none() | st.just(issued - timedelta(days=days))),
                created_at=issued - timedelta(days=days + draw(st.integers(0, 40))),
                currency=draw(st.sampled_from(["EUR", "JPY"])),
                status=draw(st.sampled_from(InvoiceStatus)),
                line_cents=lines,
                amount_cents=draw(st.just(sum(lines)) | cents),
            )
        accounts.append(account)
    return accounts


def property_test(test: Callable) -> Callable:
    return settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )(given(accounts=portfolios())(test))


@property_test
async def test_monthly_totals_equal_a_plain_computation(
    database: Database, accounts: list[Account]
) -> None:
    expected: dict = defaultdict(lambda: [0, 0, 0, 0])
    for invoice in all_invoices(accounts):
        if invoice.status in BILLED:
            total = expected[dated(invoice).date().replace(day=1), invoice.currency]
            total[0] += 1
            total[1] += invoice.amount_cents
            total[2 if invoice.status is InvoiceStatus.PAID else 3] += invoice.amount_cents
    await replace_all(database, accounts)
    async with database.read_only() as session:
        rows = await monthly_totals(session)
    assert {
        (r.month, r.currency): [r.invoices, r.billed_cents, r.paid_cents, r.open_cents]
        for r in rows
    } == expected
    assert [(r.month, r.currency) for r in rows] == sorted(expected)


@property_test
async def test_the_status_breakdown_equals_a_plain_computation(
    database: Database, accounts: list[Account]
) -> None:
    expected: dict = defaultdict(lambda: [0, 0])
    for invoice in all_invoices(accounts):
        total = expected[invoice.currency, invoice.status]
        total[0] += 1
        total[1] += invoice.amount_cents
    await replace_all(database, accounts)
    async with database.read_only() as session:
        rows = await status_breakdown(session)
    assert {(r.currency, r.status): [r.invoices, r.amount_cents] for r in rows} == expected


@property_test
async def test_ageing_equals_a_plain_computation(
    database: Database, accounts: list[Account]
) -> None:
    expected: dict = {}
    for invoice in all_invoices(accounts):
        age = (AS_OF - dated(invoice).date()).days
        if invoice.status is InvoiceStatus.OPEN and age >= 0:
            for bucket in AgeBucket:
                expected.setdefault((invoice.currency, bucket), [0, 0])
            bucket = list(AgeBucket)[(age > 30) + (age > 60) + (age > 90)]
            expected[invoice.currency, bucket][0] += 1
            expected[invoice.currency, bucket][1] += invoice.amount_cents
    await replace_all(database, accounts)
    async with database.read_only() as session:
        rows = await ageing(session, as_of=AS_OF)
    assert {(r.currency, r.bucket): [r.invoices, r.amount_cents] for r in rows} == expected


@property_test
async def test_top_accounts_equal_a_plain_computation(
    database: Database, accounts: list[Account]
) -> None:
    billed: dict = defaultdict(lambda: defaultdict(int))
    for invoice in all_invoices(accounts):
        if invoice.status in BILLED:
            billed[invoice.currency][invoice.account.id] += invoice.amount_cents
    expected = [
        (currency, rank, id_, cents)
        for currency, totals in sorted(billed.items())
        for rank, (id_, cents) in enumerate(
            sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:2], start=1
        )
    ]
    await replace_all(database, accounts)
    async with database.read_only() as session:
        rows = await top_accounts(session, limit=2)
    assert [(r.currency, r.rank, r.account_id, r.billed_cents) for r in rows] == expected


@pytest.mark.parametrize("of_one_account", [True, False])
@property_test
async def test_mismatched_invoices_equal_a_plain_computation(
    database: Database, of_one_account: bool, accounts: list[Account]
) -> None:
    wanted = accounts[:1] if of_one_account else accounts
    expected = {
        invoice.id: sum(line.total_cents for line in invoice.lines) - invoice.amount_cents
        for invoice in all_invoices(wanted)
    }
    await replace_all(database, accounts)
    account_id = accounts[0].id if of_one_account else None
    async with database.read_only() as session:
        rows = await mismatched_invoices(session, account_id=account_id)
    differences = [row.difference_cents for row in rows]
    assert {row.id: row.difference_cents for row in rows} == {
        id_: cents for id_, cents in expected.items() if cents
    }
    assert differences == sorted(differences, key=abs, reverse=True)


async def test_months_are_those_of_utc_whatever_the_sessions_time_zone(database: Database) -> None:
    account = create_account()
    create_invoice(account, issued_at=datetime(2026, 1, 31, 23, 30, tzinfo=UTC))
    await replace_all(database, [account])
    async with database.read_only() as session:
        await session.execute(text("SET TimeZone = 'Pacific/Kiritimati'"))  # UTC+14
        (total,) = await monthly_totals(session)
        (young, *_) = await ageing(session, as_of=date(2026, 3, 2))
    assert total.month == date(2026, 1, 1)
    assert (young.bucket, young.invoices) == (AgeBucket.DAYS_0_30, 1)


async def test_months_can_be_bounded(database: Database) -> None:
    account = create_account()
    for month in (1, 2, 3, 4):
        create_invoice(account, issued_at=datetime(2026, month, 1, tzinfo=UTC))
    await replace_all(database, [account])
    async with database.read_only() as session:
        rows = await monthly_totals(session, since=date(2026, 2, 1), until=date(2026, 4, 1))
    assert [row.month.month for row in rows] == [2, 3]


async def test_accounts_are_found_by_literal_text_in_any_case(database: Database) -> None:
    names = ["Alpha 100%", "alpha 1000", "Beta_x", "Betamax"]
    await replace_all(database, [create_account(name=name) for name in names])
    async with database.read_only() as session:
        for search, found in [
            ("ALPHA", ["Alpha 100%", "alpha 1000"]),
            ("100%", ["Alpha 100%"]),
            ("a_x", ["Beta_x"]),
            (None, sorted(names)),
            ("'; drop table account; --", []),
        ]:
            rows = await list_accounts(session, search=search)
            assert sorted(row.name for row in rows) == sorted(found)
            assert await count_accounts(session, search=search) == len(found)
        assert len(await list_accounts(session, limit=3)) == 3


QUESTIONS = {
    "monthly_totals": monthly_totals,
    "status_breakdown": status_breakdown,
    "ageing": ageing,
    "top_accounts": top_accounts,
    "mismatched_invoices": mismatched_invoices,
    "list_accounts": list_accounts,
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=list(QUESTIONS))
async def test_each_question_is_one_statement(database: Database, question: Callable) -> None:
    account = create_account()
    for _ in range(3):
        create_invoice(account, line_cents=[1], amount_cents=2)
    await replace_all(database, [account])
    statements = recorded_statements(database.read_only_engine)
    async with database.read_only() as session:
        assert await question(session)
    assert len(statements) == 1, "\n".join(statements)


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "12026-03-01", "0044-03-15 BC"])
@pytest.mark.broad
@pytest.mark.parametrize("column", ["created_at", "issued_at"])
async def test_a_date_that_python_cannot_hold_is_never_another_one(
    database: Database, moment: str, column: str
) -> None:
    """Where it is shown it is an error; where it is only counted, over the roll-up too, it is."""
    account = create_account()
    invoice = create_invoice(account, amount_cents=13_00, line_cents=[12_00])
    await replace_all(database, [account])
    async with database.transaction() as session:
        change = f"created_at = '{moment}', issued_at = NULL"
        if column == "issued_at":
            change = f"issued_at = '{moment}'"
        await session.execute(text(f"UPDATE invoice SET {change}"))
    chosen = InvoiceFilter(account_id=account.id)
    old = moment.endswith("BC") or moment.startswith("-")
    bucket = {AgeBucket.DAYS_OVER_90} if old else set()
    shown = [
        lambda session: get_account_dashboard(session, account.id),
        lambda session: list_invoices(session, chosen),
        lambda session: get_invoice(session, invoice.id),
        lambda session: months_of(session, chosen),
        mismatched_invoices,
        monthly_totals,
    ]
    for build in (None, build_rollup):
        if build is not None:
            await build(database)
        for question in shown if column == "issued_at" else [*shown[:4], shown[-1]]:
            async with database.read_only() as session:
                with pytest.raises(DateOutOfRangeError, match=r"psql .*issued_at"):
                    await question(session)
        async with database.read_only() as session:
            for question in (ageing(session), ageing_of(session, chosen)):
                assert {total.bucket for total in await question if total.invoices} == bucket
            assert (await status_breakdown(session))[0].invoices == 1
            assert await top_accounts(session)


async def test_a_sum_that_no_total_can_hold_is_an_error_that_says_so(database: Database) -> None:
    """Over the invoices, over the roll-up, and over one account."""
    account = create_account()
    for _ in range(2):
        create_invoice(account, amount_cents=2**63 - 1, line_cents=[2**63 - 1, 1])
    await replace_all(database, [account])
    sums = [monthly_totals, status_breakdown, ageing, top_accounts]
    for build in (None, build_rollup):
        if build is not None:
            await build(database)
            assert not (await check_rollup(database)).different
        async with database.read_only() as session:
            for question in (*sums, mismatched_invoices):
                with pytest.raises(SumTooLargeError, match=r"BIGINT.*amount_cents"):
                    await question(session)
            chosen = InvoiceFilter(account_id=account.id)
            for question in (list_invoices, headline, months_of, statuses_of, ageing_of):
                with pytest.raises(SumTooLargeError):
                    await question(session, chosen)
            with pytest.raises(SumTooLargeError):
                await get_account_dashboard(session, account.id)
