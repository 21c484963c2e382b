"""Recordings do not mix, and leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.pool import Pool

from invoicing.toolkit.profiling import record_queries
from invoicing.toolkit.profiling.capture.events import (
    EARS,
    HERE,
    Event,
    events_of_engine,
    events_of_sessions,
)
from tests.conftest import newest_server_url
from tests.profiling.conftest import Book, Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

    from invoicing.toolkit.profiling import Recorder
    from tests.profiling.conftest import Sessions

server_url = newest_server_url


def listeners(engine: AsyncEngine) -> int:
    """Count all listeners on what the recorder listens to, the classes included."""
    sync = engine.sync_engine
    names = {
        events_of_session.name
        for events_of_session in [*events_of_sessions(), *events_of_engine(sync)]
        if isinstance(events_of_session, Event)
    }
    owners = [Engine, Pool, Dialect, Mapper, sync, sync.pool, sync.dialect, Session(sync)]
    owners.append(Shelf.__mapper__.class_manager)
    return sum(
        len(list(getattr(owner.dispatch, name)))
        for owner in owners
        for name in names
        if hasattr(getattr(owner.dispatch, name, None), "__iter__")
    )


async def ask(sessions: Sessions, number: int, times: int) -> None:
    for _ in range(times):
        async with sessions() as session:
            await session.execute(text(f"SELECT {number} AS n{number}"))
            await asyncio.sleep(0)


def asked(recorder: Recorder) -> set[str]:
    return {statement.text for statement in recorder.statements}


async def test_two_recordings_in_two_tasks_do_not_mix(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async def work(number: int) -> Recorder:
        async with record_queries(engine) as recorder:
            # A task of a task belongs to it, and so does a thread that is handed its context.
            await asyncio.gather(ask(sessions, number, 10), ask(sessions, number, 10))
            await asyncio.create_task(ask(sessions, number, 5))
        return recorder

    recorders = await asyncio.gather(*map(work, range(4)), ask(sessions, 9, 20))
    for number, recorder in enumerate(recorders[:4]):
        assert asked(recorder) == {f"SELECT {number} AS n{number}"}
        assert len(recorder) == 25
        assert len(recorder.transactions) == 25
        # And a ROLLBACK each.
        assert (
            recorder.round_trips
            == sum(statement.round_trips for statement in recorder.statements) + 25
        )
        assert recorder.lost == 0


async def test_nested_recordings_both_see(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as outer:
        await ask(sessions, 1, 1)
        async with record_queries(engine) as inner:
            await ask(sessions, 2, 2)
        async with record_queries() as all_engines:
            await ask(sessions, 3, 1)
        await ask(sessions, 4, 1)
    assert (len(outer), len(inner), len(all_engines)) == (5, 2, 1)
    assert outer.round_trips == sum(statement.round_trips for statement in outer.statements) + 5
    assert inner.round_trips == sum(statement.round_trips for statement in inner.statements) + 2


async def test_what_others_do_on_the_same_connection_is_not_counted(
    engine: AsyncEngine, empty_database_url: URL
) -> None:
    single = create_async_engine(empty_database_url, pool_size=1, max_overflow=0)

    async def ask_for(size: int) -> None:
        async with single.connect() as connection:
            await connection.execute(text(f"SELECT repeat('x', {size})"))

    stop = asyncio.Event()

    async def others() -> None:
        while not stop.is_set():
            await ask_for(100_000)

    other = asyncio.create_task(others())
    async with record_queries(single) as recorder:
        for _ in range(20):
            await ask_for(10)
    stop.set()
    await other
    assert recorder.bytes_received < 20 * 500
    assert recorder.round_trips == 20 * 3 + 1
    await single.dispose()


async def ask_after(event: asyncio.Event, sessions: Sessions) -> None:
    await event.wait()
    await ask(sessions, 2, 1)


async def test_a_task_that_outlives_the_block_is_recorded_no_more(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    go = asyncio.Event()
    async with record_queries(engine) as recorder:
        await ask(sessions, 1, 1)
        task = asyncio.create_task(ask_after(go, sessions))
        await asyncio.sleep(0)
    async with record_queries(engine) as other:
        go.set()
        await task
    assert (len(recorder), len(other)) == (1, 0)


async def test_everywhere_records_tasks_that_were_there_before(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    go = asyncio.Event()
    task = asyncio.create_task(ask_after(go, sessions))
    async with record_queries(engine, everywhere=True) as recorder:
        go.set()
        await task
    assert len(recorder) == 1


async def test_no_listener_stays(engine: AsyncEngine, sessions: Sessions) -> None:
    before = listeners(engine)
    async with record_queries(engine), record_queries(), record_queries(engine):
        during = listeners(engine)
        await ask(sessions, 1, 1)
    with pytest.raises(DBAPIError):
        async with record_queries(engine), engine.connect() as connection:
            await connection.execute(text("SELECT 1 / 0"))
    assert during > before
    assert listeners(engine) == before
    assert EARS == {}
    assert HERE.get() == ()


async def test_nothing_stays_where_the_pool_was_replaced(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    before = listeners(engine)
    async with record_queries(engine) as recorder:
        await ask(sessions, 1, 1)
        await engine.dispose()
        await ask(sessions, 1, 1)
    assert len(recorder) == 2
    assert recorder.connections_opened == 1
    assert listeners(engine) == before
    await ask(sessions, 1, 1)


async def test_the_drivers_connection_is_left_as_it_was_found(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        transport = raw.driver_connection._transport
        protocol, attributes = transport.get_protocol(), set(vars(transport))
        async with record_queries(engine):
            async with record_queries(engine):
                await connection.execute(text("SELECT 1"))
                assert transport.get_protocol() is not protocol
            await connection.execute(text("SELECT 2"))
        assert transport.get_protocol() is protocol
        assert set(vars(transport)) == attributes
        assert await connection.scalar(text("SELECT 3")) == 3


async def test_a_connection_lost_while_recorded_is_lost_as_usual(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine) as recorder:
        async with engine.connect() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            async with engine.connect() as killer:
                await killer.execute(text(f"SELECT pg_terminate_backend({pid}, 5000)"))
            with pytest.raises(DBAPIError):
                await connection.execute(text("SELECT 1"))
        await ask(sessions, 1, 1)
    assert len(recorder) == 4
    assert recorder.statements[2].error is not None
    assert recorder.lost == 0


async def test_a_session_begun_before_is_recorded_from_there_on(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with sessions() as session:
        await session.execute(select(Book.id))
        async with record_queries(session) as recorder:
            await session.execute(select(Book.id))
    assert [statement.round_trips for statement in recorder.statements] == [1]
    assert recorder.round_trips == 1
    assert len(recorder.transactions) == 1


def test_two_threads_do_not_mix(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'file.db'}")
    together = threading.Barrier(4)

    def work(number: int) -> list[int]:
        together.wait()
        counts = []
        for _ in range(50):
            with record_queries(engine) as recorder:
                for _ in range(3):
                    with engine.connect() as connection:
                        connection.execute(text(f"SELECT {number}"))
            assert asked(recorder) == {f"SELECT {number}"}
            assert recorder.lost == 0
            counts.append(len(recorder))
        return counts

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [[3] * 50] * 4
    engine.dispose()


async def test_the_programs_own_listeners_are_called_as_before(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    heard: list[str] = []

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def comment(*arguments: object) -> tuple[str, object]:
        heard.append(arguments[2])
        return f"/* mine */ {arguments[2]}", arguments[3]

    async with record_queries(engine) as recorder, sessions() as session:
        await session.execute(text("SELECT 1"))
    assert heard == ["SELECT 1"]
    assert recorder.statements[0].fingerprint == "SELECT ?"


async def test_a_recording_keeps_no_session_alive(engine: AsyncEngine) -> None:
    async with record_queries(engine) as recorder:
        async with AsyncSession(engine) as session:
            (await session.scalars(select(Shelf))).all()
        alive = weakref.ref(session.sync_session)
        del session
        gc.collect()
        assert alive() is None
    assert len(recorder) == 1
