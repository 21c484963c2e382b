"""The faults do what they say, and live traffic comes through them with its ledger intact."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.practice import CodeVersion, RequestOutcome, Traffic
from invoicing.toolkit.postgres import Outcome
from tests.conftest import execute
from tests.rename.faults import (
    account_without_rights,
    connect,
    kill_server,
    own_sample,
    small_disk,
    small_tablespace,
    terminate_backends,
)

if TYPE_CHECKING:
    from invoicing.toolkit.postgres import Server

KILLS = 3
CODE = CodeVersion("old", "amount_cents")


async def test_a_server_killed_under_traffic_keeps_every_acknowledged_write(
    own_server: Server,
) -> None:
    url = await own_sample(own_server, 1_000)
    async with Traffic(url, rate=200, old=CODE) as traffic:
        for kill in range(KILLS):
            await traffic.answered(random.Random(kill).randrange(10, 100))
            assert (await kill_server(own_server)).outcome is Outcome.RECOVERED
        await traffic.answered(50)
    figures = traffic.figures()
    assert not figures.failures
    assert figures.requests[RequestOutcome.LOST] + figures.requests[RequestOutcome.UNAVAILABLE] > 0
    assert (await traffic.verify(CODE)).intact


async def test_ended_backends_lose_no_acknowledged_write(own_server: Server) -> None:
    url = await own_sample(own_server, 1_000)
    async with Traffic(url, rate=200, old=CODE) as traffic:
        for _ in range(KILLS):
            await traffic.answered(30)
            assert await terminate_backends(url, "invoicing % code") > 0
        await traffic.answered(30)
    assert not traffic.figures().failures
    assert (await traffic.verify(CODE)).intact


async def test_a_full_disk_fails_one_statement_and_nothing_else(own_server: Server) -> None:
    url = await own_sample(own_server, 1_000)
    with small_disk(own_server.data_dir, megabytes=2) as folder:
        async with small_tablespace(url, folder) as tablespace:
            await execute(url, f"ALTER TABLE invoice SET TABLESPACE {tablespace}")
            connection = await connect(url)
            with pytest.raises(asyncpg.DiskFullError):
                for _ in range(50):
                    await connection.execute("UPDATE invoice SET amount_cents = amount_cents + 1")
            assert await connection.fetchval("SELECT count(*) FROM invoice") == 1_000
            await connection.execute("DROP TABLE invoice CASCADE")
            await connection.close()


async def test_a_clerk_may_write_invoices_and_change_no_table(own_server: Server) -> None:
    url = await own_sample(own_server, 1_000)
    async with account_without_rights(url) as clerk:
        connection = await connect(clerk)
        assert await connection.fetchval("SELECT count(*) FROM invoice") == 1_000
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("ALTER TABLE invoice ADD note text")
        await connection.close()
