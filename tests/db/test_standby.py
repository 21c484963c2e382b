"""Reads from a hot standby that is recent enough, and from the primary when it is not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from invoicing.db import Database
from invoicing.db.errors import ForeignStandbyError
from invoicing.db.url import parse_url
from invoicing.errors import UsageError
from invoicing.notebook import read_frame
from invoicing.settings import Settings
from invoicing.toolkit.postgres import find_installation, make_standby
from tests.conftest import UNSAFE, execute, newest_server_url, throw_away_server
from tests.wire import recorded_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server

server_url = newest_server_url
IS_STANDBY = text("SELECT pg_is_in_recovery()")
PAUSE, RESUME = "SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"
SETTINGS = Settings(max_staleness=1)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """Yield a running server and its running standby."""
    with throw_away_server(find_installation(), UNSAFE | {"wal_level": "replica"}) as primary:
        standby = make_standby(primary, primary.data_dir.with_name("standby"))
        standby.ensure_running()
        yield primary, standby
        standby.stop()


@asynccontextmanager
async def routed(pair: tuple[Server, Server]) -> AsyncIterator[Database]:
    primary, standby = pair
    async with Database(primary.url(), SETTINGS, read_url=standby.url()) as database:
        yield database


async def is_from_standby(database: Database) -> bool:
    async with database.read_only() as session:
        return bool(await session.scalar(IS_STANDBY))


async def becomes(database: Database, expected: bool) -> None:
    for _ in range(500):
        if await is_from_standby(database) is expected:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"reads from {'the primary' if expected else 'the standby'} for 10 s")


async def test_reads_go_to_the_standby_while_it_is_recent(pair: tuple[Server, Server]) -> None:
    """Paused, it is left before it is older than it may be; resumed, it is read again."""
    async with routed(pair) as database:
        await becomes(database, expected=True)
        frame = await read_frame(database, text("SELECT pg_is_in_recovery() AS here"))
        assert list(frame["here"]) == [True]
        await execute(pair[1].url(), PAUSE)
        try:
            await execute(pair[0].url(), "CREATE TABLE IF NOT EXISTS written ()")
            await becomes(database, expected=False)
            for _ in range(20):
                assert not await is_from_standby(database)
                await asyncio.sleep(0.03)
        finally:
            await execute(pair[1].url(), RESUME)
        await becomes(database, expected=True)
        assert database.standby is not None
        assert database.standby.staleness < SETTINGS.max_staleness


async def test_what_was_just_written_is_read(pair: tuple[Server, Server]) -> None:
    """Replayed or not: who has written reads no less."""
    await execute(pair[0].url(), "CREATE TABLE IF NOT EXISTS note (n bigint)", "TRUNCATE note")
    async with routed(pair) as database:
        await becomes(database, expected=True)
        for n in range(40):
            async with database.transaction() as session:
                await session.execute(text("INSERT INTO note VALUES (:n)"), {"n": n})
            async with database.read_only() as session:
                assert await session.scalar(text("SELECT max(n) FROM note")) == n
        await becomes(database, expected=True)


async def test_a_standby_that_is_gone_is_not_missed(pair: tuple[Server, Server]) -> None:
    _, standby = pair
    async with routed(pair) as database:
        await becomes(database, expected=True)
        await asyncio.to_thread(standby.stop)
        try:
            await becomes(database, expected=False)
        finally:
            await asyncio.to_thread(standby.ensure_running)
        await becomes(database, expected=True)


async def test_the_first_read_after_a_standby_has_ended_is_answered(
    pair: tuple[Server, Server],
) -> None:
    """While the event loop had no turn, so that the driver has not noticed."""
    _, standby = pair
    async with routed(pair) as database:
        await becomes(database, expected=True)
        standby.stop()
        try:
            assert not await is_from_standby(database)
            assert not await is_from_standby(database)
        finally:
            await asyncio.to_thread(standby.ensure_running)
        await becomes(database, expected=True)


async def test_a_primary_that_writes_nothing_is_followed_too(pair: tuple[Server, Server]) -> None:
    """A position at the end of a page, or of a segment, is one that the standby can reach."""
    await execute(pair[0].url(), "CREATE TABLE IF NOT EXISTS written ()", "SELECT pg_switch_wal()")
    async with routed(pair) as database:
        await becomes(database, expected=True)
        for _ in range(30):
            await asyncio.sleep(0.05)
            assert await is_from_standby(database)


async def test_the_primary_is_asked_once_in_a_while(
    pair: tuple[Server, Server],
) -> None:
    async with routed(pair) as database:
        await becomes(database, expected=True)
        asked = recorded_statements(database.read_only_engine)
        began = monotonic()
        for _ in range(100):
            assert await is_from_standby(database)
        # Each look at the primary's position serves for a quarter of the staleness.
        assert len(asked) <= 2 + (monotonic() - began) / (SETTINGS.max_staleness / 4)


async def test_of_several_hosts_the_standby_is_read(
    pair: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of them comes first."""
    monkeypatch.delenv("DATABASE_READ_URL", raising=False)
    for first, second in (pair, pair[::-1]):
        folders = [str(server.url().query["host"]) for server in (first, second)]
        ports = [str(server.url().query.get("port", server.port)) for server in (first, second)]
        user = first.url().username
        url = f"postgresql://{user}@/postgres?host={','.join(folders)}&port={','.join(ports)}"
        async with Database.routed(url, SETTINGS) as database:
            await becomes(database, expected=True)
            async with database.transaction() as session:
                assert not await session.scalar(IS_STANDBY)
        assert Database.routed(url + "&target_session_attrs=any", SETTINGS).read_url is None


async def test_a_standby_of_other_data_is_refused(
    pair: tuple[Server, Server], empty_database_url: URL
) -> None:
    async with Database(empty_database_url, SETTINGS, read_url=pair[1].url()) as database:
        with pytest.raises(ForeignStandbyError, match="DATABASE_READ_URL"):
            await is_from_standby(database)


def test_the_environment_names_the_standby(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_READ_URL", "postgresql://reader:secret@standby/invoices")
    routed = Database.routed("postgresql://writer@primary/invoices")
    assert routed.read_url == parse_url("postgresql://reader:secret@standby/invoices")
    assert Database("postgresql://writer@primary/invoices").read_url is None
    monkeypatch.setenv("DATABASE_READ_URL", "mysql://standby/invoices")
    with pytest.raises(UsageError, match="DATABASE_READ_URL names mysql"):
        Database.routed("postgresql://writer@primary/invoices")
