"""A guarded backfill on a server: it goes slower, rests and stops, and the record says why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.cli.rename_metrics import openmetrics
from invoicing.errors import UsageError
from invoicing.toolkit.rename import Options
from invoicing.toolkit.rename.errors import RenameFailedError
from invoicing.toolkit.rename.guard import guard
from tests.conftest import execute, server_names
from tests.rename.bills import make_bills, renaming
from tests.rename.faults import connect, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Progress

ROWS = 1_500
# What does not differ from version to version.
on_newest = pytest.mark.parametrize("server_url", server_names()[:1], indirect=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure in tenths of seconds."""
    for name, seconds in {
        "_CALM_FIRST": 0.3,
        "_CALM_LATER": 0.1,
        "_EVERY": 0.01,
        "_CALM_EVERY": 0.01,
        "_DECIDE_EVERY": 0.1,
        "_SMALLEST_BATCH": 10,
        "_LONGEST_REST": 0.1,
    }.items():
        monkeypatch.setattr(guard, name, seconds)


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    return await make_bills(empty_database_url, ROWS)


@pytest.fixture
async def client(url: URL) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection of another program."""
    async with connected(url) as connection:
        yield connection


async def test_the_calm_level_comes_before_the_first_batch_and_the_record_says_what_was_done(
    url: URL,
) -> None:
    seen: list[Progress] = []
    slow = {"latency_guard": 1.5, "pause": 0.1, "batch_size": 50}
    async with renaming(url, **slow) as rename, renaming(url) as other:
        await rename.expand()
        running = asyncio.create_task(rename.backfill(progress=seen.append))
        while not (status := await other.status()).guard.get("rate"):
            assert not running.done()
        report = await running
        (run,) = [run for run in await rename.runs() if run.phase == "backfill"]
        assert (await other.status()).guard == {}
    assert report.completed
    assert report.rows_updated == ROWS
    assert "measuring" in seen[0].guard
    assert seen[0].rows_done == 0
    assert "of full speed" in seen[-1].guard
    assert "of full speed" in status.guard["said"]
    assert status.eta is not None
    assert 'guard_speed{table="bill",old="amt",new="amount_cents"} ' in openmetrics(status)
    assert run.result["guard"] == report.guard
    assert report.guard["calm_ms"] > 0
    assert 0 < report.guard["lowest_speed"] <= report.guard["mean_speed"] <= 1
    assert run.options["latency_guard"] == 1.5


@on_newest
async def test_a_slow_commit_makes_it_slower_and_names_the_latency(
    url: URL, client: asyncpg.Connection
) -> None:
    slow = asyncio.Event()

    def note(progress: Progress) -> None:
        if progress.rows_done:
            slow.set()

    async with renaming(url, latency_guard=1.5, pause=0.05) as rename:
        await rename.expand()
        running = asyncio.create_task(rename.backfill(progress=note))
        await slow.wait()
        # Whoever commits waits for this one: so does the canary, whose row it is.
        async with client.transaction():
            await client.execute("SELECT FROM invoicing_rename.run FOR UPDATE")
            await asyncio.sleep(1.2)
        report = await running
    assert report.completed
    assert report.guard["slowed"]["latency"] >= 1
    assert report.guard["worst_latency"] > 1.5
    assert report.guard["lowest_speed"] < 0.2


@on_newest
async def test_it_rests_while_more_sessions_are_active_and_another_limit_lets_it_go(
    url: URL,
) -> None:
    waits: asyncio.Queue[Progress] = asyncio.Queue()

    def note(progress: Progress) -> None:
        if progress.waiting and "sessions are active" in progress.waiting:
            waits.put_nowait(progress)

    busy = [await connect(url) for _ in range(2)]
    sleeping = [asyncio.create_task(session.execute("SELECT pg_sleep(60)")) for session in busy]
    async with renaming(url, max_active=1) as rename, renaming(url) as other, asyncio.timeout(60):
        await rename.expand()
        await asyncio.sleep(0.2)
        running = asyncio.create_task(rename.backfill(progress=note))
        held = await waits.get()
        assert held.rows_done == 0
        assert "may be 1" in (held.waiting or "")
        await other.throttle(max_active=1_000)
        assert (await running).completed
    for task, session in zip(sleeping, busy, strict=True):
        session.terminate()
        await asyncio.gather(task, return_exceptions=True)


@on_newest
async def test_a_guard_that_is_set_while_it_runs_takes_the_calm_level_then(url: URL) -> None:
    async with renaming(url, batch_size=20, pause=0.05) as rename, renaming(url) as other:
        await rename.expand()
        running = asyncio.create_task(rename.backfill())
        while not (await other.status()).rows_done:
            assert not running.done()
        assert "latency-guard 1.5" in str(await other.throttle(latency_guard=1.5, pause=0.01))
        report = await running
    assert report.completed
    assert report.guard["calm_ms"] > 0


@on_newest
async def test_much_wal_makes_it_slower(url: URL) -> None:
    async with renaming(url, max_wal_rate=0.1, pause=0.01) as rename:
        await rename.expand()
        report = await rename.backfill()
    assert report.completed
    assert report.guard["slowed"]["WAL"] >= 1
    assert "calm_ms" not in report.guard


@on_newest
async def test_what_an_account_cannot_see_is_refused_and_nothing_is_written(
    url: URL, client: asyncpg.Connection
) -> None:
    await execute(
        url,
        "DO $$ BEGIN CREATE ROLE guard_owner LOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
        "GRANT CREATE ON SCHEMA public TO guard_owner",
        "ALTER TABLE bill OWNER TO guard_owner",
        f'GRANT CREATE ON DATABASE "{url.database}" TO guard_owner',
    )
    async with renaming(url.set(username="guard_owner", password=None), max_active=5) as rename:
        await rename.expand()
        with pytest.raises(RenameFailedError, match="GRANT pg_read_all_stats TO guard_owner"):
            await rename.backfill()
    assert await client.fetchval("SELECT count(amount_cents) FROM bill") == 0


@pytest.mark.parametrize("given", [{"latency_guard": 1.0}, {"max_active": 0}, {"max_wal_rate": 0}])
def test_what_no_guard_could_keep_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(given))):
        Options(**given)
