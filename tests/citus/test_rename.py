"""A column of a distributed schema is renamed as anywhere: under traffic, moved, killed, back."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from invoicing.db.migrations import upgrade
from invoicing.db.url import in_schema
from invoicing.practice import NEW_CODE, OLD_CODE, RequestOutcome, Traffic
from invoicing.sample import load_sample
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from invoicing.toolkit.rename.errors import (
    RenameFailedError,
    RenameInterruptedError,
    RenameRefusedError,
)
from invoicing.units import distribute
from tests.citus.conftest import schema
from tests.conftest import execute
from tests.rename.before import take_back_the_name
from tests.rename.faults import connected
from tests.rename.operators import operator
from tests.rename.state import catalog_of, counts_of, gate_opens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from invoicing.db import Database

INVOICES = 5_000
TARGET = Target("invoice", "amt", "amount_cents")
OPTIONS = {"batch_size": 200, "workers": 2, "quiet": 0.5}
CONFIRM = "invoice.amt"
_MOVE = """
SELECT citus_schema_move(c.relnamespace, o.nodename, o.nodeport)
FROM pg_class AS c JOIN pg_dist_shard AS s ON s.logicalrelid = c.oid
JOIN pg_dist_placement AS p USING (shardid)
JOIN pg_dist_node AS o ON o.groupid <> p.groupid AND o.shouldhaveshards
WHERE c.oid = 'invoice'::regclass ORDER BY o.nodeid LIMIT 1
"""
_FORGET_COUNTERS = r"""
SELECT run_command_on_workers($all$DO $do$ DECLARE name text; BEGIN FOR name IN
    SELECT oid::regclass FROM pg_class WHERE relname LIKE '%old\_writes' LOOP
    EXECUTE 'DROP SEQUENCE ' || name; END LOOP; END $do$ $all$)
"""
_END_ON_NODES = """
SELECT sum(result::int)::int FROM run_command_on_workers($$SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity WHERE application_name LIKE 'citus_internal%'$$)
"""


@pytest.fixture
async def before(cluster_url: URL) -> AsyncIterator[Database]:
    """Yield a unit with the amounts under their old name."""
    async with schema(cluster_url) as database:
        await upgrade(database)
        await load_sample(database, accounts=20, invoices=INVOICES)
        await take_back_the_name(url_of(database))
        await distribute(database)
        yield database


def url_of(database: Database) -> URL:
    return in_schema(database.url, database.settings.database_schema)


async def move(url: URL) -> None:
    """Let the schema move to another node, while it is written."""
    async with connected(url) as connection:
        assert await connection.fetch(_MOVE)


@asynccontextmanager
async def filling(rename: Rename, rows: int = 1_000) -> AsyncIterator[asyncio.Task[object]]:
    """Yield a backfill that has filled about so many rows."""
    under_way = asyncio.Event()
    task = asyncio.create_task(
        rename.backfill(progress=lambda now: under_way.set() if now.rows_done >= rows else None)
    )
    waiting = asyncio.create_task(under_way.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    assert not task.done()
    try:
        yield task
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def rename_has_filled(rename: Rename) -> None:
    """Return as soon as another process has filled some rows."""
    async with asyncio.timeout(60):
        while not (await rename.status()).rows_done:  # noqa: ASYNC110 -- in another process
            await asyncio.sleep(0.02)


async def to_the_end(rename: Rename, traffic: Traffic) -> None:
    """Deploy new code, contract, and see that nothing was lost and no request failed."""
    await traffic.deploy(over=0.3)
    await traffic.drain(OLD_CODE)
    await gate_opens(rename)
    await rename.contract(confirm=CONFIRM)
    await traffic.answered(30)


async def assert_intact(traffic: Traffic, code: object) -> None:
    figures = traffic.figures()
    assert not figures.failures, "\n".join(map(str, figures.failures))
    assert figures.requests == {RequestOutcome.DONE: figures.done}
    report = await traffic.verify(code)
    assert report.intact, report.differences[:5]


async def test_a_rename_under_traffic_and_a_move_loses_nothing_and_fails_no_request(
    before: Database,
) -> None:
    url, rename = url_of(before), Rename(before, TARGET, Options(pause=0.05, **OPTIONS))
    async with Traffic(url, clients=4, rate=60) as traffic:
        await rename.expand()
        traffic.join(NEW_CODE, 2, blind=True)
        await traffic.answered(50)
        assert (await counts_of(url))[2] == 0
        async with filling(rename) as backfill:
            await move(url)
            assert (await backfill).completed
        rows, missing, different = await counts_of(url)
        assert rows > INVOICES
        assert (missing, different) == (0, 0)
        # What the move has left behind, and a node that came since has not, is put there again.
        await execute(url, _FORGET_COUNTERS)
        notes = "\n".join((await rename.status()).notes)
        assert "defaults on" in notes
        assert "the counter" in notes
        await traffic.answered(20)
        assert (await rename.verify()).ok
        assert not (await rename.status()).notes
        assert not (await rename.gate()).open, "old code is at work"
        await to_the_end(rename, traffic)
    await assert_intact(traffic, NEW_CODE)
    after = dict(reversed(row) for row in await catalog_of(url) if "amount_cents" in row[1])
    assert set(after.values()) == {"column", "constraint"}
    assert "amount_cents bigint NOT NULL " in after


async def test_rolled_back_from_the_middle_it_leaves_what_was_there(before: Database) -> None:
    url, rename = url_of(before), Rename(before, TARGET, Options(pause=0.05, **OPTIONS))
    catalog, stop = await catalog_of(url), asyncio.Event()
    async with Traffic(url, clients=4, rate=60) as traffic:
        await rename.expand()
        traffic.join(NEW_CODE, 2, blind=True)
        await traffic.answered(30)
        await rename.backfill(progress=lambda _: stop.set(), stop=stop)
        await traffic.deploy(OLD_CODE, over=0.3)
        await traffic.drain(NEW_CODE)
        await rename.rollback()
        await traffic.answered(30)
    await assert_intact(traffic, OLD_CODE)
    assert await catalog_of(url) == catalog
    assert (await rename.status()).phase is Phase.NONE


async def test_killed_on_both_sides_it_goes_on(before: Database) -> None:
    """The node's sessions, then the client by SIGKILL; a run of the same command ends it."""
    url, rename = url_of(before), Rename(before, TARGET, Options(pause=0.2, **OPTIONS))
    await rename.expand()
    # Which of them depends on where the batch was: Citus has no SQLSTATE for a commit that failed.
    ended = (RenameInterruptedError, RenameFailedError)
    with pytest.raises(ended, match=r"[Rr]un the same command again"):
        async with filling(rename, 0) as backfill, connected(url) as connection:
            while not backfill.done():
                await connection.fetch(_END_ON_NODES)
            await backfill
    assert (await rename.status()).rows_done < INVOICES
    async with operator(url) as victim:
        assert await victim.comes_to("begun")
        await rename_has_filled(rename)
        await victim.kill()
    assert (await rename.backfill()).completed
    assert (await counts_of(url))[1:] == (0, 0)
    assert (await rename.verify()).ok
    await gate_opens(rename)
    await rename.contract(confirm=CONFIRM)
    assert (await rename.status()).phase is Phase.CONTRACTED


# What each statement adds to the writes that are counted by the old name.
WRITES = {
    "INSERT INTO bill (id, amt) VALUES (1001, 5)": 1,
    "INSERT INTO bill (id, amt) VALUES (1002, NULL)": 1,
    "INSERT INTO bill (id, amount_cents) VALUES (1003, 6), (1004, 7)": 0,
    "INSERT INTO bill (id, amount_cents) VALUES (1005, NULL)": 0,
    "INSERT INTO bill (id) VALUES (1006)": 0,
    "INSERT INTO bill (id, amt, amount_cents) VALUES (1007, 8, 8)": 1,
    "INSERT INTO bill (id, amount_cents) SELECT id + 10000, amount_cents FROM bill": 0,
    "INSERT INTO bill (id, amount_cents) VALUES (1003, 9)"
    " ON CONFLICT (id) DO UPDATE SET amount_cents = excluded.amount_cents": 0,
    "UPDATE bill SET amount_cents = 10 WHERE id IN (1, 1001)": 0,
    "UPDATE bill SET amt = 11 WHERE id IN (2, 1003)": 1,
}


async def test_each_name_follows_the_other_and_wide_or_locked_rows_are_filled(
    cluster_url: URL,
) -> None:
    async with schema(cluster_url) as database:
        url, target = url_of(database), Target("bill", "amt", "amount_cents")
        await distribute(database)
        await execute(
            url,
            "CREATE TABLE bill (id bigint PRIMARY KEY, amt text)",
            "INSERT INTO bill SELECT n, (SELECT string_agg(md5(random()::text || n || m), '')"
            " FROM generate_series(1, 150) AS m) FROM generate_series(1, 300) AS n",
        )
        options = Options(batch_size=100, batch_bytes=100_000, lock_timeout=0.2)
        rename = Rename(database, target, options)
        await rename.expand()
        counted = 0
        for statement, more in WRITES.items():
            await execute(url, statement)
            before, counted = counted, (await rename.status()).old_writes
            assert counted - before == more, statement
        async with connected(url) as other:
            for column, key in (("amt", 3001), ("amount_cents", 3002)):
                await other.copy_records_to_table(
                    "bill", records=[(key, "12")], columns=["id", column]
                )
            transaction = other.transaction()
            await transaction.start()
            await other.execute("SELECT FROM bill WHERE id IN (7, 77) FOR UPDATE")
            async with filling(rename, 250) as backfill:
                await asyncio.sleep(0.3)
                assert not backfill.done()
                await transaction.rollback()
                assert (await backfill).batches > 10
        report = await rename.verify()
        assert report.ok
        assert (report.equal, report.rows) == (2 * 307 + 2, 2 * 307 + 2)
        assert (await rename.status()).old_writes == counted + 1


async def test_what_cannot_be_renamed_there_is_refused_by_name(before: Database) -> None:
    url = url_of(before)
    await execute(
        url,
        "CREATE TABLE public.hashed_amt (id bigint, amt bigint)",
        "SELECT create_distributed_table('public.hashed_amt', 'id')",
    )
    refusals = {
        ("invoice", "id", "columns"): "pk_invoice",
        ("invoice", "status", "columns"): "SET DEFAULT|DROP DEFAULT",
        ("invoice", "amt", "view"): "citus",
        ("hashed_amt", "amt", "columns"): "citus",
    }
    try:
        for (table, column, strategy), said in refusals.items():
            own = "public" if table == "hashed_amt" else before.settings.database_schema
            target = Target(table, column, "other", schema=own)
            with pytest.raises(RenameRefusedError, match=said):
                await Rename(before, target, Options(strategy=strategy)).expand()  # type: ignore[arg-type]
        changed = Rename(before, TARGET, Options(type="numeric(20)"))
        with pytest.raises(RenameRefusedError, match="citus_schema_undistribute"):
            await changed.expand()
    finally:
        await execute(url, "DROP TABLE public.hashed_amt")
