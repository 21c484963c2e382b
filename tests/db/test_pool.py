"""The pool: in turn, with an error of our own, and whole again after a crash of the server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.db.errors import PoolExhaustedError
from invoicing.errors import InvoicingError
from invoicing.settings import Settings
from invoicing.toolkit.postgres import find_installation
from tests.conftest import newest_server_url, throw_away_server

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

server_url = newest_server_url
SLEEP = text("SELECT pg_sleep(0.002)")


async def sleep(database: Database) -> None:
    async with database.read_only() as session:
        await session.execute(SLEEP)


async def test_two_hundred_busy_tasks_take_turns(empty_database_url: URL) -> None:
    """Each asks again at once, as a busy service does; before, most of them never came in."""
    settings, tasks = Settings(pool_size=10, pool_timeout=20), 200
    async with Database(empty_database_url, settings) as database:
        # Opening a connection takes as long as the machine wants; that is no turn of others.
        await asyncio.gather(*(sleep(database) for _ in range(tasks)))
        turns, waits = 0, []

        async def work() -> None:
            nonlocal turns
            for _ in range(3):
                asked = turns
                async with database.read_only() as session:
                    await session.connection()
                    waits.append(turns - asked)
                    turns += 1
                    await session.execute(SLEEP)

        async with asyncio.timeout(60):
            await asyncio.gather(*(work() for _ in range(tasks)))
        assert turns == 3 * tasks
        # As many as have a connection already may begin in another order than they asked.
        at_once = 2 * settings.pool_size
        assert max(waits) <= tasks + at_once, "a task was passed over by those that asked later"
        assert max(waits) > tasks / 2, "nothing was waited for"
        assert database.read_only_engine.pool.checkedout() == 0


async def test_a_full_pool_says_what_to_set(empty_database_url: URL) -> None:
    settings = Settings(pool_size=1, pool_timeout=0.1)
    async with Database(empty_database_url, settings) as database:
        async with database.read_only() as first, database.read_only() as second:
            await asyncio.gather(first.execute(SLEEP), second.execute(SLEEP))
            with pytest.raises(PoolExhaustedError, match="INVOICING_POOL_SIZE") as caught:
                await sleep(database)
        assert (caught.value.connections, caught.value.pool_size) == (2, 1)
        await sleep(database)


async def test_whoever_gives_up_waiting_takes_no_place_with_it(empty_database_url: URL) -> None:
    async with Database(empty_database_url, Settings(pool_size=1)) as database:
        async with database.read_only() as first, database.read_only() as second:
            await asyncio.gather(first.execute(SLEEP), second.execute(SLEEP))
            waiting = [asyncio.create_task(sleep(database)) for _ in range(5)]
            await asyncio.sleep(0.05)
            for task in waiting[::2]:
                task.cancel()
        # Some are cancelled while their turn is on its way to them.
        waiting[1].cancel()
        for task in waiting:
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.wait_for(asyncio.gather(*(sleep(database) for _ in range(9))), 10)


async def test_a_refused_connection_takes_no_place_with_it() -> None:
    nowhere = "postgresql://postgres@127.0.0.1:1/postgres"
    async with Database(nowhere, Settings(pool_size=1, pool_timeout=0.2)) as database:
        for _ in range(4):
            with pytest.raises(InvoicingError, match="cannot connect"):
                await sleep(database)


async def test_after_a_kill_of_the_server_the_same_database_works() -> None:
    with throw_away_server(find_installation()) as server:
        async with Database(server.url(), Settings(pool_size=2)) as database:
            await asyncio.gather(*(sleep(database) for _ in range(8)))
            pid = int((server.folder / "postmaster.pid").read_text().split()[0])
            processes = [psutil.Process(pid), *psutil.Process(pid).children()]
            for process in processes:
                process.kill()
            psutil.wait_procs(processes, timeout=10)
            with pytest.raises((DBAPIError, InvoicingError)):
                await sleep(database)
            await asyncio.to_thread(server.ensure_running)
            await asyncio.gather(*(sleep(database) for _ in range(8)))
            async with database.transaction() as session:
                assert await session.scalar(text("SELECT 1")) == 1
