"""Killed inside one phase, that phase ends when it is run again, with every row as it was."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from tests.conftest import execute
from tests.rename.before import own_sample_before
from tests.rename.faults import connected, idle_transaction, own_sample, until
from tests.rename.operators import KILLS, KINDS, kill, operator
from tests.rename.state import catalog_of, checksum_of

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server

INVOICES = 5_000
TARGET = Target("invoice", "amt", "amount_cents")
TIMES = max(KILLS // 3, 1)
INDEX = "CREATE INDEX ix_invoice_amount_cents ON invoice (amount_cents)"
# A snapshot that an index being built CONCURRENTLY has to wait for, and no lock on the table.
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT txid_current()"
WAITS = """
SELECT true FROM pg_stat_activity WHERE query ~ '^CREATE INDEX CONCURRENTLY'
    AND datname = current_database() AND wait_event_type = 'Lock'
"""
INVALID = """
SELECT true FROM pg_index WHERE indexrelid = to_regclass('ix_invoice_amount_cents')
    AND NOT indisvalid
"""
NOTHING_BUILDS = """
SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE query ~ 'CONCURRENTLY'
    AND datname = current_database() AND application_name = 'invoicing rename')
"""


async def comes_true(url: URL, query: str, within: float = 60) -> None:
    async with connected(url) as client:
        await until(lambda: client.fetchval(query), within)


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_killed_before_and_in_the_contract_every_row_keeps_its_value(
    own_server: Server, strategy: str
) -> None:
    url = await own_sample_before(own_server, INVOICES)
    before = await checksum_of(url, "amt")
    chance = random.Random(f"contract {strategy}")
    for _ in range(TIMES):
        async with operator(url, strategy) as victim:
            await victim.comes_to("begun")
            await asyncio.sleep(chance.uniform(0, 0.5))
        async with operator(url, strategy) as victim:
            # No client writes by the old name, so the gate opens when its time of quiet is over.
            if await victim.comes_to("ready"):
                await victim.go_on()
                await asyncio.sleep(chance.uniform(0.2, 0.5))
    async with operator(url, strategy) as last:
        await last.go_on()
        code, said = await last.end()
    assert code == 0, said
    assert await checksum_of(url, "amount_cents") == before


async def test_an_index_whose_build_was_killed_is_built_again(own_server: Server) -> None:
    url = await own_sample_before(own_server, INVOICES)
    await execute(url, "CREATE INDEX ix_invoice_amt ON invoice (amt)")
    for number in range(max(TIMES, len(KINDS))):
        async with idle_transaction(url, SNAPSHOT), operator(url) as victim:
            await comes_true(url, WAITS)
            await kill(KINDS[number % len(KINDS)], victim, own_server, url)
            # The server notices long before the statement would have waited in vain.
            await comes_true(url, NOTHING_BUILDS, within=15)
        await comes_true(url, INVALID)
    async with operator(url) as last:
        assert await last.comes_to("ready"), await last.end()
        await last.go_on()
        code, said = await last.end()
    assert code == 0, said
    as_made = await own_sample(own_server, 10)
    await execute(as_made, INDEX)
    assert sorted(await catalog_of(url)) == sorted(await catalog_of(as_made))


async def test_killed_while_it_validates_it_goes_on(own_server: Server) -> None:
    url = await own_sample_before(own_server, INVOICES)
    before = await checksum_of(url, "amt")
    chance = random.Random("verify")
    for _ in range(TIMES):
        async with operator(url) as victim:
            if await victim.comes_to("filled"):
                await asyncio.sleep(chance.uniform(0, 0.1))
    async with operator(url) as last:
        assert await last.comes_to("ready"), await last.end()
        assert await checksum_of(url, "amount_cents") == before


async def test_a_rollback_that_was_killed_is_ended_by_another(own_server: Server) -> None:
    url = await own_sample_before(own_server, INVOICES)
    before, values = await catalog_of(url), await checksum_of(url, "amt")
    chance = random.Random("rollback")
    async with Database(url, Settings()) as database:
        rename = Rename(database, TARGET, Options())
        for _ in range(TIMES):
            await rename.expand()
            await rename.backfill()
            await rename.verify()
            async with operator(url, end="rollback") as victim:
                await victim.comes_to("begun")
                await asyncio.sleep(chance.uniform(0, 0.2))
            await rename.rollback()
            assert (await rename.status()).phase is Phase.NONE
            assert await catalog_of(url) == before
    assert await checksum_of(url, "amt") == values
