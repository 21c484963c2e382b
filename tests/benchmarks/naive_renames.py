"""The ways a column is usually filled, to compare ours with: each on a table of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

BATCH = 5_000
_ADD = "ALTER TABLE invoice ADD amount_cents bigint"


async def connect(url: URL) -> asyncpg.Connection:
    """Return a connection that waits as long as a statement takes."""
    return await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False)
    )


async def plain_update(url: URL) -> None:
    """Fill the new column by one UPDATE."""
    connection = await connect(url)
    await connection.execute(_ADD)
    await connection.execute("UPDATE invoice SET amount_cents = amt", timeout=None)
    await connection.close()


async def keyset_batches(url: URL) -> None:
    """Fill the new column in batches along the primary key, each committed by itself."""
    connection = await connect(url)
    await connection.execute(_ADD)
    statement = await connection.prepare(
        "WITH batch AS (SELECT id FROM invoice WHERE id > $1 ORDER BY id LIMIT $2), updated AS ("
        " UPDATE invoice SET amount_cents = amt FROM batch WHERE invoice.id = batch.id"
        " RETURNING invoice.id) SELECT id FROM updated ORDER BY id DESC LIMIT 1"
    )
    last = "00000000-0000-0000-0000-000000000000"
    while last is not None:
        last = await statement.fetchval(last, BATCH)
    await connection.close()


async def offline_rewrite(url: URL) -> None:
    """Rewrite the table and its indexes under ACCESS EXCLUSIVE: no other session reads it."""
    connection = await connect(url)
    async with connection.transaction():
        await connection.execute(_ADD)
        await connection.execute(
            "ALTER TABLE invoice ALTER amount_cents TYPE bigint USING amt", timeout=None
        )
    await connection.close()
