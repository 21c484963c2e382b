"""What a finding says: the line, the cost, the option that fixes it, and how to leave it out."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, defer, joinedload, lazyload, selectinload

from invoicing.toolkit.profiling import Thresholds, record_queries
from invoicing.toolkit.profiling.errors import ExplainError, UnknownFindingError
from tests.profiling.conftest import BOOKS_A_SHELF, SHELVES, Base, Book, Label, Shelf, shelves

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from invoicing.toolkit.profiling import Finding, Recorder
    from tests.profiling.conftest import Sessions

LAZY = select(Shelf).options(lazyload(Shelf.books))


def line_of(function: Callable[..., object], text_of_it: str) -> int:
    """Return the line of a function that holds this text, as it would be named."""
    lines, first = inspect.getsourcelines(function)
    (place,) = [place for place, line in enumerate(lines) if text_of_it in line]
    return first + place


def only(recorder: Recorder) -> Finding:
    assert recorder.lost == 0
    (finding,) = recorder.findings
    return finding


def books_of_all(session: Session) -> int:
    return sum(len(shelf.books) for shelf in session.scalars(LAZY).all())  # here


async def test_a_finding_names_its_line_its_cost_and_the_option(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        await session.run_sync(books_of_all)
    finding = only(recorder)
    assert finding.caller.line == line_of(books_of_all, "# here")
    assert finding.caller.function == "books_of_all"
    assert finding.fix.startswith("add .options(selectinload(Shelf.books)), in place of lazyload(")
    assert finding.cost.statements == SHELVES - 1
    assert finding.statements == (2, 3, 4)
    assert finding.cost.bytes == sum(
        statement.bytes_received for statement in recorder.statements[1:]
    )
    assert str(finding).startswith(f"{finding.caller}: [n-plus-one] Shelf.books was loaded for 3")


async def test_the_option_it_names_removes_it(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        fixed = select(Shelf).options(selectinload(Shelf.books))
        for shelf in await session.scalars(fixed):
            assert len(shelf.books) == BOOKS_A_SHELF
    assert recorder.findings == []


async def test_the_option_leads_from_the_statement_that_can_take_it(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    def work(session: Session) -> None:
        top = select(Book).options(joinedload(Book.shelf).lazyload(Shelf.labels))  # the statement
        for book in session.scalars(top):
            for label in book.shelf.labels:
                assert label.word

    async with record_queries(engine) as recorder, sessions() as session:
        await session.run_sync(work)
    finding = only(recorder)
    assert finding.relationship == "Shelf.labels"
    (fix,) = finding.fixes
    assert str(fix) == "joinedload(Book.shelf).selectinload(Shelf.labels)"
    assert f":{line_of(work, 'session.scalars(top)')}" in finding.fix

    def again(session: Session) -> None:
        # In place of the chain that the program had.
        for book in session.scalars(select(Book).options(eval(str(fix)))):
            assert [label.word for label in book.shelf.labels]

    async with record_queries(engine) as recorder, sessions() as session:
        await session.run_sync(again)
    assert recorder.findings == []
    assert len(recorder.statements) == 2


async def test_a_loader_with_criteria_of_its_own_is_left_as_it_is(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    def work(session: Session) -> None:
        old = joinedload(Book.shelf.and_(Shelf.name != "")).lazyload(Shelf.labels)
        for book in session.scalars(select(Book).options(old)):
            assert book.shelf.labels

    async with record_queries(engine) as recorder, sessions() as session:
        await session.run_sync(work)
    (fix,) = only(recorder).fixes
    assert str(fix) == "defaultload(Book.shelf).selectinload(Shelf.labels)"


async def test_a_product_says_how_many_times_too_many_rows_came(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    both = select(Shelf).options(joinedload(Shelf.books), joinedload(Shelf.labels))
    async with record_queries(engine) as recorder, sessions() as session:
        for shelf in (await session.scalars(both)).unique():
            assert len(shelf.books) + len(shelf.labels) == BOOKS_A_SHELF + 2
            assert all(book.title for book in shelf.books)
            assert all(label.word for label in shelf.labels)
    finding = only(recorder)
    rows = SHELVES * BOOKS_A_SHELF * 2
    assert (finding.slug, finding.cost.rows) == ("cartesian-product", rows // 2)
    assert f"{rows} rows for 3 parents with 18 children, 2.0 times" in finding.message
    assert "selectinload(Shelf.books), selectinload(Shelf.labels)" in finding.fix


async def test_columns_read_one_by_one_are_named(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        books = (await session.scalars(select(Book).options(defer(Book.title)))).all()
        await session.run_sync(lambda _: [book.title for book in books])
    finding = only(recorder)
    assert f"columns of {SHELVES * BOOKS_A_SHELF} Book objects" in finding.message
    assert "add .options(undefer(Book.title)) to the statement" in finding.fix
    statement = recorder.statements[1]
    assert (statement.relationship, statement.parent.entity) == ("Book.title", "Book")


async def test_a_refresh_of_a_relationship_is_reported_once(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        for shelf in (await session.scalars(select(Shelf))).all():
            await session.refresh(shelf, ["labels"])
            assert [label.word for label in shelf.labels]
    finding = only(recorder)
    assert (finding.slug, finding.relationship) == ("n-plus-one", "Shelf.labels")
    assert finding.statements == tuple(range(2, 2 + 2 * SHELVES))


async def test_objects_that_are_handed_on_are_not_called_unread(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with sessions.begin() as session:
        await session.execute(
            insert(Label), [{"shelf_id": 1, "word": f"word {n}"} for n in range(200)]
        )

    async def labels() -> list[Label]:
        top = select(Shelf).options(selectinload(Shelf.labels))
        async with sessions() as session:
            return [label for shelf in await session.scalars(top) for label in shelf.labels]

    async with record_queries(engine) as recorder:
        found = await labels()
    assert len({label.word for label in found}) == 202
    assert recorder.findings == []


async def allowed(session: AsyncSession) -> None:
    for number in (1, 2, 3):
        # profile: allow n-plus-one -- three at the most, and the cache is warm
        await session.get(Shelf, number)


async def allowed_at_the_end_of_the_line(session: AsyncSession) -> None:
    for number in (1, 2, 3):
        await session.get(Shelf, number)  # profile: allow n-plus-one, over-fetch -- it is a test


async def not_allowed_without_a_reason(session: AsyncSession) -> None:
    for number in (1, 2, 3):
        await session.get(Shelf, number)  # profile: allow n-plus-one


async def other_things_allowed(session: AsyncSession) -> None:
    for number in (1, 2, 3):
        await session.get(Shelf, number)  # profile: allow over-fetch -- that is not it


@pytest.mark.parametrize(
    ("program", "without_reason"),
    [
        (allowed, []),
        (allowed_at_the_end_of_the_line, []),
        (not_allowed_without_a_reason, [True]),
        (other_things_allowed, [False]),
    ],
)
async def test_a_comment_with_a_reason_leaves_a_finding_out(
    program: Callable[[AsyncSession], object],
    without_reason: list[bool],
    engine: AsyncEngine,
    sessions: Sessions,
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        await program(session)
    said = ["has no reason" in finding.message for finding in recorder.findings]
    assert said == without_reason


async def test_a_comment_where_the_line_is_called_from_counts_too(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        # profile: allow n-plus-one -- said by the caller
        await not_allowed_without_a_reason(session)
    assert recorder.findings == []


async def test_an_argument_leaves_findings_out(engine: AsyncEngine, sessions: Sessions) -> None:
    async with (
        record_queries(engine, allow=["n-plus-one"]) as recorder,
        sessions() as session,
    ):
        await session.run_sync(books_of_all)
    assert recorder.findings == []


def test_an_argument_that_is_no_finding_is_refused() -> None:
    with pytest.raises(UnknownFindingError, match=r"Did you mean n-plus-one\?"):
        record_queries(allow=["n-plus-on"])


async def test_a_stream_is_named_as_a_session_without_await_has_it(engine: AsyncEngine) -> None:
    own = create_engine(engine.url.set(drivername="postgresql+psycopg"))
    rows = select(Shelf).order_by(Shelf.id)
    with record_queries(own, thresholds=Thresholds(rows=2)) as recorder, Session(own) as session:
        assert len(session.scalars(rows).all()) == SHELVES
    (finding,) = recorder.findings
    assert "yield_per" in finding.fix
    assert ".stream(" not in finding.fix
    with record_queries(own, thresholds=Thresholds(rows=2)) as recorder, Session(own) as session:
        assert len([*session.scalars(rows.execution_options(yield_per=1000))]) == SHELVES
    assert recorder.findings == []
    own.dispose()


async def test_thresholds_are_settings(engine: AsyncEngine, sessions: Sessions) -> None:
    strict, lax = Thresholds(rows=2), Thresholds(repeats=SHELVES + 1)
    async with record_queries(engine, thresholds=strict) as recorder, sessions() as session:
        assert len((await session.scalars(select(Shelf))).all()) == SHELVES
    assert [finding.slug for finding in recorder.findings] == ["missing-limit"]
    assert "session.stream(" in recorder.findings[0].fix
    async with (
        record_queries(engine, thresholds=strict) as recorder,
        engine.connect() as connection,
    ):
        assert len((await connection.execute(select(Shelf.id))).all()) == SHELVES
    assert "connection.stream(" in recorder.findings[0].fix
    async with record_queries(engine, thresholds=lax) as recorder, sessions() as session:
        await session.run_sync(books_of_all)
    assert recorder.findings == []


async def test_an_inner_query_for_each_row_is_found_in_the_plan(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with sessions() as session, session.begin():
        rows = [{"name": f"{n}"} for n in range(300)]
        await session.execute(insert(Shelf), rows)
        await session.execute(text("ANALYZE"))
    counted = (
        select(func.count(Book.id)).where(Book.shelf_id == Shelf.id).correlate(Shelf)
    ).scalar_subquery()
    async with record_queries(engine, explain=True) as recorder, sessions() as session:
        (await session.execute(select(Shelf.id, counted))).all()
    finding = only(recorder)
    assert finding.slug == "server-side-n-plus-one"
    assert "on book 303 times" in finding.message
    assert set(recorder.plans) == {1}
    grouped = select(Shelf.id, func.count(Book.id)).join(Shelf.books).group_by(Shelf.id)
    async with record_queries(engine, explain=True) as recorder, sessions() as session:
        (await session.execute(grouped)).all()
    assert recorder.findings == []
    assert recorder.plans[1]["Actual Loops"] == 1


async def test_what_writes_is_not_run_again_to_be_explained(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    writing = text("WITH added AS (INSERT INTO label VALUES (1, :w) RETURNING 1) TABLE added")
    async with record_queries(engine, explain=True) as recorder, engine.begin() as connection:
        await connection.execute(writing, {"w": "once"})
        await connection.execute(insert(Label).values(shelf_id=1, word="twice"))
    assert recorder.plans == {}
    async with sessions() as session:
        words = await session.scalars(select(Label.word).where(Label.shelf_id == 1))
        assert sorted(words) == ["old", "once", "red", "twice"]


async def test_recorders_around_it_do_not_see_the_questions(engine: AsyncEngine) -> None:
    async with (
        record_queries(engine) as around,
        record_queries(engine, explain=True) as inside,
        engine.connect() as connection,
    ):
        await connection.execute(select(Shelf.id))
    assert len(inside.plans) == 1
    assert len(around.statements) == 1


def test_explain_of_an_async_engine_has_to_be_awaited() -> None:
    engine = create_async_engine("postgresql+asyncpg://nowhere/nothing")
    with (
        pytest.raises(ExplainError, match="async with"),
        record_queries(engine, explain=True),
    ):
        pass


def test_another_dialect_and_a_sync_engine_are_judged_alike(sqlite: Engine) -> None:
    Base.metadata.create_all(sqlite)
    with Session(sqlite) as session, session.begin():
        session.add_all(shelves())
    with record_queries(sqlite) as recorder, Session(sqlite) as session:
        books_of_all(session)
        for number in (1, 2, 3):
            session.get(Label, (number, "red"))
    assert [(finding.slug, finding.relationship) for finding in recorder.findings] == [
        ("n-plus-one", "Shelf.books"),
        ("n-plus-one", None),
    ]
    with record_queries(sqlite) as recorder, Session(sqlite) as session:
        for shelf in session.scalars(select(Shelf).options(selectinload(Shelf.books))):
            assert [book.title for book in shelf.books]
        for offset in (0, 1, 2):
            session.scalars(select(Book).limit(1).offset(offset)).all()
    assert recorder.findings == []


async def test_classes_are_as_they_were_after_the_recording(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    before = {name: vars(Shelf)[name] for name in ("id", "name", "books", "labels")}
    async with record_queries(engine), sessions() as session:
        found = await session.scalars(select(Shelf).options(selectinload(Shelf.books)))
        shelf = found.first()
        assert vars(Shelf)["books"] is not before["books"]
        # As before, whoever asks: the class, an object, or whoever writes to it.
        assert Shelf.books is before["books"]
        assert len(shelf.books) == BOOKS_A_SHELF
        shelf.name = "renamed"
        assert session.dirty
        del shelf.name
    assert {name: vars(Shelf)[name] for name in before} == before


async def test_a_finding_is_there_while_it_records(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        await session.run_sync(books_of_all)
        assert [finding.slug for finding in recorder.findings] == ["n-plus-one"]


async def test_what_a_session_of_another_engine_does_is_not_judged(
    engine: AsyncEngine, empty_database_url: URL
) -> None:
    other = create_async_engine(empty_database_url)
    async with record_queries(engine) as recorder, async_sessionmaker(other)() as session:
        await session.run_sync(books_of_all)
    await other.dispose()
    assert recorder.findings == []
