"""How much one batch takes, and what it does when a client is there at the same moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from tests.conftest import execute
from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import BackfillReport

TARGET = Target("page", "body", "content")
SIZE = 50_000
BATCH = """
SELECT count(*) AS rows, sum(pg_column_size(content))::int AS bytes FROM page
WHERE xmin::text NOT IN (SELECT xmin::text FROM page WHERE content IS NULL) GROUP BY xmin::text
"""


async def make_pages(url: URL, rows: int = 40, size: int = SIZE) -> None:
    """Make rows whose values lie outside the table, as they are, all of them on one page."""
    await execute(
        url,
        "CREATE TABLE page (id int PRIMARY KEY, body text)",
        "ALTER TABLE page ALTER body SET STORAGE EXTERNAL",
        f"INSERT INTO page SELECT n, repeat('x', {size}) FROM generate_series(1, {rows}) AS n",
    )


async def filled(url: URL, **options: object) -> BackfillReport:
    async with Database(url, Settings()) as database:
        rename = Rename(database, TARGET, Options(**{"stripes": 1} | options))
        await rename.expand()
        report = await rename.backfill()
        assert (await rename.verify()).ok
        return report


@pytest.mark.parametrize("stripes", [1, 3])
async def test_a_batch_is_bounded_by_the_bytes_of_its_values(
    empty_database_url: URL, stripes: int
) -> None:
    url = empty_database_url
    await make_pages(url)
    report = await filled(url, batch_bytes=5 * SIZE + 100, stripes=stripes)
    assert (report.completed, report.rows_updated) == (True, 40)
    async with connected(url) as judge:
        batches = await judge.fetch(BATCH)
    assert sum(batch["rows"] for batch in batches) == 40
    assert max(batch["bytes"] for batch in batches) <= 5 * SIZE + 100
    assert len(batches) <= 8 + stripes


async def test_a_value_larger_than_a_batch_goes_alone(empty_database_url: URL) -> None:
    await make_pages(empty_database_url, rows=7)
    report = await filled(empty_database_url, batch_bytes=SIZE // 2)
    assert (report.rows_updated, report.batches) == (7, 7)


async def test_small_values_go_by_rows_alone(empty_database_url: URL) -> None:
    await make_pages(empty_database_url, rows=300, size=10)
    report = await filled(empty_database_url, batch_size=1_000)
    assert (report.rows_updated, report.batches) == (300, 1)


async def test_a_backfill_stopped_among_large_values_goes_on_there(empty_database_url: URL) -> None:
    url, stop = empty_database_url, asyncio.Event()
    await make_pages(url)
    async with Database(url, Settings()) as database:
        options = Options(batch_bytes=5 * SIZE + 100, stripes=1)
        rename = Rename(database, TARGET, options)
        await rename.expand()
        first = await rename.backfill(progress=lambda _: stop.set(), stop=stop)
        assert (first.completed, first.rows_updated) == (False, 5)
        second = await rename.backfill()
        assert (second.completed, second.rows_updated) == (True, 35)
        assert (await rename.verify()).ok


async def test_large_values_that_a_client_keeps_locked_are_left_for_the_end(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make_pages(url)
    async with Database(url, Settings()) as database, connected(url) as client:
        options = Options(batch_bytes=3 * SIZE + 100, stripes=1, lock_timeout=0.1)
        rename = Rename(database, TARGET, options)
        await rename.expand()
        transaction = client.transaction()
        await transaction.start()
        # More of them than a batch takes, and the first of all.
        await client.execute("SELECT FROM page WHERE id <= 10 FOR UPDATE")
        waiting, said = asyncio.Event(), []

        def progress(step: object) -> None:
            said.append(step)
            if step.waiting and "last rows" in step.waiting:
                waiting.set()

        filling = asyncio.create_task(rename.backfill(progress=progress))
        await asyncio.wait_for(waiting.wait(), 30)
        async with connected(url) as other:
            missing = await other.fetchval("SELECT count(*) FROM page WHERE content IS NULL")
        assert missing == 10
        await transaction.rollback()
        assert (await filling).completed
        assert (await rename.verify()).ok


@pytest.mark.parametrize("isolation", ["read committed", "serializable", "repeatable read"])
async def test_a_row_that_a_client_moves_to_another_partition_ends_no_backfill(
    bare_url: URL, isolation: str
) -> None:
    await execute(
        bare_url,
        "CREATE TABLE page (id int, kind int, body text) PARTITION BY LIST (kind)",
        "CREATE TABLE page_1 PARTITION OF page FOR VALUES IN (1)",
        "CREATE TABLE page_2 PARTITION OF page FOR VALUES IN (2)",
        "INSERT INTO page SELECT n, 1, n FROM generate_series(1, 500) AS n",
        f"ALTER DATABASE {bare_url.database} SET default_transaction_isolation = '{isolation}'",
        # The batch is sure to wait for the row until it has been moved.
        f"ALTER DATABASE {bare_url.database} SET deadlock_timeout = '20s'",
    )
    async with Database(bare_url, Settings()) as database, connected(bare_url) as client:
        rename = Rename(database, TARGET, Options(stripes=1))
        await rename.expand()
        transaction = client.transaction()
        await transaction.start()
        await client.execute("UPDATE page SET kind = 2 WHERE id = 250")
        filling = asyncio.create_task(rename.backfill())
        async with connected(bare_url, application_name="judge") as judge:
            while not await judge.fetchval(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND application_name = 'invoicing rename' AND datname = current_database())"
            ):
                assert not filling.done()
                await asyncio.sleep(0.001)
        await transaction.commit()
        assert (await filling).completed
        assert (await rename.verify()).ok
