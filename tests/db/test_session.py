"""Sessions: where transactions begin and end, what they cost, and what they never show."""

from __future__ import annotations

import asyncio
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession as SqlAlchemyAsyncSession

from invoicing.db import AsyncSession, Database
from invoicing.errors import DatabaseUnavailableError, UsageError
from invoicing.settings import Settings
from tests.conftest import execute
from tests.factories import create_account
from tests.pgbouncer import pgbouncer
from tests.wire import counted_wire

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

READ_ONLY, QUERY_CANCELED, LOCK_NOT_AVAILABLE = "25006", "57014", "55P03"


async def count(database: Database) -> int:
    async with database.read_only() as session:
        return await session.scalar(text("SELECT count(*) FROM account"))


def test_the_session_class_is_sqlalchemys() -> None:
    assert AsyncSession is SqlAlchemyAsyncSession


async def test_a_transaction_commits_at_its_end(database: Database) -> None:
    async with database.transaction() as session:
        session.add(create_account())
    assert await count(database) == 1


async def test_closing_what_the_server_has_ended_is_no_news(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    other = Database(database.url, Settings(application_name="ended"))
    assert await count(other) == 0
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    ended += " WHERE application_name = 'ended'"
    # In another thread's loop, so that nothing tells ours before it says goodbye.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, execute(database.url, ended)).result()
    await other.dispose()
    assert caplog.records == []


async def test_a_transaction_rolls_back_when_its_block_raises(database: Database) -> None:
    with pytest.raises(LookupError):
        async with database.transaction() as session:
            session.add(create_account())
            await session.flush()
            raise LookupError
    assert await count(database) == 0


async def test_a_read_only_session_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.read_only() as session:
            await session.execute(text("DELETE FROM account"))
    assert caught.value.orig.sqlstate == READ_ONLY


async def refuses_writes(url: URL, settings: Settings) -> None:
    async with Database(url, settings) as database:
        assert await count(database) == 0
        with pytest.raises(DBAPIError) as caught:
            async with database.transaction() as session:
                session.add(create_account())
        assert caught.value.orig.sqlstate == READ_ONLY
        assert await count(database) == 0


async def test_with_the_read_only_setting_a_transaction_cannot_write_either(
    migrated_database_url: URL,
) -> None:
    await refuses_writes(migrated_database_url, Settings(read_only=True))


async def test_nor_can_it_behind_pgbouncer(migrated_database_url: URL) -> None:
    with pgbouncer(migrated_database_url, pool_size=1) as url:
        await refuses_writes(url, Settings(read_only=True, pgbouncer=True))


async def test_reads_are_ended_and_writes_stop_waiting_for_locks(
    migrated_database_url: URL,
) -> None:
    limits = Settings(statement_timeout=0.05, lock_timeout=0.05)
    async with Database(migrated_database_url, limits) as database:
        with pytest.raises(DBAPIError) as caught:
            async with database.read_only() as session:
                await session.execute(text("SELECT pg_sleep(5)"))
        assert caught.value.orig.sqlstate == QUERY_CANCELED
        async with database.transaction() as holder:
            await holder.execute(text("LOCK TABLE account"))
            with pytest.raises(DBAPIError) as caught:
                async with database.transaction() as session:
                    await session.execute(text("LOCK TABLE account"))
        assert caught.value.orig.sqlstate == LOCK_NOT_AVAILABLE


async def test_connections_bear_our_name(database: Database) -> None:
    async with database.read_only() as session:
        name = await session.scalar(text("SELECT current_setting('application_name')"))
    assert name == "invoicing"


async def test_nothing_connects_before_the_first_statement() -> None:
    unreachable = Database("postgresql://reader@192.0.2.1:1/nowhere", Settings())
    async with unreachable as database, database.read_only(), database.transaction():
        pass


async def test_a_connection_that_the_server_closed_is_replaced(database: Database) -> None:
    async with database.read_only() as session:
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
    async with database.transaction() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    await asyncio.sleep(0.05)
    assert await count(database) == 0


async def test_a_cancelled_reader_gives_its_connection_back(migrated_database_url: URL) -> None:
    async with Database(migrated_database_url, Settings(pool_size=1)) as database:

        async def sleep() -> None:
            async with database.read_only() as session:
                await session.execute(text("SELECT pg_sleep(30)"))

        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sleep(), 0.1)
        assert await count(database) == 0
        async with database.transaction() as session:
            running = await session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)'"
                    " AND state = 'active'"
                )
            )
        assert running == 0


async def test_a_database_can_be_used_again_after_dispose(database: Database) -> None:
    assert await count(database) == 0
    await database.dispose()
    assert await count(database) == 0


SECRET = "s3cret-pässword"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid:5432"])
async def test_a_failed_connection_shows_no_password(host: str) -> None:
    database = Database(f"postgresql://reader:{SECRET}@{host}/invoicing", Settings())
    with pytest.raises(DatabaseUnavailableError) as caught:
        async with database.read_only() as session:
            await session.execute(text("SELECT 1"))
    shown = "".join(traceback.format_exception(caught.value)) + repr(database)
    assert SECRET not in shown
    assert "%C3%A4" not in shown
    assert f"reader:***@{host}" in str(caught.value)


async def test_each_of_several_hosts_says_why_it_failed() -> None:
    database = Database("postgresql://reader@127.0.0.1:1,nowhere.invalid:5/invoicing", Settings())
    with pytest.raises(DatabaseUnavailableError) as caught:
        async with database.read_only() as session:
            await session.execute(text("SELECT 1"))
    assert "127.0.0.1 port 1: " in caught.value.reason
    assert "nowhere.invalid port 5: " in caught.value.reason


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:s3cret@h/d",
        "no url: s3cret",
        "postgresql://u:s3cret@h:port/d",
        # Passwords with characters that ought to be quoted.
        "postgresql://u:a@s3cret@h:5432/d",
        "postgresql://u:a/s3cret@h:5432/d",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Database(url, Settings())
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_password_among_the_parameters_is_masked_too() -> None:
    database = Database("postgresql://h/d?user=reader&password=s3cret&host=/run", Settings())
    assert "s3cret" not in repr(database) + str(database.url)
    assert (database.url.username, database.url.password) == ("reader", "s3cret")
    assert dict(database.url.query) == {"host": "/run"}


async def test_libpqs_sslmode_is_understood(migrated_database_url: URL) -> None:
    url = migrated_database_url.update_query_dict({"sslmode": "prefer"})
    async with Database(url, Settings()) as database:
        assert await count(database) == 0


def test_a_parameter_that_the_driver_lacks_is_named_and_not_shown() -> None:
    with pytest.raises(UsageError, match="'channel_binding'") as caught:
        Database("postgresql://u:s3cret@h/d?channel_binding=require", Settings())
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_postgresql_becomes_asyncpg(scheme: str) -> None:
    assert Database(f"{scheme}://u@h/d", Settings()).url.drivername == "postgresql+asyncpg"


async def test_sessions_work_behind_pgbouncer_in_transaction_mode(
    migrated_database_url: URL,
) -> None:
    with pgbouncer(migrated_database_url, pool_size=2) as url:
        async with Database(url, Settings(pgbouncer=True, statement_timeout=20)) as database:

            async def write_and_read(n: int) -> int:
                async with database.transaction() as session:
                    session.add(create_account(name=f"Account {n}"))
                async with database.read_only() as session:
                    counted = text("SELECT count(*) FROM account WHERE plan = :plan")
                    return await session.scalar(counted, {"plan": "team"})

            # More clients than server connections, so that these change hands all the time.
            assert max(await asyncio.gather(*(write_and_read(n) for n in range(40)))) == 40
            with pytest.raises(DBAPIError) as caught:
                async with database.read_only() as session:
                    await session.execute(text("DELETE FROM account"))
            assert caught.value.orig.sqlstate == READ_ONLY
        async with Database(url, Settings(pgbouncer=True, statement_timeout=0.2)) as database:
            with pytest.raises((TimeoutError, DBAPIError)):
                async with database.read_only() as session:
                    await session.execute(text("SELECT pg_sleep(5)"))


async def test_one_read_is_one_round_trip_also_when_the_session_is_new(database: Database) -> None:
    async with counted_wire(database.url) as wire, Database(wire.url, Settings()) as through:
        await count(through)
        wire.reset()
        await count(through)
        assert wire.round_trips == 1, "\n".join(wire.messages)
