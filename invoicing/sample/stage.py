"""A database on which loading strategies can be compared: parents with so many children each."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

from sqlalchemy import text

from invoicing.db import Database
from invoicing.db.databases import drop_database, quoted_name, run_on_server
from invoicing.db.url import beside
from invoicing.sample.stage_models import StageBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import URL

NOTES_EACH = 5
# Customers for more than two chunks of selectinload, with this many orders each.
CROWD, CROWD_ORDERS = 1_200, 2

PREFIX, _MARK = "invoicing_stage_", "invoicing: stage"
_IN_USE = "55006"
_ABANDONED = text("""
    SELECT datname FROM pg_database
    WHERE shobj_description(oid, 'pg_database') = :mark
      AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datid = pg_database.oid)
""")
_COUNTRIES = """
    INSERT INTO stage_country (id, name) SELECT n, 'country ' || n FROM generate_series(1, 5) n
"""
_CUSTOMERS = """
    INSERT INTO stage_customer (name, address, orders_each, country_id)
    SELECT 'customer ' || n, repeat('street ', 12) || n, :orders, n % 5 + 1
    FROM generate_series(1, :customers) n
"""
_ORDERS = """
    INSERT INTO stage_order (number, customer_id)
    SELECT 'order ' || n, stage_customer.id
    FROM stage_customer, generate_series(1, orders_each) n
"""
_NOTES = """
    INSERT INTO stage_note (text, customer_id)
    SELECT 'note ' || n, stage_customer.id FROM stage_customer, generate_series(1, :notes) n
    WHERE orders_each <> :crowd
"""


async def open_stage(server: URL, *, customers: int, orders: Sequence[int]) -> Database:
    """Return a new database on a server: for each of `orders` so many customers with as many.

    It has a name of its own, so that two may be open at once; those that were left behind and
    have no connection are removed. Close it by `drop_stage`.

    Raises:
        StatementFailedError: this account may not create databases.
    """
    await _drop_abandoned(server)
    url = beside(server, f"{PREFIX}{token_hex(4)}")
    await run_on_server(url, f"CREATE DATABASE {quoted_name(url)}")
    await run_on_server(url, f"COMMENT ON DATABASE {quoted_name(url)} IS '{_MARK}'")
    database = Database(url)
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(StageBase.metadata.create_all)
        await session.execute(text(_COUNTRIES))
        for each in orders:
            await session.execute(text(_CUSTOMERS), {"customers": customers, "orders": each})
        await session.execute(text(_CUSTOMERS), {"customers": CROWD, "orders": CROWD_ORDERS})
        await session.execute(text(_ORDERS))
        await session.execute(text(_NOTES), {"notes": NOTES_EACH, "crowd": CROWD_ORDERS})
        await session.execute(text("ANALYZE"))
    return database


async def _drop_abandoned(server: URL) -> None:
    async with Database(server) as database, database.read_only() as session:
        names = (await session.scalars(_ABANDONED, {"mark": _MARK})).all()
    for name in names:
        url = beside(server, name)
        # Whoever connects now keeps it: without FORCE it is refused.
        await run_on_server(url, f"DROP DATABASE IF EXISTS {quoted_name(url)}", unless=_IN_USE)


async def drop_stage(database: Database) -> None:
    """Close a stage and remove its database."""
    await drop_database(database)
