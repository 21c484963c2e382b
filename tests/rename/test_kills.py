"""Killed at random moments and started again, a rename ends as if nothing had happened.

The operator's process, its connections and the whole server take turns. `INVOICING_TEST_KILLS` says
how many kills there are (3 if not set; 50 take some minutes).
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from invoicing.practice import NEW_CODE, Traffic
from tests.rename.before import own_sample_before
from tests.rename.faults import own_sample
from tests.rename.operators import KILLS, KINDS, kill, operator
from tests.rename.state import catalog_of, counts_of

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server

INVOICES = 10_000
# Seconds that the walk to the contract takes about: the kills fall into every phase of it.
WALK = 1.0


async def walk_to_the_end(url: URL, strategy: str, traffic: Traffic) -> None:
    """Rename without a kill, with a deploy where it belongs."""
    async with operator(url, strategy) as last:
        assert await last.comes_to("ready"), await last.end()
        rows, missing, different = await counts_of(url)
        assert rows > 0
        assert (missing, different) == (0, 0)
        await traffic.deploy()
        await traffic.drain(traffic.old)
        await last.go_on()
        code, said = await last.end()
    assert code == 0, said


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_killed_at_any_moment_it_goes_on_to_the_same_end(
    own_server: Server, strategy: str
) -> None:
    url = await own_sample_before(own_server, INVOICES)
    chance = random.Random(strategy)
    async with Traffic(url, rate=50, clients=4) as traffic:
        for number in range(KILLS):
            async with operator(url, strategy) as victim:
                await victim.comes_to("begun")
                await asyncio.sleep(chance.uniform(0, WALK))
                await kill(KINDS[number % len(KINDS)], victim, own_server, url)
        await walk_to_the_end(url, strategy, traffic)
        await traffic.answered(20)
    assert not traffic.figures().failures
    report = await traffic.verify(NEW_CODE)
    assert report.intact, report.differences[:5]
    # As if the table had been made with the new name; columns may stand in another order.
    as_made = await catalog_of(await own_sample(own_server, 10))
    assert sorted(await catalog_of(url)) == sorted(as_made)
