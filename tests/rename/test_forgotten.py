"""What a rename keeps in its schema goes with it, whoever reads it meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.toolkit.rename import Phase
from invoicing.toolkit.rename.errors import RenameBlockedError
from tests.rename.bills import make_bills, renaming
from tests.rename.faults import connected, idle_transaction

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def test_a_rollback_waits_for_a_reader_of_its_journal_and_can_be_run_again(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url, 50)
    async with renaming(empty_database_url) as rename:
        await rename.expand()
        reading = "SELECT FROM invoicing_rename.range"
        async with idle_transaction(empty_database_url, reading) as pid:
            with pytest.raises(RenameBlockedError) as raised:
                await rename.rollback()
            assert [blocker.pid for blocker in raised.value.blockers] == [pid]
            assert (await rename.status()).phase is Phase.ROLLING_BACK
        await rename.rollback()
        assert (await rename.status()).phase is Phase.NONE
    async with connected(empty_database_url) as client:
        assert await client.fetchval("SELECT to_regnamespace('invoicing_rename')") is None


async def test_a_rollback_is_no_deadlock_for_whoever_looks_at_the_status(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url, 50)

    async def look() -> None:
        # A table, and then its indexes, as the planner locks them.
        async with connected(empty_database_url) as reader:
            while True:
                try:
                    async with reader.transaction():
                        await reader.execute(
                            "LOCK TABLE invoicing_rename.rename IN ACCESS SHARE MODE"
                        )
                        await reader.execute("LOCK TABLE invoicing_rename.run IN ACCESS SHARE MODE")
                        await asyncio.sleep(0.1)
                        await reader.execute("SELECT FROM invoicing_rename.rename WHERE key = ''")
                        await reader.execute("SELECT FROM invoicing_rename.run WHERE id = 1")
                except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
                    return
                await asyncio.sleep(0.1)

    async with renaming(empty_database_url, lock_attempts=20) as rename:
        await rename.expand()
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(look())
            group.create_task(look())
            await rename.rollback()
