"""The stage: parents with so many children each, in a database that goes again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from invoicing.db import Database
from invoicing.sample import drop_stage, open_stage
from invoicing.sample.stage import CROWD, CROWD_ORDERS, NOTES_EACH
from invoicing.sample.stage_models import Customer, Note, Order

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

NAMES = text("SELECT datname FROM pg_database WHERE datname LIKE 'invoicing\\_stage\\_%'")


async def names(server: URL) -> set[str]:
    async with Database(server) as database, database.read_only() as session:
        return set(await session.scalars(NAMES))


async def test_every_customer_has_as_many_orders_as_was_asked_for(server_url: URL) -> None:
    stage = await open_stage(server_url, customers=3, orders=[1, 7])
    try:
        async with stage.read_only() as session:
            counted = (
                select(Customer.orders_each, Customer.id, func.count(Order.id))
                .join(Customer.orders)
                .group_by(Customer.id)
            )
            rows = (await session.execute(counted)).all()
            notes = await session.scalar(select(func.count(Note.id)))
        assert all(count == each for each, _, count in rows)
        assert sorted({each for each, *_ in rows}) == [1, CROWD_ORDERS, 7]
        assert len(rows) == CROWD + 3 + 3
        assert notes == 6 * NOTES_EACH
    finally:
        await drop_stage(stage)


async def test_it_leaves_nothing_behind_and_clears_what_others_left(server_url: URL) -> None:
    before = await names(server_url)
    abandoned = await open_stage(server_url, customers=1, orders=[1])
    await abandoned.dispose()
    in_use = await open_stage(server_url, customers=1, orders=[1])
    async with in_use.read_only() as session:
        await session.scalar(select(Customer.id).limit(1))
        other = await open_stage(server_url, customers=1, orders=[1])
        there = await names(server_url) - before
    assert there == {in_use.url.database, other.url.database}
    await drop_stage(in_use)
    await drop_stage(other)
    assert await names(server_url) <= before
