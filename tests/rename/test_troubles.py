"""Whatever goes wrong ends in a message that says what to run, and in a rename that can go on."""

from __future__ import annotations

import asyncio
import re
import shutil
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.postgres import make_standby
from invoicing.toolkit.rename import Options, Phase, Progress, Rename, Target
from invoicing.toolkit.rename.errors import (
    RenameBlockedError,
    RenameError,
    RenameFailedError,
    RenameInProgressError,
    RenameInterruptedError,
    RenameRefusedError,
)
from tests.conftest import execute
from tests.rename.before import before_the_rename, own_sample_before
from tests.rename.bills import verified
from tests.rename.faults import (
    account_without_rights,
    connect,
    connected,
    foreign_lock,
    idle_transaction,
    small_disk,
    small_tablespace,
    terminate_backends,
    until,
)
from tests.rename.state import catalog_of, counts_of, gate_opens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server

INVOICES = 5_000
TARGET = Target("invoice", "amt", "amount_cents")
HASTY = Options(batch_size=200, lock_timeout=0.1, lock_attempts=2, quiet=0.2)


url = before_the_rename(invoices=INVOICES)


@pytest.fixture
async def rename(url: URL) -> AsyncIterator[Rename]:
    async with Database(url, Settings()) as database:
        yield Rename(database, TARGET, HASTY)


@asynccontextmanager
async def renaming(url: URL, **options: Any) -> AsyncIterator[Rename]:
    async with Database(url, Settings()) as database:
        yield Rename(database, TARGET, Options(batch_size=200, quiet=0.2, **options))


def assert_says_what_to_run(error: RenameError) -> None:
    assert re.search(r"[Rr]un(: invoicing rename | the same command again)", str(error)), error
    assert len(str(error).splitlines()) == 1
    assert str(TARGET) in str(error)


async def said(messages: list[str], times: int) -> None:
    """Return when there are so many messages."""

    async def enough() -> bool:
        return len(messages) >= times

    await until(enough)


async def complete(rename: Rename) -> None:
    """Walk to the end; what went wrong before must not matter now."""
    await verified(rename)
    await gate_opens(rename)
    await rename.contract(confirm="invoice.amt")


async def test_a_lock_held_by_another_session_is_named_and_nothing_is_changed(
    rename: Rename, url: URL
) -> None:
    before = await catalog_of(url)
    async with foreign_lock(url) as holder:
        with pytest.raises(RenameBlockedError) as raised:
            await rename.expand()
    assert f"pid {holder}" in str(raised.value)
    assert "forgotten console" in str(raised.value)
    assert_says_what_to_run(raised.value)
    assert not [row for row in await catalog_of(url) if row not in before]
    await complete(rename)


async def test_a_waiting_statement_never_holds_up_others_longer_than_its_limit(
    rename: Rename, url: URL
) -> None:
    reader = await connect(url, lock_timeout="1s")
    async with foreign_lock(url):
        expanding = asyncio.create_task(rename.expand())
        while not expanding.done():
            # It may wait for a second: ten times what the statement ahead of it may wait.
            await reader.fetchval("SELECT count(*) FROM (SELECT FROM invoice LIMIT 1) AS i")
            await asyncio.sleep(0.01)
        with pytest.raises(RenameBlockedError):
            await expanding
    await reader.close()


async def test_a_forgotten_transaction_is_named_by_the_plan_and_by_the_status(
    rename: Rename, url: URL
) -> None:
    impatient = Rename(rename.database, TARGET, Options(max_transaction_age=0.1))
    async with idle_transaction(url, "SELECT count(*) FROM invoice") as pid:
        await asyncio.sleep(0.15)  # older than its limit
        findings = (await impatient.plan()).findings
        named = [
            finding for finding in findings if str(pid) in f"{finding.subject} {finding.message}"
        ]
        assert named, [finding.slug for finding in findings]
        assert pid in {blocker.pid for blocker in (await impatient.status()).blockers}
    await complete(rename)


async def test_a_lock_that_is_let_go_in_time_is_waited_for(rename: Rename, url: URL) -> None:
    patient = Rename(rename.database, TARGET, Options(lock_timeout=0.2, lock_attempts=50))
    waits = "SELECT count(*) FROM pg_locks WHERE relation = 'invoice'::regclass AND NOT granted"
    async with foreign_lock(url), connected(url) as watcher:
        expanding = asyncio.create_task(patient.expand())
        # More often than once: what waited in vain has let go, and tries again.
        for granted in (waits, f"SELECT 0 = ({waits})", waits):
            await until(partial(watcher.fetchval, granted))
        assert not expanding.done()
    await expanding
    assert (await patient.status()).phase is Phase.EXPANDED


@pytest.mark.parametrize("after_batches", [1, 10])
async def test_a_lost_connection_keeps_what_is_done_and_says_how_to_go_on(
    rename: Rename, url: URL, after_batches: int
) -> None:
    await rename.expand()
    steps: list[Progress] = []

    def cut(progress: Progress) -> None:
        steps.append(progress)
        if len(steps) == after_batches:
            cutting.append(asyncio.ensure_future(terminate_backends(url, "invoicing rename")))

    cutting: list[asyncio.Future[int]] = []
    with pytest.raises(RenameInterruptedError) as raised:
        await rename.backfill(progress=cut)
    assert await cutting[0] > 0
    assert_says_what_to_run(raised.value)
    rows, missing, different = await counts_of(url)
    assert rows == INVOICES
    assert 0 < missing < INVOICES
    assert different == 0
    status = await rename.status()
    assert status.rows_done >= steps[after_batches - 1].rows_done
    await complete(rename)


async def test_an_account_that_does_not_own_the_table_is_refused_before_anything_changes(
    url: URL,
) -> None:
    before = await catalog_of(url)
    async with account_without_rights(url) as clerk, Database(clerk, Settings()) as database:
        rename = Rename(database, TARGET, HASTY)
        refusals = (await rename.plan()).refusals
        assert any("clerk_" in f"{refusal.subject} {refusal.message}" for refusal in refusals), (
            refusals
        )
        with pytest.raises(RenameRefusedError) as raised:
            await rename.expand()
        assert "clerk_" in str(raised.value)
        assert await catalog_of(url) == before
        # The clerk's account could not be dropped if anything had been given to it.


async def test_a_full_disk_keeps_every_batch_that_was_committed(own_server: Server) -> None:
    url = await own_sample_before(own_server, INVOICES)
    with small_disk(own_server.data_dir, megabytes=3) as folder:
        async with (
            small_tablespace(url, folder) as tablespace,
            Database(url, Settings()) as database,
        ):
            rename = Rename(database, TARGET, Options(batch_size=200, stripes=1, quiet=0.2))
            await rename.expand()
            await execute(url, f"ALTER TABLE invoice SET TABLESPACE {tablespace}")
            room = folder / "something else"
            room.write_bytes(bytes(shutil.disk_usage(folder).free - 100_000))
            with pytest.raises(RenameFailedError) as raised:
                await rename.backfill()
            assert raised.value.sqlstate == "53100"
            assert_says_what_to_run(raised.value)
            rows, missing, different = await counts_of(url)
            assert rows == INVOICES
            assert 0 < missing < INVOICES
            assert different == 0
            room.unlink()
            assert (await rename.backfill()).completed
            assert await counts_of(url) == (INVOICES, 0, 0)
            await execute(url, "ALTER TABLE invoice SET TABLESPACE pg_default")
            await complete(rename)


async def test_a_replica_that_lags_is_waited_for(own_server: Server) -> None:
    url = await own_sample_before(own_server, INVOICES)
    standby = make_standby(own_server, own_server.data_dir.with_name("standby"))
    await asyncio.to_thread(standby.ensure_running)
    follower = await connect(standby.url())
    waits: list[str] = []

    def note(progress: Progress) -> None:
        if progress.waiting:
            waits.append(progress.waiting)

    async with renaming(url, max_replica_lag=0.2, pause=0.05) as rename:
        await rename.expand()
        await follower.execute("SELECT pg_wal_replay_pause()")
        try:
            filling = asyncio.create_task(rename.backfill(progress=note))
            await said(waits, 1)
            behind = await counts_of(url)
            await said(waits, 3)
            assert await counts_of(url) == behind, "it waits, and fills no row meanwhile"
            assert 0 < behind[1] < INVOICES
            lag = (await rename.status()).lag
            assert lag is not None
            assert lag > 0.2
            await follower.execute("SELECT pg_wal_replay_resume()")
            assert (await filling).completed
        finally:
            await follower.close()
            await asyncio.to_thread(standby.stop)
    assert re.fullmatch(r"replica standby is \d+\.\d s behind, and may be 0\.2 s", waits[0])
    assert await counts_of(url) == (INVOICES, 0, 0)


async def test_two_operators_at_once_the_second_learns_who_is_at_work(
    rename: Rename, url: URL
) -> None:
    await rename.expand()
    begun = asyncio.Event()
    slow = Rename(rename.database, TARGET, Options(batch_size=200, pause=0.2))
    stop = asyncio.Event()
    first = asyncio.create_task(slow.backfill(progress=lambda _: begun.set(), stop=stop))
    await begun.wait()
    async with Database(url, Settings(application_name="second operator")) as database:
        with pytest.raises(RenameInProgressError, match=r"pid \d+ \(invoicing rename, since "):
            await Rename(database, TARGET, HASTY).backfill()
    stop.set()
    assert not (await first).completed
    await complete(rename)


async def test_limits_on_sessions_and_transactions_do_not_end_the_operator(
    rename: Rename, url: URL
) -> None:
    async with connected(url) as client:
        known = await client.fetch(
            "SELECT name FROM pg_settings WHERE name IN ('idle_session_timeout',"
            " 'transaction_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout')"
        )
    await execute(url, *(f"ALTER DATABASE {url.database} SET {row[0]} = '100ms'" for row in known))
    await rename.expand()
    slow = Rename(rename.database, TARGET, Options(batch_size=1_000, pause=0.15))
    assert (await slow.backfill()).completed


async def test_limits_that_no_statement_can_meet_end_no_phase_either(url: URL) -> None:
    short = ("statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")
    options = " ".join(f"-c {name}=1ms" for name in short)
    async with renaming(url.update_query_dict({"options": options})) as rename:
        await verified(rename)


async def test_a_prepared_transaction_that_was_forgotten_is_named(own_server: Server) -> None:
    url = await own_sample_before(own_server, INVOICES)
    gid = f"left {url.database}"
    await execute(url, f"BEGIN; SELECT FROM invoice LIMIT 1; PREPARE TRANSACTION '{gid}'")
    async with renaming(url, lock_timeout=0.1, lock_attempts=2, max_transaction_age=0) as rename:
        with pytest.raises(RenameBlockedError) as raised:
            await rename.expand()
        assert f"prepared transaction '{gid}'" in str(raised.value)
        assert "ROLLBACK PREPARED" in str(raised.value)
        subjects = [finding.subject for finding in (await rename.plan()).findings]
        assert any(gid in subject for subject in subjects)
        assert any(gid in blocker.application for blocker in (await rename.status()).blockers)
        await execute(url, f"ROLLBACK PREPARED '{gid}'")
        await complete(rename)


async def test_a_rollback_that_something_stands_against_names_it_and_changes_nothing(
    rename: Rename, url: URL
) -> None:
    await rename.expand()
    await execute(url, "CREATE VIEW cents AS SELECT amount_cents AS amt FROM invoice")
    with pytest.raises(RenameFailedError, match="view cents depends on column") as raised:
        await rename.rollback()
    assert "CASCADE" not in str(raised.value)
    assert_says_what_to_run(raised.value)
    assert (await rename.status()).phase is Phase.EXPANDED
    await execute(url, "DROP VIEW cents")
    await rename.rollback()
    assert (await rename.status()).phase is Phase.NONE
