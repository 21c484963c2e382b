"""What the models and the database promise, on the real server."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.orm import configure_mappers

from invoicing.db import Base, TimeStampedMixin
from invoicing.models import Account, Invoice, InvoiceLine, InvoiceStatus
from tests.factories import create_account, create_invoice
from tests.wire import recorded_statements

if TYPE_CHECKING:
    from invoicing.db import Database

CHECK_VIOLATION, INVALID_TEXT, TOO_LONG, NOT_NULL = "23514", "22P02", "22001", "23502"


def mapped_classes() -> list[type]:
    configure_mappers()
    return [mapper.class_ for mapper in sorted(Base.registry.mappers, key=str)]


@pytest.mark.parametrize("model", mapped_classes())
def test_every_model_has_time_stamps_and_never_loads_by_itself(model: type) -> None:
    assert issubclass(model, Base)
    assert issubclass(model, TimeStampedMixin)
    assert {r.lazy for r in inspect(model).relationships} == {"raise"}
    assert all(r.back_populates for r in inspect(model).relationships)


def test_the_invoice_has_the_indexes_its_queries_need() -> None:
    indexed = {
        tuple(str(c).split(".")[-1] for c in i.expressions) for i in Invoice.__table__.indexes
    }
    assert indexed == {
        ("account_id",),
        ("status",),
        ("account_id", "status"),
        ("account_id", "created_at DESC", "id DESC"),
    }


async def test_a_new_invoice_is_a_draft_with_an_id(database: Database) -> None:
    async with database.transaction() as session:
        invoice = Invoice(account=create_account(), amount_cents=1, currency="EUR", lines=[])
        session.add(invoice)
        await session.flush()
        assert invoice.id.version == 4
        assert invoice.status is InvoiceStatus.DRAFT
        assert invoice.issued_at is None


async def test_the_database_makes_drafts_too(database: Database) -> None:
    async with database.transaction() as session:
        account = create_account()
        session.add(account)
        await session.flush()
        status = await session.scalar(
            text(
                "INSERT INTO invoice (id, account_id, amount_cents, currency)"
                " VALUES (gen_random_uuid(), :account_id, 5, 'EUR') RETURNING status::text"
            ),
            {"account_id": account.id},
        )
    assert status == "draft"


@pytest.mark.parametrize(
    ("column", "value", "sqlstate"),
    [
        ("currency", "'eur'", CHECK_VIOLATION),
        ("currency", "'EU'", CHECK_VIOLATION),
        ("currency", "'E1R'", CHECK_VIOLATION),
        ("currency", "E'EU\\n'", CHECK_VIOLATION),
        ("currency", "'EURO'", TOO_LONG),
        ("currency", "NULL", NOT_NULL),
        ("status", "'settled'", INVALID_TEXT),
        ("status", "'DRAFT'", INVALID_TEXT),
        ("amount_cents", "NULL", NOT_NULL),
    ],
)
async def test_the_database_refuses(
    database: Database, column: str, value: str, sqlstate: str
) -> None:
    account = create_account()
    create_invoice(account)
    async with database.transaction() as session:
        session.add(account)
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as session:
            await session.execute(text(f"UPDATE invoice SET {column} = {value}"))
    assert caught.value.orig.sqlstate == sqlstate


async def test_deleting_an_account_loads_nothing_and_leaves_nothing(database: Database) -> None:
    account, other = create_account(), create_account(name="Other")
    create_invoice(account, line_cents=[1, 2])
    create_invoice(other, line_cents=[3])
    async with database.transaction() as session:
        session.add_all([account, other])
    statements = recorded_statements(database.engine)
    async with database.transaction() as session:
        await session.delete(await session.get_one(Account, account.id))
    assert [statement.split()[0] for statement in statements] == ["SELECT", "DELETE"]
    async with database.read_only() as session:
        left = [
            await session.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("account", "invoice", "invoice_line")
        ]
    assert left == [1, 1, 1]


async def test_a_line_taken_from_its_invoice_is_deleted(database: Database) -> None:
    account = create_account()
    invoice = create_invoice(account, line_cents=[1, 2])
    async with database.transaction() as session:
        session.add(account)
    async with database.transaction() as session:
        session.add(invoice)
        invoice.lines.pop()
    async with database.read_only() as session:
        assert await session.scalar(text("SELECT count(*) FROM invoice_line")) == 1


async def test_an_unloaded_relationship_raises(database: Database) -> None:
    account = create_account()
    create_invoice(account)
    async with database.transaction() as session:
        session.add(account)
    async with database.read_only() as session:
        loaded = await session.get_one(Account, account.id)
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = loaded.invoices


async def test_updated_at_moves_with_the_orm_and_is_readable_after_the_commit(
    database: Database,
) -> None:
    account = create_account()
    async with database.transaction() as session:
        session.add(account)
    made = account.updated_at
    assert account.created_at == made
    async with database.transaction() as session:
        session.add(account)
        account.plan = "enterprise"
    # MissingGreenlet here if the value were only expired and not fetched.
    assert account.updated_at > made
    assert account.created_at == made


@pytest.mark.parametrize("model", [Account, Invoice, InvoiceLine])
async def test_updated_at_moves_on_every_update_in_raw_sql(
    database: Database, model: type[Base]
) -> None:
    account = create_account()
    create_invoice(account)
    table = model.__tablename__
    async with database.transaction() as session:
        session.add(account)
    seen = []
    # Both updates stand in one transaction, where now() would not move.
    async with database.transaction() as session:
        for _ in range(2):
            await session.execute(text(f"UPDATE {table} SET id = id"))
            seen.append(await session.scalar(text(f"SELECT updated_at FROM {table}")))
    assert account.updated_at < seen[0] < seen[1]


async def test_an_updated_at_that_is_set_is_kept(database: Database) -> None:
    async with database.transaction() as session:
        session.add(create_account())
    async with database.transaction() as session:
        await session.execute(text("UPDATE account SET updated_at = '2001-02-03T00:00Z'"))
        year = await session.scalar(text("SELECT extract(year FROM updated_at) FROM account"))
    assert year == 2001


async def test_an_invoice_needs_an_account_that_exists(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as session:
            session.add(Invoice(account_id=uuid4(), amount_cents=1, currency="EUR", lines=[]))
    assert caught.value.orig.sqlstate == "23503"
