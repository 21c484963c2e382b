"""What a rename keeps in its schema goes with it, whoever reads it meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

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


async def test_whoever_looks_at_the_status_meanwhile_sees_it_go_without_an_error(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url, 50)
    async with renaming(empty_database_url, lock_attempts=20) as rename:

        async def look(until: asyncio.Event) -> None:
            while not until.is_set():
                assert await rename.status()
                await asyncio.sleep(0.01)

        for _ in range(3):
            await rename.expand()
            gone = asyncio.Event()
            async with asyncio.timeout(120), asyncio.TaskGroup() as group:
                looking = [group.create_task(look(gone)) for _ in range(2)]
                await rename.rollback()
                gone.set()
            assert all(task.exception() is None for task in looking)
