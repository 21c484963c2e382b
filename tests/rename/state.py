"""What a database looks like to whoever compares it before, during and after a rename."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Rename

_CATALOG = """
    SELECT 'column', format('%s %s%s %s', attname, format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN ' NOT NULL' END, pg_get_expr(adbin, adrelid))
    FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
    WHERE attrelid = 'invoice'::regclass AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT 'constraint', format('%s %s %s', conname, pg_get_constraintdef(oid),
        CASE WHEN NOT convalidated THEN 'NOT VALIDATED' END)
    FROM pg_constraint WHERE conrelid = 'invoice'::regclass
    UNION ALL SELECT 'index', format('%s %s', pg_get_indexdef(indexrelid),
        CASE WHEN NOT indisvalid THEN 'INVALID' END)
    FROM pg_index WHERE indrelid = 'invoice'::regclass
    UNION ALL SELECT 'trigger', pg_get_triggerdef(oid)
    FROM pg_trigger WHERE tgrelid = 'invoice'::regclass AND NOT tgisinternal
    UNION ALL SELECT 'kind', relkind::text FROM pg_class WHERE oid = 'invoice'::regclass
    UNION ALL SELECT 'function', oid::regprocedure::text
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'relation', relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    ORDER BY 1, 2
"""
_COUNTS = """
    SELECT count(*), count(*) FILTER (WHERE amount_cents IS NULL),
        count(*) FILTER (WHERE amount_cents <> amt) FROM invoice
"""


async def gate_opens(rename: Rename) -> None:
    """Return when nothing keeps the contract from coming any more."""
    deadline = time.monotonic() + 60
    while objections := (await rename.gate()).objections:
        assert time.monotonic() < deadline, objections
        await asyncio.sleep(0.1)


async def catalog_of(url: URL) -> list[tuple[str, str]]:
    """Return everything the catalog says of the invoices, and whatever else is beside them."""
    async with connected(url) as connection:
        return [tuple(row) for row in await connection.fetch(_CATALOG)]


async def counts_of(url: URL) -> tuple[int, int, int]:
    """Return how many rows there are, lack the new column, and have two different values."""
    async with connected(url) as connection:
        return tuple(await connection.fetchrow(_COUNTS))


async def checksum_of(url: URL, column: str) -> str:
    """Return one number for every row and its amount."""
    async with connected(url) as connection:
        return await connection.fetchval(
            f"SELECT md5(string_agg(id::text || {column}, ',' ORDER BY id)) FROM invoice"
        )
