"""What a recording holds."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    Session,
    defer,
    immediateload,
    joinedload,
    lazyload,
    selectinload,
    subqueryload,
)

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.profiling import Cause, Identity, record_queries
from invoicing.toolkit.profiling.capture.capture import Capture
from invoicing.toolkit.profiling.errors import (
    ProfilingTargetError,
    RecorderInUseError,
    TooManyStatementsError,
)
from invoicing.toolkit.profiling.tables import table_of
from tests.conftest import newest_server_url
from tests.profiling.conftest import BOOKS_A_SHELF, SHELVES, Base, Book, Label, Shelf, shelves

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.profiling.conftest import Sessions

server_url = newest_server_url

BOOKS = SHELVES * BOOKS_A_SHELF


async def test_a_statement_has_its_text_shape_rows_and_times(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        await session.scalars(select(Book).where(Book.id.in_([1, 2, 3]), Book.title != "x"))
    (statement,) = recorder.statements
    assert statement.text.startswith("SELECT book.id")
    assert statement.fingerprint.endswith("WHERE book.id IN (...) AND book.title != ?::VARCHAR")
    assert (statement.operation, statement.cause, statement.rows, statement.parameter_count) == (
        "SELECT",
        Cause.STATEMENT,
        3,
        4,
    )
    assert 0 < statement.server_seconds < statement.database_seconds
    assert statement.orm_seconds > 0
    assert statement.parameters is None
    assert recorder.lost == 0


async def test_round_trips_are_those_of_the_wire(engine: AsyncEngine, sessions: Sessions) -> None:
    statement = select(Shelf)
    async with record_queries(engine) as first, sessions() as session:
        await session.scalars(statement)
    async with record_queries(engine) as second, sessions() as session:
        await session.scalars(statement)
    # BEGIN, prepare and execute; the ROLLBACK that ends it is no statement's.
    assert [statement.round_trips for statement in first.statements] == [3]
    assert first.round_trips == 4
    # Prepared already.
    assert [statement.round_trips for statement in second.statements] == [2]
    assert second.round_trips == 3
    assert first.bytes_received > second.bytes_received > second.statements[0].bytes_received > 0


async def test_autocommit_is_one_round_trip(engine: AsyncEngine) -> None:
    single = engine.execution_options(isolation_level="AUTOCOMMIT")
    async with AsyncSession(single) as session:
        await session.scalars(select(Shelf))
    async with record_queries(single) as recorder, AsyncSession(single) as session:
        await session.scalars(select(Shelf))
    assert recorder.round_trips == 1
    assert [transaction.autocommit for transaction in recorder.transactions] == [True]


async def test_bytes_received_are_at_least_those_of_the_values(engine: AsyncEngine) -> None:
    async with record_queries(engine) as recorder, engine.connect() as connection:
        await connection.execute(text("SELECT repeat('x', 1000000)"))
    assert 1_000_000 < recorder.statements[0].bytes_received < 1_001_000


async def test_rows_of_different_entities_are_distinguished(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    both = select(Shelf).options(joinedload(Shelf.books), joinedload(Shelf.labels))
    async with record_queries(engine) as recorder, sessions() as session:
        (await session.scalars(both)).unique().all()
    (statement,) = recorder.statements
    counted = {
        entity.path: (entity.entity, entity.rows, entity.distinct) for entity in statement.entities
    }
    assert counted == {
        None: ("Shelf", BOOKS * 2, SHELVES),
        "Shelf.books": ("Book", BOOKS * 2, BOOKS),
        "Shelf.labels": ("Label", BOOKS * 2, SHELVES * 2),
    }
    assert [entity.collection for entity in statement.entities] == [False, True, True]
    assert statement.duplicate_rows == BOOKS * 2 - SHELVES


async def test_a_limit_and_a_missing_side_are_counted_right(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with sessions() as session, session.begin():
        session.add(Shelf(name="empty", books=[], labels=[]))
    last = select(Shelf).order_by(Shelf.id.desc()).limit(2).options(joinedload(Shelf.books))
    async with record_queries(engine) as recorder, sessions() as session:
        (await session.scalars(last)).unique().all()
    counted = [(entity.rows, entity.distinct) for entity in recorder.statements[0].entities]
    assert counted == [(BOOKS_A_SHELF + 1, 2), (BOOKS_A_SHELF, BOOKS_A_SHELF)]


async def test_a_lazy_load_names_the_relationship_and_the_parent(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        found = (await session.scalars(select(Shelf).options(lazyload(Shelf.books)))).all()
        await session.run_sync(lambda _: [shelf.books for shelf in found])
    parent, *loads = recorder.statements
    assert len(loads) == SHELVES
    assert {(load.cause, load.relationship, load.loader) for load in loads} == {
        (Cause.LAZY_LOAD, "Shelf.books", "lazy")
    }
    assert [load.parent for load in loads] == [Identity("Shelf", (shelf.id,)) for shelf in found]
    # The statement the parents came with can be found by their keys.
    assert all(load.parent.key in parent.entities[0].keys for load in loads)


@pytest.mark.parametrize(
    ("loader", "name", "statements"),
    [
        (selectinload, "selectin", 1),
        (subqueryload, "subquery", 1),
        (immediateload, "immediate", SHELVES),
    ],
)
async def test_an_eager_load_names_its_loader(
    engine: AsyncEngine, sessions: Sessions, loader: object, name: str, statements: int
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        (await session.scalars(select(Shelf).options(loader(Shelf.books)))).all()
    first, *loads = recorder.statements
    assert first.cause is Cause.STATEMENT
    assert [(load.cause, load.relationship, load.loader) for load in loads] == [
        (Cause.EAGER_LOAD, "Shelf.books", name)
    ] * statements
    assert {load.caller for load in loads} == {first.caller}


async def test_get_refresh_and_deferred_columns_are_distinguished(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        book = await session.get(Book, 1)
        await session.refresh(book)
        session.expunge_all()
        book = await session.scalar(select(Book).options(defer(Book.title)))
        await session.run_sync(lambda _: book.title)
        await session.merge(Book(id=5, title="other", shelf_id=1))
    assert [statement.cause for statement in recorder.statements] == [
        Cause.GET,
        Cause.REFRESH,
        Cause.STATEMENT,
        Cause.COLUMN_LOAD,
        Cause.GET,
    ]


async def test_what_a_flush_sends_is_no_statement_of_the_program(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        session.add_all([Label(shelf_id=1, word="new"), Label(shelf_id=2, word="new")])
        await session.execute(select(Book.id))
        session.add(Book(title="last", shelf_id=1))
        await session.commit()
    flushed, read, last = recorder.statements
    assert (flushed.cause, flushed.within[-1]) == (Cause.FLUSH, "autoflush")
    assert (flushed.executions, flushed.parameter_count) == (2, 4)
    assert (read.cause, read.within) == (Cause.STATEMENT, ())
    assert (last.cause, last.within[-1], last.rows) == (Cause.FLUSH, "commit", 1)
    assert len({statement.session for statement in recorder.statements}) == 1
    assert [transaction.outcome for transaction in recorder.transactions] == ["commit"]


async def test_an_executemany_is_one_statement_with_its_size(engine: AsyncEngine) -> None:
    labels = [{"shelf_id": 1, "word": str(n)} for n in range(1000)]
    async with record_queries(engine) as recorder, engine.begin() as connection:
        await connection.execute(insert(Label), labels)
    (statement,) = recorder.statements
    assert (statement.executions, statement.parameter_count, statement.rows) == (1000, 2000, 0)
    assert statement.round_trips < 5


async def test_rows_inserted_by_one_statement_are_one_execution(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine, parameters=True) as recorder, sessions() as session:
        # Their keys come back, so they go as one INSERT ... VALUES (...), (...) RETURNING.
        session.add_all([Book(title="a", shelf_id=1), Book(title="b", shelf_id=2)])
        await session.commit()
    assert recorder.lost == 0
    (statement,) = recorder.statements
    assert (statement.cause, statement.rows, statement.executions) == (Cause.FLUSH, 2, 1)
    assert statement.parameter_count == len(statement.parameters) == 6


async def test_a_failure_has_its_sqlstate(engine: AsyncEngine) -> None:
    async with record_queries(engine) as recorder, engine.connect() as connection:
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1 / 0"))
    (statement,) = recorder.statements
    assert (statement.sqlstate, statement.error, statement.rows) == (
        "22012",
        "DivisionByZeroError",
        None,
    )
    assert statement.database_seconds > 0


async def test_a_cancelled_statement_is_not_a_finished_one(engine: AsyncEngine) -> None:
    async with record_queries(engine) as recorder, engine.connect() as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await connection.execute(text("SELECT pg_sleep(60)"))
    (statement,) = recorder.statements
    assert statement.error is not None
    assert statement.rows is None
    assert recorder.lost == 0


async def test_a_stream_is_counted_as_it_is_read(engine: AsyncEngine) -> None:
    numbers = text("SELECT generate_series(1, 5000)")
    async with record_queries(engine) as recorder, engine.connect() as connection:
        stream = await connection.stream(numbers.execution_options(yield_per=1000))
        first = await anext(stream.partitions(1000))
        read_early = recorder.statements[0].rows
        rest = sum([len(part) async for part in stream.partitions(1000)])
    (statement,) = recorder.statements
    assert (len(first), read_early, rest, statement.rows) == (1000, 1000, 4000, 5000)
    assert statement.streamed
    assert statement.fetches >= 5
    assert statement.round_trips >= 6
    assert statement.bytes_received > 5000 * 8


async def test_a_stream_of_objects_is_what_it_is_without_a_recorder(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    parts = select(Shelf).order_by(Shelf.id).options(selectinload(Shelf.books))
    async with record_queries(engine) as recorder, sessions() as session:
        stream = await session.stream_scalars(parts.execution_options(yield_per=2))
        seen = [(shelf.name, len(shelf.books)) async for shelf in stream]
    assert seen == [(f"shelf {n}", BOOKS_A_SHELF) for n in range(SHELVES)]
    assert [statement.cause for statement in recorder.statements] == [
        Cause.STATEMENT,
        Cause.EAGER_LOAD,
        Cause.EAGER_LOAD,
    ]
    assert recorder.lost == 0


async def test_equal_parameters_are_known_without_being_kept(engine: AsyncEngine) -> None:
    statement = text("SELECT CAST(:word AS text)")
    async with record_queries(engine) as recorder, engine.connect() as connection:
        for word in ("a", "b", "a"):
            await connection.execute(statement, {"word": word})
    first, second, third = (statement.parameters_key for statement in recorder.statements)
    assert first == third != second


async def test_values_are_kept_on_request_but_never_secrets(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    secret = "hunter" + str(2)
    async with record_queries(engine, parameters=True) as recorder, sessions() as session:
        await session.scalars(select(Book).where(Book.title == "t", Book.password == secret))
        connection = await session.connection()
        await connection.exec_driver_sql("SELECT $1::text", (secret,))
    assert recorder.statements[0].parameters == (("title_1", "t"), ("password_1", "***"))
    assert recorder.statements[1].parameters == (("1", "***"),)
    assert secret not in repr(recorder) + repr(recorder.statements) + recorder._repr_html_()


async def test_more_statements_than_allowed_are_an_assertion_error_that_lists_them(
    engine: AsyncEngine,
) -> None:
    async with record_queries(engine) as recorder, engine.connect() as connection:
        await connection.execute(text("SELECT 'first'"))
        await connection.execute(text("SELECT 2, 3"))
    recorder.assert_max_statements(2)
    with pytest.raises(AssertionError) as caught:
        recorder.assert_max_statements(1)
    assert isinstance(caught.value, TooManyStatementsError)
    assert "2 statements were sent, 1 are allowed" in str(caught.value)
    assert "SELECT ?, ?" in str(caught.value)
    assert "test_recorder.py" in str(caught.value)


async def test_it_shows_as_frame_text_terminal_and_html(engine: AsyncEngine) -> None:
    async with record_queries(engine) as recorder, engine.connect() as connection:
        for _ in range(3):
            await connection.execute(text('SELECT 1 AS "<b>"'))
    frame = recorder.to_frame()
    assert list(frame["number"]) == [1, 2, 3]
    assert list(frame["round_trips"]) == [3, 1, 1]
    assert frame["sqlstate"].isna().all()
    assert "3 statements, 6 round trips, 3 rows" in repr(recorder)
    assert "statement x 3" in repr(recorder)
    assert "<b>" not in recorder._repr_html_()
    assert table_of(recorder, 200).row_count == 1
    assert [column.header for column in table_of(recorder, 80).columns].count("Statement") == 0


async def test_nothing_recorded_shows_too(engine: AsyncEngine) -> None:
    async with record_queries(engine) as recorder:
        pass
    assert len(recorder) == 0
    assert (recorder.round_trips, recorder.rows, recorder.server_seconds) == (0, 0, 0)
    assert recorder.to_frame().empty
    assert repr(recorder).startswith("0 statements")


async def test_whatever_leads_to_an_engine_can_be_recorded(
    engine: AsyncEngine, sessions: Sessions, empty_database_url: URL
) -> None:
    async with sessions() as session, engine.connect() as connection:
        for target in (engine.sync_engine, sessions, session, session.sync_session, connection):
            async with record_queries(target) as recorder:
                await connection.execute(text("SELECT 1"))
            assert len(recorder) == 1, target
    async with Database(empty_database_url, Settings()) as database:
        with record_queries(database) as recorder:
            async with database.read_only() as session:
                await session.execute(text("SELECT 1"))
            async with database.transaction() as session:
                await session.execute(text("SELECT 2"))
    assert [statement.round_trips for statement in recorder.statements] == [2, 3]
    with pytest.raises(ProfilingTargetError, match="a str"):
        record_queries("postgresql://")


async def test_a_recorder_may_be_used_again_but_not_twice_at_once(engine: AsyncEngine) -> None:
    recorder = record_queries(engine)
    for _ in range(2):
        async with recorder, engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        assert len(recorder) == 1
    with recorder, pytest.raises(RecorderInUseError):
        recorder.__enter__()


async def test_a_bug_in_a_listener_is_swallowed_counted_and_warned_of_once(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Capture, "_entity_columns", broken)
    with caplog.at_level(logging.WARNING):
        async with record_queries(engine) as recorder, engine.connect() as connection:
            for _ in range(3):
                assert await connection.scalar(text("SELECT 7")) == 7
    assert recorder.lost == 3
    assert len(caplog.records) == 1
    assert "3 events lost" in repr(recorder)


def test_another_dialect_and_a_synchronous_engine_are_recorded_too(sqlite: Engine) -> None:
    Base.metadata.create_all(sqlite)
    with Session(sqlite) as session, session.begin():
        session.add_all(shelves())
    with record_queries(sqlite) as recorder, Session(sqlite) as session:
        for shelf in session.scalars(select(Shelf).options(lazyload(Shelf.books))):
            assert len(shelf.books) == BOOKS_A_SHELF
    first, *loads = recorder.statements
    assert first.rows == SHELVES
    assert [(load.relationship, load.rows) for load in loads] == [("Shelf.books", 4)] * SHELVES
    assert all(load.parent.key in first.entities[0].keys for load in loads)
    # There is no wire, and nothing is made up.
    assert recorder.round_trips is recorder.bytes_received is recorder.server_seconds is None
    assert recorder.lost == 0
