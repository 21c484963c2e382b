"""Live traffic notices what goes wrong: a lost write, a failed request, a long wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy import literal_column, text

from invoicing.db import Database
from invoicing.practice import CodeVersion, RequestOutcome, Traffic
from invoicing.practice.figures import LatencyRecorder
from invoicing.practice.ledger import NO_ROW
from invoicing.sample import load_sample
from invoicing.services.errors import NoSuchAccountNameError
from invoicing.settings import Settings
from tests.conftest import execute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

# Two versions with one name for the amount: the rename itself is tested in tests/rename.
OLD = CodeVersion("old", "amount_cents")
NEW = CodeVersion("new", "amount_cents")


@dataclass(frozen=True)
class EveryColumn(CodeVersion):
    """Code that asks for `*`, as no service should."""

    @cached_property
    def read(self):
        # The amount comes first, for it is what the client compares.
        return super().read.add_columns(literal_column("invoice.*"))


@pytest.fixture
async def url(migrated_database_url: URL) -> AsyncIterator[URL]:
    async with Database(migrated_database_url, Settings()) as database:
        await load_sample(database, accounts=20, invoices=500)
    return migrated_database_url


def traffic_on(url: URL, **keywords: object) -> Traffic:
    return Traffic(url, **{"clients": 4, "rate": 200, "old": OLD, "new": NEW} | keywords)


async def connect(url: URL) -> asyncpg.Connection:
    return await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False)
    )


async def test_every_acknowledged_write_is_found_with_its_last_value(url: URL) -> None:
    async with traffic_on(url) as traffic:
        await traffic.answered(200)
    figures = traffic.figures()
    assert not figures.failures
    assert set(figures.by_operation) == {
        *("insert", "upsert", "set", "add", "add to shared"),
        *("read and set", "read", "list", "delete"),
    }
    report = await traffic.verify(OLD)
    assert report.intact
    assert report.rows > 500
    assert report.gone == figures.by_operation["delete"]
    assert report.uncertain == 0


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE invoice SET amount_cents = amount_cents + 1 WHERE id = $1", "wrong"),
        ("DELETE FROM invoice WHERE id = $1", NO_ROW),
    ],
)
async def test_one_row_that_is_not_as_it_was_written_is_named(
    url: URL, change: str, found: object
) -> None:
    async with traffic_on(url) as traffic:
        await traffic.answered(50)
    (row, amount) = next(
        (row, amount)
        for row in traffic.ledger.rows
        for amount in traffic.ledger.amounts(row)
        if isinstance(amount, int)
    )
    connection = await connect(url)
    await connection.execute(change, row)
    await connection.close()
    report = await traffic.verify(OLD)
    assert not report.intact
    (difference,) = report.differences
    assert (difference.row, difference.expected) == (row, {amount})
    assert difference.found == (amount + 1 if found == "wrong" else NO_ROW)
    assert f"{row}: amount_cents should be {amount:,}, and is " in str(difference)


async def test_a_deleted_row_that_is_back_is_named(url: URL) -> None:
    async with traffic_on(url) as traffic:
        await traffic.answered(100)
    deleted = next(row for row in traffic.ledger.rows if traffic.ledger.amounts(row) == {NO_ROW})
    connection = await connect(url)
    await connection.execute(
        "INSERT INTO invoice (id, account_id, amount_cents, currency)"
        " SELECT $1, id, 1, 'EUR' FROM account LIMIT 1",
        deleted,
    )
    await connection.close()
    (difference,) = (await traffic.verify(OLD)).differences
    assert (difference.row, difference.found) == (deleted, 1)


async def test_a_column_renamed_under_running_code_is_a_failed_request(url: URL) -> None:
    async with traffic_on(url) as traffic:
        await traffic.answered(20)
        await execute(url, "ALTER TABLE invoice RENAME amount_cents TO amt")
        await asyncio.sleep(0.3)
    figures = traffic.figures()
    assert figures.failed > 0
    assert {failure.sqlstate for failure in figures.failures} == {"42703"}
    assert all(
        "column" in failure.reason and "amount_cents" in failure.reason
        for failure in figures.failures
    )
    # Requests that failed changed nothing, so what was acknowledged before is all there.
    assert (await traffic.verify(CodeVersion("old", "amt"))).intact


async def test_a_row_without_the_amount_is_a_failed_request(url: URL) -> None:
    await execute(
        url,
        "ALTER TABLE invoice ALTER amount_cents DROP NOT NULL",
        "ALTER TABLE invoice ADD amt bigint",
    )
    async with traffic_on(url, new=CodeVersion("new", "amt")) as traffic:
        await traffic.deploy()
        await traffic.ended(100)
    reasons = " ".join(failure.reason for failure in traffic.figures().failures)
    assert "has no amt" in reasons
    assert "read NULL where" in reasons


async def test_a_deploy_moves_client_after_client_while_both_versions_are_at_work(url: URL) -> None:
    async with traffic_on(url) as traffic:
        await traffic.answered(20)
        mark = traffic.mark()
        deploy = asyncio.create_task(traffic.deploy(over=0.6))
        await asyncio.sleep(0.3)
        assert all(traffic.code_of_clients.values())
        await deploy
        assert traffic.code_of_clients == {"old": 0, "new": 4}
        meanwhile = traffic.figures(mark)
        assert meanwhile.by_code["old"] > 0
        assert meanwhile.by_code["new"] > 0
        mark = traffic.mark()
        await traffic.answered(50)
        assert set(traffic.figures(mark).by_code) == {"new"}
        await traffic.drain(OLD)
        connection = await connect(url)
        assert not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'invoicing old code'"
        )
        await connection.close()
    assert not traffic.figures().failures
    assert (await traffic.verify()).intact


async def test_a_lost_connection_is_no_failed_request_and_loses_no_write(url: URL) -> None:
    connection = await connect(url)
    async with traffic_on(url) as traffic:
        for _ in range(5):
            await traffic.answered(20)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'invoicing old code'"
            )
        await traffic.answered(20)
    await connection.close()
    figures = traffic.figures()
    assert not figures.failures
    # Those that sat in the pool are replaced unseen; those at work are lost.
    assert figures.requests.get(RequestOutcome.UNAVAILABLE, 0) == 0
    report = await traffic.verify(OLD)
    assert report.intact
    assert report.uncertain <= figures.requests.get(RequestOutcome.LOST, 0)


async def test_a_request_that_waits_for_a_lock_is_seen_while_it_waits(url: URL) -> None:
    connection = await connect(url)
    async with traffic_on(url) as traffic:
        await traffic.answered(20)
        mark = traffic.mark()
        async with connection.transaction():
            await connection.execute("LOCK TABLE invoice")
            await asyncio.sleep(0.5)
            assert 0.3 < traffic.figures(mark).longest < 0.6
        await traffic.answered(20)
        assert traffic.figures(mark).longest > 0.4
    await connection.close()
    assert not traffic.figures().failures


async def test_code_that_asks_for_every_column_is_planned_again_and_survives(url: URL) -> None:
    async with traffic_on(url, old=EveryColumn("old", "amount_cents")) as traffic:
        await traffic.answered(50)
        await execute(url, "ALTER TABLE invoice ADD note text")
        await traffic.answered(50)
    figures = traffic.figures()
    assert figures.replanned > 0
    assert not figures.failures
    assert (await traffic.verify(OLD)).intact


async def test_code_that_names_its_columns_does_not_notice_a_new_one(url: URL) -> None:
    async with traffic_on(url) as traffic:
        await traffic.answered(50)
        await execute(url, "ALTER TABLE invoice ADD note text")
        await traffic.answered(50)
    assert traffic.figures().replanned == 0
    assert not traffic.figures().failures


async def test_without_accounts_it_says_what_to_run(migrated_database_url: URL) -> None:
    with pytest.raises(NoSuchAccountNameError, match="Run: invoicing sample"):
        async with traffic_on(migrated_database_url):
            pass


async def test_new_connections_are_named_after_the_version_of_the_code(url: URL) -> None:
    async with traffic_on(url) as traffic, Database(url, Settings()) as database:
        await traffic.answered(10)
        async with database.read_only() as session:
            names = await session.scalars(
                text("SELECT application_name FROM pg_stat_activity WHERE state IS NOT NULL")
            )
            assert "invoicing old code" in set(names)


def test_figures_since_a_mark_leave_out_what_was_before() -> None:
    recorder = LatencyRecorder()
    for client in range(100):
        sent = recorder.start(client)
        recorder.done(client, sent - 10, "old", "read")
    mark = recorder.mark()
    sent = recorder.start(1)
    recorder.done(1, sent, "new", "read")
    recorder.start(2)
    recorder.failed(2, "new", "set", "no such column", "42703")
    since = recorder.figures(mark)
    assert (since.done, since.failed, since.by_code) == (1, 1, {"new": 1})
    assert since.p99 < 1
    assert [failure.operation for failure in since.failures] == ["set"]
    assert recorder.figures().p99 > 10
    assert recorder.figures().done == 101
