"""How a statement that needs the whole table comes by its lock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.rename.bills import make_bills, renaming
from tests.rename.faults import connected, idle_transaction, until

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.connection.pool import Connection

WAITING = "SELECT DISTINCT mode FROM pg_locks WHERE relation = 'bill'::regclass AND NOT granted"


async def modes_waited_for(client: Connection) -> set[str]:
    return {row["mode"] for row in await client.fetch(WAITING)}


async def test_no_client_waits_behind_an_expand_that_waits_for_a_vacuum(
    empty_database_url: URL,
) -> None:
    """Autovacuum gives way only after a second, in which every client would wait too."""
    url = await make_bills(empty_database_url)
    async with renaming(url) as rename, connected(url) as client:
        as_vacuum_does = "LOCK TABLE bill IN SHARE UPDATE EXCLUSIVE MODE"
        async with idle_transaction(url, as_vacuum_does):
            expanding = asyncio.create_task(rename.expand())
            seen = await until(lambda: modes_waited_for(client))
            for _ in range(20):
                seen |= await modes_waited_for(client)
                await client.execute("UPDATE bill SET note = 'written' WHERE id = 1")
                await asyncio.sleep(0.01)
            assert not expanding.done()
        await expanding
    assert seen == {"ShareUpdateExclusiveLock"}
