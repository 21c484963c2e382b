"""Why a rename needs more than one statement: each short way fails under live traffic."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.practice import NEW_CODE, OLD_CODE, Traffic
from tests.conftest import execute
from tests.rename.before import before_the_rename
from tests.rename.faults import connect, connected, foreign_lock, terminate_backends, until

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

ADD = "ALTER TABLE invoice ADD amount_cents bigint"
FILL = "UPDATE invoice SET amount_cents = amt"
NOT_NULL = "ALTER TABLE invoice ALTER amount_cents SET NOT NULL"


url = before_the_rename(invoices=2_000)


def sqlstates(traffic: Traffic) -> set[str | None]:
    return {failure.sqlstate for failure in traffic.figures().failures}


async def test_renaming_in_place_breaks_old_code_until_the_deploy_is_over(url: URL) -> None:
    async with Traffic(url, rate=200) as traffic:
        await traffic.answered(20)
        await execute(url, "ALTER TABLE invoice RENAME amt TO amount_cents")
        await traffic.deploy(over=0.3)
        mark = traffic.mark()
        await traffic.answered(20)
    assert sqlstates(traffic) == {"42703"}
    assert not traffic.figures(mark).failures
    assert (await traffic.verify(NEW_CODE)).intact


async def test_not_null_before_the_deploy_breaks_every_insert_of_old_code(url: URL) -> None:
    async with Traffic(url, rate=200) as traffic:

        async def insert_failed() -> bool:
            return "insert" in {failure.operation for failure in traffic.figures().failures}

        await traffic.answered(20)
        await execute(url, f"BEGIN; LOCK TABLE invoice; {ADD}; {FILL}; {NOT_NULL}; COMMIT")
        await until(insert_failed)
    assert sqlstates(traffic) == {"23502"}
    # An update leaves the new column as it was: no error says so, and the two differ from now on.
    assert not (await traffic.verify(NEW_CODE)).intact
    assert (await traffic.verify(OLD_CODE)).intact


async def test_without_a_trigger_new_code_finds_old_values(url: URL) -> None:
    await execute(url, ADD, FILL)
    async with Traffic(url, rate=200) as traffic:
        await traffic.answered(50)
        await execute(url, "ALTER TABLE invoice ALTER amt DROP NOT NULL")
        await traffic.deploy()
        reasons = ""
        for _ in range(40):  # until new code has met what old code wrote after the fill
            if "has no amount_cents" in reasons:
                break
            await traffic.answered(50)
            reasons = " ".join(failure.reason for failure in traffic.figures().failures)
    assert "has no amount_cents" in reasons
    assert not (await traffic.verify(NEW_CODE)).intact


async def test_ddl_without_a_lock_timeout_stops_every_client_behind_one_reader(url: URL) -> None:
    async with Traffic(url, rate=200) as traffic:
        await traffic.answered(20)
        mark = traffic.mark()

        async def is_held_up() -> bool:
            return traffic.figures(mark).longest > 0.3

        async with foreign_lock(url):
            waiting = asyncio.create_task(execute(url, ADD))
            await until(is_held_up)
            assert not waiting.done()
        await waiting
        await traffic.answered(20)
    assert not traffic.figures().failures


async def test_one_statement_for_all_rows_keeps_nothing_when_it_dies(url: URL) -> None:
    await execute(url, ADD)
    connection = await connect(url, application_name="one big update")
    slow = "UPDATE invoice SET amount_cents = amt WHERE pg_sleep(0.001) IS NOT NULL"
    filling = asyncio.create_task(connection.execute(slow))
    begun = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ~ '^UPDATE'"
    )
    async with connected(url) as watcher:
        await until(lambda: watcher.fetchval(begun))
    assert await terminate_backends(url, "one big update") == 1
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await filling
    other = await connect(url)
    assert await other.fetchval("SELECT count(amount_cents) FROM invoice") == 0
    await other.close()
