"""The same work by each loading strategy: counts are asserted, times and memory only have to be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from rich.console import Console
from sqlalchemy import ForeignKey, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
    sessionmaker,
)

from invoicing.toolkit.profiling import Strategy, compare_loading
from invoicing.toolkit.profiling.comparison.growth import Extent, Growth, Law, growth_of
from invoicing.toolkit.profiling.errors import (
    LoadingPathError,
    LoadingStatementError,
    StrategiesDifferError,
)
from tests.conftest import execute, newest_server_url
from tests.profiling.numbered import Numbered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import Select
    from sqlalchemy.engine import URL, Engine

    from tests.profiling.conftest import Sessions

server_url = newest_server_url
PARENTS, CHILDREN, SIBLINGS = 200, 20, 5


class Base(DeclarativeBase):
    pass


class Owner(Numbered, Base):
    name: Mapped[str]


class Parent(Numbered, Base):
    about: Mapped[str]
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"))
    owner: Mapped[Owner] = relationship(lazy="raise")
    children: Mapped[list[Child]] = relationship(lazy="raise")
    notes: Mapped[list[Note]] = relationship(lazy="raise")


class Child(Numbered, Base):
    name: Mapped[str]
    parent_id: Mapped[int] = mapped_column(ForeignKey("parent.id"), index=True)
    marks: Mapped[list[Mark]] = relationship(lazy="raise")


class Note(Numbered, Base):
    parent_id: Mapped[int] = mapped_column(ForeignKey("parent.id"), index=True)


class Mark(Numbered, Base):
    child_id: Mapped[int] = mapped_column(ForeignKey("child.id"), index=True)


def fill(session: Session) -> None:
    session.execute(insert(Owner), [{"id": n, "name": f"{n}"} for n in range(50)])
    parents = [{"id": n, "about": "x" * 100, "owner_id": n % 50} for n in range(PARENTS)]
    session.execute(insert(Parent), parents)
    children = [{"name": "y" * 20, "parent_id": n % PARENTS} for n in range(PARENTS * CHILDREN)]
    session.execute(insert(Child), children)
    session.execute(insert(Note), [{"parent_id": n % PARENTS} for n in range(PARENTS * SIBLINGS)])
    session.execute(insert(Mark), [{"child_id": n} for n in (1, 1, 2, 3)])
    session.commit()


@pytest.fixture(scope="session")
def filled(server_url: URL) -> Iterator[URL]:
    """Yield a database with parents and children, for all tests that only read."""
    url = server_url.set(database=f"test_{uuid4().hex[:12]}")

    async def make() -> None:
        await execute(server_url, f"CREATE DATABASE {url.database}")
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            await session.run_sync(fill)
        await engine.dispose()
        await execute(url, "VACUUM ANALYZE")

    asyncio.run(make())
    yield url
    asyncio.run(execute(server_url, f"DROP DATABASE {url.database} WITH (FORCE)"))


@pytest.fixture
async def sessions(filled: URL) -> AsyncIterator[Sessions]:
    engine = create_async_engine(filled)
    yield async_sessionmaker(engine)
    await engine.dispose()


@pytest.fixture
async def own_sessions(server_url: URL, filled: URL) -> AsyncIterator[Sessions]:
    """Yield sessions on a copy, for a test that writes."""
    copy = server_url.set(database=f"test_{uuid4().hex[:12]}")
    await execute(server_url, f"CREATE DATABASE {copy.database} TEMPLATE {filled.database}")
    engine = create_async_engine(copy)
    yield async_sessionmaker(engine)
    await engine.dispose()
    await execute(server_url, f"DROP DATABASE {copy.database} WITH (FORCE)")


def first(parents: int) -> Select[tuple[Parent]]:
    return select(Parent).order_by(Parent.id).limit(parents)


async def test_two_hundred_parents_with_twenty_children_cost_what_they_should(
    sessions: Sessions,
) -> None:
    comparison = await compare_loading(sessions, select(Parent), Parent.children)
    counts = {
        str(measured.strategy): (measured.statements, measured.rows)
        for measured in comparison.measured
    }
    assert counts == {
        "selectinload": (2, 4_200),
        "joinedload": (1, 4_000),
        "subqueryload": (2, 4_200),
        "lazyload": (201, 4_200),
        "immediateload": (201, 4_200),
        "raiseload": (1, 200),
    }
    selectin, joined, raised = (
        comparison.of(name)[0] for name in ("selectinload", "joinedload", "raiseload")
    )
    assert joined.bytes_received > 2 * selectin.bytes_received
    assert (joined.duplicate_rows, selectin.duplicate_rows) == (3_800, 0)
    # BEGIN and ROLLBACK are one each.
    assert selectin.round_trips == 4
    assert "raiseload" in raised.raised or "is not available" in raised.raised
    assert selectin.server_seconds < selectin.database_seconds < selectin.seconds
    assert min(measured.peak_memory for measured in comparison.measured) > 10_000
    assert comparison.recommended is Strategy.SELECTIN
    assert comparison.recommendation.startswith(
        "selectinload: 2 statements for 200 parents, 4,200 rows ("
    )


async def test_two_collections_multiply_when_joined(sessions: Sessions) -> None:
    comparison = await compare_loading(
        sessions,
        select(Parent),
        [Parent.children, Parent.notes],
        strategies=["selectinload", "joinedload"],
    )
    selectin, joined = comparison.measured
    assert (selectin.statements, selectin.rows) == (3, 5_200)
    assert (joined.statements, joined.rows, joined.product) == (1, 20_000, 20_000)
    assert joined.bytes_received > 10 * selectin.bytes_received
    assert comparison.path == "Parent.children and Parent.notes"
    assert comparison.recommended is Strategy.SELECTIN


async def test_growth_tells_an_n_plus_one_from_batches(sessions: Sessions) -> None:
    comparison = await compare_loading(
        sessions, first, [Parent.children, Parent.notes], sizes=[2, 10, 30, 50], runs=1
    )
    laws = {
        str(name): (comparison.growth(name, "statements").law, comparison.growth(name, "rows").law)
        for name in comparison.strategies
    }
    assert laws == {
        "selectinload": (Law.CONSTANT, Law.PARENTS),
        "joinedload": (Law.CONSTANT, Law.PARENTS),
        "subqueryload": (Law.CONSTANT, Law.PARENTS),
        "lazyload": (Law.PARENTS, Law.PARENTS),
        "immediateload": (Law.PARENTS, Law.PARENTS),
        "raiseload": (Law.CONSTANT, Law.PARENTS),
    }
    assert comparison.growth("lazyload", "statements").factor == pytest.approx(2)
    assert comparison.growth("joinedload", "rows").factor == pytest.approx(CHILDREN * SIBLINGS)
    assert comparison.growth("selectinload", "rows").factor == pytest.approx(26)
    assert ("raiseload", "rows") not in comparison.growths


async def test_a_single_object_is_joined(sessions: Sessions) -> None:
    comparison = await compare_loading(sessions, first, Parent.owner, sizes=[1, 10, 100])
    assert comparison.recommended is Strategy.JOINED
    assert "Parent.owner is a single object" in comparison.recommendation
    joined, lazy = (comparison.of(name)[-1] for name in ("joinedload", "lazyload"))
    assert (joined.statements, joined.rows, joined.duplicate_rows) == (1, 100, 0)
    # The second half of the parents have owners that are in the session already.
    assert lazy.statements == 51


async def test_one_record_may_be_joined(sessions: Sessions) -> None:
    comparison = await compare_loading(sessions, first(1), Parent.children)
    assert comparison.recommended is Strategy.JOINED
    assert "one statement for one record" in comparison.recommendation


async def test_a_chain_is_loaded_alike_all_along(sessions: Sessions) -> None:
    comparison = await compare_loading(sessions, first(5), (Parent.children, Child.marks))
    counts = {str(measured.strategy): measured.statements for measured in comparison.measured}
    assert counts["selectinload"] == counts["subqueryload"] == 3
    assert counts["joinedload"] == 1
    assert counts["lazyload"] == 1 + 5 + 5 * CHILDREN
    assert {measured.children for measured in comparison.measured if not measured.raised} == {
        5 * CHILDREN + 4
    }
    assert comparison.path == "Parent.children > Child.marks"


async def test_a_statement_of_ones_own_is_compared_too(sessions: Sessions) -> None:
    counted = select(Parent.id, func.count(Child.id)).join(Parent.children).group_by(Parent.id)
    comparison = await compare_loading(
        sessions, select(Parent), Parent.children, strategies=["selectinload"], aggregate=counted
    )
    selectin, aggregate = comparison.measured
    assert (aggregate.strategy, aggregate.statements, aggregate.rows) == ("one statement", 1, 200)
    assert aggregate.bytes_received < selectin.bytes_received
    assert (aggregate.parents, aggregate.children) == (selectin.parents, selectin.children)
    assert comparison.recommended is Strategy.SELECTIN


async def test_more_than_five_hundred_parents_take_another_statement(
    own_sessions: Sessions,
) -> None:
    async with own_sessions() as session, session.begin():
        more = [{"about": "", "owner_id": 1, "id": n} for n in range(PARENTS, 1_501)]
        await session.execute(insert(Parent), more)
    comparison = await compare_loading(
        own_sessions,
        first,
        Parent.children,
        strategies=["selectinload"],
        runs=1,
        sizes=[100, 500, 501, 1_001, 1_501],
    )
    assert [measured.statements for measured in comparison.of("selectinload")] == [2, 2, 3, 4, 5]
    assert comparison.growth("selectinload", "statements") == Growth(Law.CHUNKS, pytest.approx(1))


async def test_plans_are_there_on_request(sessions: Sessions) -> None:
    comparison = await compare_loading(
        sessions, first(3), Parent.children, strategies=["selectinload"], explain=True
    )
    plans = comparison.measured[0].plans
    assert len(plans) == 2
    assert all("Actual Rows" in plan and "Shared Hit Blocks" in plan for plan in plans)


async def test_it_is_a_frame_a_table_and_html(sessions: Sessions) -> None:
    comparison = await compare_loading(sessions, first, Parent.children, sizes=[1, 5])
    frame = comparison.to_frame()
    assert len(frame) == 12
    assert frame.set_index(["size", "strategy"]).loc[(5, "lazyload"), "statements"] == 6
    assert str(frame["bytes_received"].dtype) == "Int64"
    console = Console(width=200, record=True)
    console.print(comparison)
    shown = console.export_text()
    assert "lazyload" in shown
    assert "by parents" in shown
    assert comparison.recommendation in shown
    html = comparison._repr_html_()
    assert html.count("<tr>") == 13
    assert "raises" in html


def test_a_sync_session_of_another_dialect_is_compared_too(sqlite: Engine) -> None:
    Base.metadata.create_all(sqlite)
    with Session(sqlite) as session:
        fill(session)
    comparison = asyncio.run(compare_loading(sessionmaker(sqlite), first(20), Parent.children))
    counts = {
        str(measured.strategy): (measured.statements, measured.rows)
        for measured in comparison.measured
    }
    assert counts["selectinload"] == (2, 420)
    assert counts["lazyload"] == (21, 420)
    # What its driver does not let be known is said to be unknown.
    assert {measured.bytes_received for measured in comparison.measured} == {None}
    assert comparison.recommended is Strategy.SELECTIN
    assert "?" in comparison._repr_html_()


async def test_strategies_that_bring_different_objects_are_refused(sessions: Sessions) -> None:
    sizes = iter([5, 5, 5, 5, 5, 7])

    class Unsteady(AsyncSession):
        async def run_sync(self, work: object, *_: object) -> list[object]:
            loaded = await super().run_sync(work)
            return loaded[: next(sizes, 3)]

    unsteady = async_sessionmaker(sessions.kw["bind"], class_=Unsteady)
    with pytest.raises(StrategiesDifferError, match="joinedload did not bring the same objects"):
        await compare_loading(unsteady, first(10), Parent.children)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (Parent.about, "no relationship of a mapped class"),
        ((Parent.children, Parent.notes), "no relationship of what Parent.children is"),
        ([], "empty"),
    ],
)
async def test_a_path_that_is_none_is_refused(path: object, reason: str) -> None:
    with pytest.raises(LoadingPathError, match=reason):
        await compare_loading(async_sessionmaker(), select(Parent), path)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (select(Parent.id), r"selects id, and no objects. Write: select\(Parent\)"),
        (select(Note), r"selects Note, and Parent.children is not of Note. Write: select\(Parent"),
        ([select(Parent)], r"a list is no statement. Write: select\(Parent\)"),
        (select(Parent).where(Parent.id < 0), "selects no rows"),
    ],
)
async def test_a_statement_without_parents_is_refused(
    sessions: Sessions, statement: object, reason: str
) -> None:
    with pytest.raises(LoadingStatementError, match=reason):
        await compare_loading(sessions, statement, Parent.children, runs=1)


async def test_a_statement_with_options_of_its_own_is_refused(sessions: Sessions) -> None:
    own = first(3).options(selectinload(Parent.children))
    with pytest.raises(LoadingPathError, match="no loader options for them"):
        await compare_loading(sessions, own, Parent.children, runs=1)


async def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ValueError, match="eagerload"):
        await compare_loading(
            async_sessionmaker(), select(Parent), Parent.children, strategies=["eagerload"]
        )


EXTENTS = [Extent(1, 3, 3), Extent(2, 8, 10), Extent(5, 15, 40), Extent(600, 900, 2000)]


@pytest.mark.parametrize(
    ("figures", "law"),
    [
        ([7, 7, 7, 7], Law.CONSTANT),
        ([2, 2, 2, 3], Law.CHUNKS),
        ([2, 3, 6, 601], Law.PARENTS),
        ([4, 9, 16, 901], Law.CHILDREN),
        ([5, 11, 21, 1501], Law.BOTH),
        ([3, 10, 40, 2000], Law.PRODUCT),
        ([9, 1, 30, 4], Law.UNCLEAR),
        ([9, None, 9, 9], Law.UNCLEAR),
    ],
)
def test_growth_has_a_name(figures: list[float | None], law: Law) -> None:
    assert growth_of(EXTENTS, figures, exact=True).law is law


def test_times_need_not_fit_exactly() -> None:
    assert growth_of(EXTENTS, [0.0042, 0.0088, 0.0161, 0.9], exact=False).law is Law.CHILDREN


def test_one_size_tells_of_no_growth() -> None:
    assert growth_of([Extent(5, 5, 5)], [3], exact=True).law is Law.UNCLEAR
