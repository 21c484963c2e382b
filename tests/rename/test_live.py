"""A running backfill is paused, resumed and throttled from another session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.cli.rename_metrics import openmetrics
from invoicing.errors import UsageError
from invoicing.toolkit.rename.errors import RenamePhaseError
from tests.rename.bills import make_bills, renaming, verified

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Progress

ROWS = 3_000


async def test_a_pause_holds_between_two_batches_until_it_is_resumed(
    empty_database_url: URL,
) -> None:
    url = await make_bills(empty_database_url, ROWS)
    waits: asyncio.Queue[Progress] = asyncio.Queue()

    def note(progress: Progress) -> None:
        if progress.waiting and progress.waiting.startswith("paused by"):
            waits.put_nowait(progress)

    async with renaming(url) as rename, renaming(url) as other, asyncio.timeout(60):
        await rename.expand()
        assert (await other.pause()).paused
        running = asyncio.create_task(rename.backfill(progress=note))
        held = await waits.get()
        assert held.rows_done < ROWS
        assert (await waits.get()).rows_done == held.rows_done
        assert "paused" in (await other.status()).live
        assert not (await other.resume()).paused
        report = await running
    assert report.completed
    assert report.rows_updated == ROWS


async def test_a_paused_backfill_can_be_stopped_and_stays_paused(empty_database_url: URL) -> None:
    url = await make_bills(empty_database_url, ROWS)
    stop = asyncio.Event()

    def note(progress: Progress) -> None:
        if progress.waiting:
            stop.set()

    async with renaming(url) as rename, asyncio.timeout(60):
        await rename.expand()
        await rename.pause()
        assert not (await rename.backfill(progress=note, stop=stop)).completed
        assert "paused" in (await rename.status()).live
        await rename.resume()
        assert (await rename.status()).live == ""
        assert (await rename.backfill()).completed


async def test_a_throttled_backfill_takes_smaller_batches_from_then_on(
    empty_database_url: URL,
) -> None:
    url = await make_bills(empty_database_url, ROWS)
    async with renaming(url, batch_size=1_000) as rename, renaming(url) as other:
        await rename.expand()
        await other.throttle(batch_size=50, pause=0.001)
        await other.throttle(target=0.2)
        assert (await other.status()).live.startswith("pause 0.001, batch-size 50, target 0.2 (by ")
        sizes: list[int] = []
        report = await rename.backfill(progress=lambda at: sizes.append(at.batch_size))
        assert report.completed
        assert max(sizes[1:]) <= 50
        assert report.batches > ROWS / 200


async def test_reset_lets_the_backfills_own_options_count(empty_database_url: URL) -> None:
    url = await make_bills(empty_database_url, 10)
    async with renaming(url) as rename:
        await rename.expand()
        await rename.throttle(batch_size=50, max_replica_lag=3)
        settings = await rename.throttle(reset=True, pause=0.5)
        assert settings.changes == {"pause": 0.5}


async def test_what_counts_for_the_next_run_is_reset_after_the_backfill_too(
    empty_database_url: URL,
) -> None:
    url = await make_bills(empty_database_url, 10)
    async with renaming(url) as rename:
        with pytest.raises(RenamePhaseError):
            await rename.throttle(reset=True)
        await rename.expand()
        await rename.throttle(batch_size=50)
        await verified(rename)
        with pytest.raises(RenamePhaseError):
            await rename.throttle(reset=True, batch_size=60)
        assert (await rename.throttle(reset=True)).changes == {}


async def test_what_no_backfill_could_be_given_is_refused(empty_database_url: URL) -> None:
    url = await make_bills(empty_database_url, 10)
    async with renaming(url) as rename:
        with pytest.raises(RenamePhaseError):
            await rename.pause()
        await rename.expand()
        with pytest.raises(UsageError):
            await rename.throttle(batch_size=0)
        assert (await rename.status()).live == ""
        await verified(rename)
        with pytest.raises(RenamePhaseError):
            await rename.pause()


async def test_the_metrics_are_what_the_status_says(empty_database_url: URL) -> None:
    url = await make_bills(empty_database_url, 10)
    async with renaming(url) as rename:
        await verified(rename)
        text = openmetrics(await rename.status())
    lines = text.splitlines()
    labels = 'table="bill",old="amt",new="amount_cents"'
    assert f"invoicing_rename_rows_done{{{labels}}} 10" in lines
    assert f'invoicing_rename_phase{{{labels},invoicing_rename_phase="verified"}} 1' in lines
    assert f'invoicing_rename_phase{{{labels},invoicing_rename_phase="none"}} 0' in lines
    assert lines[-1] == "# EOF"
    assert not [line for line in lines if "replica_lag" in line]
