"""Killed at random moments and started again, a rename ends as if nothing had happened.

The operator's process, its connections and the whole server take turns. `INVOICING_TEST_KILLS` says
how many kills there are (3 if not set; `make bench` takes 50).
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from invoicing.sample import NEW_CODE, Traffic
from tests.rename.before import own_sample_before
from tests.rename.faults import kill_server, own_sample, terminate_backends
from tests.rename.operator_process import FAILED
from tests.rename.state import catalog_of, checksum_of, counts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from invoicing.postgres import Server

KILLS = int(os.environ.get("INVOICING_TEST_KILLS", "3"))
INVOICES = 10_000
# Seconds that the walk to the contract takes about: the kills fall into every phase of it.
WALK = 1.5
KINDS = ("operator", "connections", "server")


class Operator:
    """A process that renames; it can be killed, and another one takes over."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, url: URL, strategy: str) -> Operator:
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.rename.operator_process",
                url.render_as_string(hide_password=False),
                strategy,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )

    async def go_on(self) -> None:
        """Let it contract."""
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()

    async def comes_to(self, point: str) -> bool:
        """Return whether it came to `point`, and did not end before."""
        while line := await self._process.stdout.readline():
            if line.decode().strip() == point:
                return True
        return False

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def end(self) -> tuple[int, str]:
        """Return its exit code and what it said at its end."""
        _, said = await self._process.communicate()
        return self._process.returncode, said.decode()


@asynccontextmanager
async def operator(url: URL, strategy: str) -> AsyncIterator[Operator]:
    process = await Operator.start(url, strategy)
    try:
        yield process
    finally:
        await process.kill()


async def kill(kind: str, operator: Operator, server: Server, url: URL) -> None:
    """Kill one of the three, and see that whoever is left behind says what to do."""
    if kind == "operator":
        await operator.kill()
        return
    if kind == "connections":
        await terminate_backends(url, "invoicing rename")
    else:
        await kill_server(server)
    if await operator.comes_to("ready"):
        # It was between two phases, without any connection to lose.
        await operator.kill()
        return
    code, said = await operator.end()
    assert code == FAILED, said
    assert "Traceback" not in said
    assert re.search(r"[Rr]un(: invoicing rename | the same command again)", said), said


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


async def test_kills_leave_every_row_with_the_value_it_had(own_server: Server) -> None:
    url = await own_sample_before(own_server, INVOICES)
    before = await checksum_of(url, "amt")
    chance = random.Random("values")
    for _ in range(KILLS):
        async with operator(url, "columns") as victim:
            await victim.comes_to("begun")
            await asyncio.sleep(chance.uniform(0, WALK))
            await victim.kill()
    async with operator(url, "columns") as last:
        assert await last.comes_to("ready"), await last.end()
    assert await checksum_of(url, "amt") == before
    assert await checksum_of(url, "amount_cents") == before


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_killed_in_the_contract_it_ends_it(own_server: Server, strategy: str) -> None:
    url = await own_sample_before(own_server, INVOICES)
    before = await checksum_of(url, "amt")
    chance = random.Random(f"contract {strategy}")
    for _ in range(KILLS):
        async with operator(url, strategy) as victim:
            # Nobody writes by the old name, so the gate opens when its time of quiet is over.
            if await victim.comes_to("ready"):
                await victim.go_on()
                await asyncio.sleep(chance.uniform(0.2, 0.5))
            await victim.kill()
    async with operator(url, strategy) as last:
        await last.go_on()
        code, said = await last.end()
    assert code == 0, said
    assert await checksum_of(url, "amount_cents") == before
