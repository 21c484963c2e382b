"""The account dashboard: right, whatever the data, and one round trip."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, create_model
from sqlalchemy import text

from invoicing.db import Database
from invoicing.models import InvoiceStatus
from invoicing.schemas.dashboard import AccountDashboard, InvoiceSummary
from invoicing.services import dashboard as dashboards
from invoicing.services import (
    get_account_dashboard,
    get_account_dashboards,
    get_account_with_invoices,
)
from invoicing.services.errors import AccountNotFoundError
from invoicing.settings import Settings
from tests.factories import CREATED_AT, create_account, create_invoice
from tests.wire import counted_wire, recorded_statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.models import Account, Invoice


async def save(database: Database, *accounts: Account) -> None:
    async with database.transaction() as session:
        session.add_all(accounts)


def expected_dashboard(account: Account) -> AccountDashboard:
    """Compute a dashboard in plain Python from the objects that were saved."""
    newest_first = sorted(account.invoices, key=lambda i: (i.created_at, i.id), reverse=True)
    return AccountDashboard(
        **{name: getattr(account, name) for name in dashboards.ACCOUNT_FIELDS},
        invoices=[expected_summary(invoice) for invoice in newest_first[:10]],
    )


def expected_summary(invoice: Invoice) -> InvoiceSummary:
    computed = {"lines_total_cents": sum(line.total_cents for line in invoice.lines)}
    own = InvoiceSummary.model_fields.keys() - computed
    return InvoiceSummary(**{name: getattr(invoice, name) for name in own}, **computed)


async def test_ten_of_twelve_invoices_newest_first(database: Database) -> None:
    account = create_account()
    invoices = [
        create_invoice(account, created_at=CREATED_AT + timedelta(days=n), line_cents=[n, 100])
        for n in range(12)
    ]
    await save(database, account)
    async with database.read_only() as session:
        dashboard = await get_account_dashboard(session, account.id)
    assert (dashboard.id, dashboard.name, dashboard.plan) == (account.id, "Aurora Optics", "team")
    assert [invoice.id for invoice in dashboard.invoices] == [i.id for i in invoices[:1:-1]]
    assert [i.lines_total_cents for i in dashboard.invoices] == [n + 100 for n in range(11, 1, -1)]


async def test_ties_are_broken_by_id_downwards(database: Database) -> None:
    account = create_account()
    ids = [UUID(int=n) for n in (3, 12, 7, 1, 9, 4, 11, 2, 10, 6, 5, 8)]
    for id_ in ids:
        create_invoice(account, id=id_)
    await save(database, account)
    async with database.read_only() as session:
        dashboard = await get_account_dashboard(session, account.id)
    assert [invoice.id.int for invoice in dashboard.invoices] == list(range(12, 2, -1))


async def test_only_the_lines_of_the_invoice_itself_are_summed(database: Database) -> None:
    ours, theirs = create_account(), create_account()
    create_invoice(ours, line_cents=[1, 20, -300], amount_cents=5)
    create_invoice(theirs, line_cents=[9_999])
    await save(database, ours, theirs)
    async with database.read_only() as session:
        (invoice,) = (await get_account_dashboard(session, ours.id)).invoices
    assert (invoice.amount_cents, invoice.lines_total_cents) == (5, -279)


async def test_an_account_without_invoices_has_an_empty_list(database: Database) -> None:
    account = create_account()
    await save(database, account)
    async with database.read_only() as session:
        assert (await get_account_dashboard(session, account.id)).invoices == []


async def test_an_invoice_without_lines_totals_zero(database: Database) -> None:
    account = create_account()
    create_invoice(account, line_cents=[], amount_cents=77)
    await save(database, account)
    async with database.read_only() as session:
        (invoice,) = (await get_account_dashboard(session, account.id)).invoices
    assert (invoice.amount_cents, invoice.lines_total_cents) == (77, 0)


async def test_a_draft_has_no_date_of_issue(database: Database) -> None:
    account = create_account()
    create_invoice(account, status=InvoiceStatus.DRAFT, issued_at=None)
    await save(database, account)
    async with database.read_only() as session:
        (invoice,) = (await get_account_dashboard(session, account.id)).invoices
    assert (invoice.status, invoice.issued_at) == (InvoiceStatus.DRAFT, None)


async def test_sums_beyond_32_bits_are_exact(database: Database) -> None:
    account = create_account()
    create_invoice(account, line_cents=[2**53, 2**53, 1])
    await save(database, account)
    async with database.read_only() as session:
        (invoice,) = (await get_account_dashboard(session, account.id)).invoices
    assert invoice.lines_total_cents == 2**54 + 1


async def test_an_unknown_account_is_named(database: Database) -> None:
    unknown = uuid4()
    async with database.read_only() as session:
        with pytest.raises(AccountNotFoundError, match=str(unknown)) as caught:
            await get_account_dashboard(session, unknown)
    assert caught.value.account_ids == (unknown,)


async def test_many_dashboards_come_in_the_order_asked(database: Database) -> None:
    accounts = [create_account(name=f"Account {n}") for n in range(5)]
    for n, account in enumerate(accounts):
        for _ in range(n):
            create_invoice(account, line_cents=[n])
    await save(database, *accounts)
    asked = [accounts[n] for n in (3, 0, 4, 3)]
    async with database.read_only() as session:
        dashboards = await get_account_dashboards(session, [account.id for account in asked])
    assert dashboards == [expected_dashboard(account) for account in asked]


async def test_no_accounts_asked_is_no_dashboards(database: Database) -> None:
    async with database.read_only() as session:
        assert await get_account_dashboards(session, []) == []


async def test_many_dashboards_name_every_unknown_account_once(database: Database) -> None:
    account, first, second = create_account(), uuid4(), uuid4()
    await save(database, account)
    async with database.read_only() as session:
        with pytest.raises(AccountNotFoundError) as caught:
            await get_account_dashboards(session, [first, account.id, second, first])
    assert caught.value.account_ids == (first, second)


async def test_the_loaded_graph_gives_the_same_dashboard(database: Database) -> None:
    account = create_account()
    for n in range(13):
        create_invoice(account, created_at=CREATED_AT + timedelta(hours=n % 4), line_cents=[n] * n)
    await save(database, account)
    async with database.read_only() as session:
        loaded = await get_account_with_invoices(session, account.id)
        dashboard = await get_account_dashboard(session, account.id)
    assert expected_dashboard(loaded) == dashboard


async def test_the_loaded_graph_of_an_unknown_account_is_an_error(database: Database) -> None:
    async with database.read_only() as session:
        with pytest.raises(AccountNotFoundError):
            await get_account_with_invoices(session, uuid4())


FIELDS = {name: (field.annotation, ...) for name, field in InvoiceSummary.model_fields.items()}
MORE = {"created_at": (datetime, ...), "account_id": (UUID, ...)}
ORDERS = {
    "at the end": FIELDS | MORE,
    "at the beginning": MORE | FIELDS,
    "the other way round": dict(reversed((FIELDS | MORE).items())),
}


@pytest.mark.parametrize("fields", ORDERS.values(), ids=list(ORDERS))
async def test_a_field_that_an_invoice_has_is_added_in_the_schema_alone(
    fields: dict[str, Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = create_account()
    invoice = create_invoice(account, line_cents=[3, 4])
    await save(database, account)
    summary = create_model("Summary", __base__=BaseModel, **fields)
    schema = create_model("Dashboard", __base__=BaseModel, invoices=(list[summary], ...))
    monkeypatch.setattr(dashboards, "AccountDashboard", schema)
    monkeypatch.setattr(dashboards, "INVOICE_FIELDS", tuple(summary.model_fields))
    monkeypatch.setattr(dashboards, "_ONE", dashboards.account_dashboard_statement())
    monkeypatch.setattr(dashboards, "_MANY", dashboards.account_dashboards_statement())
    async with database.read_only() as session:
        alone = await get_account_dashboard(session, account.id)
        assert await get_account_dashboards(session, [account.id]) == [alone]
    (shown,) = alone.model_dump()["invoices"]
    expected = expected_summary(invoice).model_dump()
    assert shown == expected | {name: getattr(invoice, name) for name in MORE}


CALLS: dict[str, tuple[Callable, int]] = {
    "one dashboard": (lambda session, ids: get_account_dashboard(session, ids[0]), 1),
    "many dashboards": (get_account_dashboards, 1),
    "the loaded graph": (lambda session, ids: get_account_with_invoices(session, ids[0]), 3),
}


@pytest.mark.parametrize(("call", "budget"), CALLS.values(), ids=list(CALLS))
async def test_statements_and_round_trips_stay_in_budget(
    call: Callable, budget: int, database: Database
) -> None:
    accounts = [create_account() for _ in range(3)]
    for account in accounts:
        for _ in range(12):
            create_invoice(account)
    await save(database, *accounts)
    ids = [account.id for account in accounts]
    async with counted_wire(database.url) as wire, Database(wire.url, Settings()) as through:
        # The first call of a connection also prepares the statement; this is about all the others.
        async with through.read_only() as session:
            await call(session, ids)
        wire.reset()
        statements = recorded_statements(through.read_only_engine)
        async with through.read_only() as session:
            await call(session, ids)
        assert len(statements) == budget, "\n".join(statements)
        assert wire.round_trips == budget, "\n".join(wire.messages)


async def test_a_transaction_would_have_cost_two_more_round_trips(database: Database) -> None:
    account = create_account()
    await save(database, account)
    async with counted_wire(database.url) as wire, Database(wire.url, Settings()) as through:
        for _ in range(2):
            wire.reset()
            async with through.transaction() as session:
                await get_account_dashboard(session, account.id)
        assert wire.round_trips == 3, "\n".join(wire.messages)  # BEGIN, the statement, COMMIT


@st.composite
def portfolios(draw: st.DrawFn) -> list[Account]:
    cents = st.integers(min_value=-(10**12), max_value=10**12)
    accounts = []
    for n in range(draw(st.integers(1, 4))):
        account = create_account(id=uuid4(), name=f"Account {n}")
        for _ in range(draw(st.integers(0, 14))):
            create_invoice(
                account,
                id=uuid4(),
                # Few different moments, so that ties are common.
                created_at=CREATED_AT + timedelta(days=draw(st.integers(0, 4))),
                amount_cents=draw(cents),
                currency=draw(st.sampled_from(["EUR", "USD", "JPY"])),
                status=draw(st.sampled_from(InvoiceStatus)),
                issued_at=draw(st.none() | st.just(CREATED_AT)),
                line_cents=draw(st.lists(cents, max_size=4)),
            )
        accounts.append(account)
    return accounts


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(accounts=portfolios())
async def test_dashboards_equal_a_plain_python_computation(
    database: Database, accounts: list[Account]
) -> None:
    # Saving empties nothing: what is expected is computed from the objects before they are sent.
    expected = [expected_dashboard(account) for account in accounts]
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE account CASCADE"))
        session.add_all(accounts)
    async with database.read_only() as session:
        ids = [account.id for account in accounts]
        assert await get_account_dashboards(session, ids) == expected
        assert [await get_account_dashboard(session, id_) for id_ in ids] == expected
