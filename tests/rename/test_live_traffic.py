"""Old and new clients are at work through every phase, and none of their requests fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import literal_column

from invoicing.db import Database
from invoicing.practice import NEW_CODE, OLD_CODE, CodeVersion, RequestOutcome, Traffic
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from tests.rename.before import before_the_rename
from tests.rename.state import catalog_of, counts_of, gate_opens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

INVOICES = 20_000
TARGET = Target("invoice", "amt", "amount_cents")
OPTIONS = {"batch_size": 500, "workers": 2, "quiet": 0.5}
CONFIRM = "invoice.amt"


class EveryColumn(CodeVersion):
    """Code that asks for `*`: what it prepared is refused once after each change of the table."""

    @property
    def read(self):
        return super().read.add_columns(literal_column("invoice.*"))


url = before_the_rename(accounts=50, invoices=INVOICES)


@pytest.fixture
async def database(url: URL) -> AsyncIterator[Database]:
    async with Database(url, Settings()) as database:
        yield database


def assert_unnoticed(traffic: Traffic) -> None:
    figures = traffic.figures()
    assert not figures.failures, "\n".join(map(str, figures.failures))
    assert figures.requests == {RequestOutcome.DONE: figures.done}


async def contracted(rename: Rename, traffic: Traffic) -> None:
    """Deploy new code everywhere, wait until the gate opens, and drop the old name."""
    await traffic.deploy(over=0.3)
    await traffic.drain(OLD_CODE)
    await gate_opens(rename)
    await rename.contract(confirm=CONFIRM)
    await traffic.answered(100)


async def test_three_steps_under_traffic_lose_nothing_and_fail_no_request(
    database: Database, url: URL
) -> None:
    rename = Rename(database, TARGET, Options(**OPTIONS))
    async with Traffic(url, clients=6, rate=150) as traffic:
        await traffic.answered(50)
        await rename.expand()
        # From now on new code may write, and does, while every old row still lacks its value.
        traffic.join(NEW_CODE, 2, blind=True)
        await traffic.answered(100)
        assert (await counts_of(url))[2] == 0
        assert (await rename.backfill()).completed
        rows, missing, different = await counts_of(url)
        assert rows > INVOICES
        assert (missing, different) == (0, 0)
        assert (await rename.verify()).ok
        await traffic.answered(50)
        assert not (await rename.gate()).open, "old code is at work"
        await contracted(rename, traffic)
    assert_unnoticed(traffic)
    assert traffic.figures().replanned == 0
    report = await traffic.verify(NEW_CODE)
    assert report.intact, report.differences[:5]
    assert report.rows > 1_000
    assert report.uncertain == 0


async def test_the_view_under_traffic_loses_nothing_and_fails_no_request(
    database: Database, url: URL
) -> None:
    rename = Rename(database, TARGET, Options(strategy="view", quiet=0.5))
    async with Traffic(url, clients=6, rate=150) as traffic:
        await traffic.answered(50)
        await rename.expand()
        traffic.join(NEW_CODE, 2)
        await traffic.answered(150)
        assert (await counts_of(url))[1:] == (0, 0)
        assert (await rename.backfill()).completed
        assert (await rename.verify()).ok
        await contracted(rename, traffic)
    assert_unnoticed(traffic)
    report = await traffic.verify(NEW_CODE)
    assert report.intact, report.differences[:5]


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_a_rollback_from_the_middle_leaves_what_was_there_before(
    database: Database, url: URL, strategy: str
) -> None:
    before = await catalog_of(url)
    rename = Rename(database, TARGET, Options(strategy=strategy, **OPTIONS))
    stop = asyncio.Event()
    async with Traffic(url, clients=6, rate=150) as traffic:
        await rename.expand()
        traffic.join(NEW_CODE, 2, blind=True)
        await traffic.answered(50)
        await rename.backfill(progress=lambda _: stop.set(), stop=stop)
        await traffic.answered(50)
        # The new code goes first: its name is about to go.
        await traffic.deploy(OLD_CODE, over=0.3)
        await traffic.drain(NEW_CODE)
        await rename.rollback()
        await traffic.answered(100)
    assert_unnoticed(traffic)
    assert await catalog_of(url) == before
    assert (await rename.status()).phase is Phase.NONE
    report = await traffic.verify(OLD_CODE)
    assert report.intact, report.differences[:5]


async def test_a_deploy_that_is_taken_back_and_made_again_loses_nothing(
    database: Database, url: URL
) -> None:
    rename = Rename(database, TARGET, Options(**OPTIONS))
    async with Traffic(url, clients=6, rate=150) as traffic:
        await rename.expand()
        await rename.backfill()
        await rename.verify()
        for code in (NEW_CODE, OLD_CODE):
            await traffic.deploy(code, over=0.3)
            await traffic.answered(100)
        assert (await counts_of(url))[1:] == (0, 0)
        await contracted(rename, traffic)
    assert_unnoticed(traffic)
    assert (await traffic.verify(NEW_CODE)).intact


async def test_a_service_that_asks_for_every_column_is_refused_a_plan_once_and_survives(
    database: Database, url: URL
) -> None:
    old, new = EveryColumn("old", "amt"), EveryColumn("new", "amount_cents")
    rename = Rename(database, TARGET, Options(**OPTIONS))
    async with Traffic(url, clients=4, rate=150, old=old, new=new) as traffic:
        await traffic.answered(100)
        await rename.expand()
        await traffic.answered(100)
        after_expand = traffic.figures().replanned
        await rename.backfill()
        await rename.verify()
        await traffic.deploy()
        await traffic.drain(old)
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)
        await traffic.answered(100)
    assert 0 < after_expand < traffic.figures().replanned
    assert_unnoticed(traffic)
    assert (await traffic.verify(new)).intact
