"""What the recorder costs: CPU time for each statement, with it and without it, in turns."""

from __future__ import annotations

import gc
import json
from resource import RUSAGE_SELF, getrusage
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from sqlalchemy import ForeignKey, create_engine, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
)

from invoicing.toolkit.profiling import record_queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

    from invoicing.db import Database

STATEMENTS = 150
TURNS = 40
# Of CPU time on a busy machine; the figure to look at is the one printed.
LIMIT = 1.25


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "profiling_row"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def one_row(number: int) -> object:
    return select(Row).where(Row.id == number % 100 + 1)


async def a_session_each(database: Database) -> float:
    began = process_time()
    for number in range(STATEMENTS):
        async with AsyncSession(database.engine) as session:
            (await session.execute(one_row(number))).scalar_one()
    return (process_time() - began) / STATEMENTS


async def one_session(database: Database) -> float:
    async with AsyncSession(database.engine) as session:
        (await session.execute(one_row(0))).scalar_one()
        began = process_time()
        for number in range(STATEMENTS):
            (await session.execute(one_row(number))).scalar_one()
        return (process_time() - began) / STATEMENTS


async def ratio(way: Callable[[Database], Awaitable[float]], database: Database) -> list[float]:
    """Return the CPU microseconds of a statement without and with the recorder, and the ratio."""
    without, recorded = [], []
    gc.collect()
    gc.freeze()
    try:
        for _ in range(TURNS):
            gc.collect()
            without.append(await way(database))
            gc.collect()
            async with record_queries(database) as recorder:
                recorded.append(await way(database))
            assert len(recorder) >= STATEMENTS
            assert recorder.lost == 0
    finally:
        gc.unfreeze()
    # The first turns warm the caches up. Neighbours are compared: the machine's speed changes.
    pairs = [*zip(without, recorded, strict=True)][TURNS // 8 :]
    middle = [median(times) * 1e6 for times in zip(*pairs, strict=True)]
    return [*middle, median(after / before for before, after in pairs)]


@pytest.mark.bench
async def test_recording_costs_little(
    bench_database: Database, results_folder: Path, measured: Callable[..., None]
) -> None:
    async with bench_database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        rows = "INSERT INTO profiling_row SELECT n, 'name' FROM generate_series(1, 100) n"
        await connection.execute(text(rows))
    figures = {
        way.__name__: await ratio(way, bench_database) for way in (a_session_each, one_session)
    }
    console = Console(width=120)
    for name, (without, recorded, factor) in figures.items():
        console.print(
            f"recorder, {name.replace('_', ' ')}: {without:.0f} us of CPU a statement, "
            f"{recorded:.0f} us recorded: {factor - 1:+.1%}"
        )
        measured(
            f"CPU of recording a statement (`record_queries`), {name.replace('_', ' ')}",
            f"{factor - 1:.0%} more",
            f"under {LIMIT - 1:.0%}",
        )
    (results_folder / "profiling.json").write_text(json.dumps(figures, indent=2))
    assert all(factor < LIMIT for _, _, factor in figures.values())


# Sync shapes, each with the ratio that it may have: lazy loads and eager reads by psycopg, and
# SQLAlchemy's Core on SQLite, of which a statement takes least.
GOALS = {"lazy_loads_by_psycopg": 1.25, "eager_reads_by_psycopg": 1.25, "core_on_sqlite": 1.3}
PARENTS, CHILDREN, ROUNDS, PAIRS = 30, 10, 3, 24


class Parent(Base):
    __tablename__ = "profiling_parent"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    children: Mapped[list[Child]] = relationship()


class Child(Base):
    __tablename__ = "profiling_child"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[int] = mapped_column(ForeignKey("profiling_parent.id"))


def read(engine: Engine, *options: Any) -> float:
    began = process_time()
    for _ in range(ROUNDS):
        with Session(engine) as session:
            parents = session.scalars(select(Parent).options(*options)).all()
            names = [(each.id, each.name) for parent in parents for each in parent.children]
            assert len(names) == PARENTS * CHILDREN
    return process_time() - began


def lazy_loads_by_psycopg(engine: Engine) -> float:
    return read(engine)


def eager_reads_by_psycopg(engine: Engine) -> float:
    return read(engine, selectinload(Parent.children))


def core_on_sqlite(engine: Engine) -> float:
    began = process_time()
    with engine.connect() as connection:
        for number in range(STATEMENTS):
            connection.execute(select(Parent.name).where(Parent.id == number % PARENTS + 1)).all()
    return process_time() - began


def factor_of(way: Callable[[Engine], float], engine: Engine) -> float:
    """Return the ratio of CPU time with the recorder to that without, of neighbours in turns."""
    factors = []
    gc.collect()
    gc.freeze()
    try:
        for _ in range(PAIRS):
            gc.collect()
            without = way(engine)
            gc.collect()
            with record_queries(engine) as recorder:
                recorded = way(engine)
            assert recorder.lost == 0
            factors.append(recorded / without)
    finally:
        gc.unfreeze()
    return median(factors[PAIRS // 8 :])


@pytest.mark.bench
def test_recording_other_shapes_costs_little(
    bench_server: URL, measured: Callable[..., None]
) -> None:
    server = create_engine(bench_server.set(drivername="postgresql+psycopg"))
    sqlite = create_engine("sqlite://")
    for engine in (server, sqlite):
        with engine.begin() as connection:
            Base.metadata.drop_all(connection)
            Base.metadata.create_all(connection)
        with Session(engine) as session, session.begin():
            children = [[Child(name=f"child {n}") for n in range(CHILDREN)] for _ in range(PARENTS)]
            session.add_all(Parent(name="parent", children=each) for each in children)
    engines = {"core_on_sqlite": sqlite}
    factors = {
        way.__name__: factor_of(way, engines.get(way.__name__, server))
        for way in (lazy_loads_by_psycopg, eager_reads_by_psycopg, core_on_sqlite)
    }
    for name, factor in factors.items():
        what = f"CPU of recording (`record_queries`), {name.replace('_', ' ')}"
        Console(width=120).print(f"{what}: {factor - 1:+.1%}")
        missed = ", not reached" if factor >= GOALS[name] else ""
        measured(what, f"{factor - 1:.0%} more", f"under {GOALS[name] - 1:.0%}{missed}")
    with server.begin() as connection:
        Base.metadata.drop_all(connection)
    for engine in (server, sqlite):
        engine.dispose()
    # Of CPU time on a busy machine, as above.
    assert all(factor < GOALS[name] + LIMIT - 1 for name, factor in factors.items())


FEW, MANY = 20_000, 100_000
# Four times as much would be quadratic in part; the rest is what the allocator and the GC take.
GROWTH = 1.5
SECONDS, MEGABYTES = 5.0, 300


def a_look_up_each(engine: Engine, statements: int) -> None:
    for _ in range(statements // 100):
        with engine.connect() as connection:
            for number in range(100):
                connection.execute(select(Row.name).where(Row.id == number + 1)).all()


def beyond_its_own(engine: Engine, statements: int) -> float:
    """Return the CPU seconds that recording and judging take, beside the program's own."""
    began = process_time()
    a_look_up_each(engine, statements)
    own = process_time() - began
    began = process_time()
    with record_queries(engine) as recorder:
        a_look_up_each(engine, statements)
    (finding,) = recorder.findings
    taken = process_time() - began - own
    assert (len(recorder), finding.count, recorder.lost) == (statements, statements // 100, 0)
    return taken


@pytest.mark.bench
def test_judging_grows_with_the_statements(measured: Callable[..., None]) -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        rows = [{"id": n, "name": "name"} for n in range(1, 101)]
        connection.execute(insert(Row), rows)
    few = beyond_its_own(engine, FEW)
    before = getrusage(RUSAGE_SELF).ru_maxrss
    many = beyond_its_own(engine, MANY)
    memory = (getrusage(RUSAGE_SELF).ru_maxrss - before) / 1024
    engine.dispose()
    growth = (many / MANY) / (few / FEW)
    what = f"{MANY:,} statements recorded and judged"
    Console(width=120).print(
        f"{what}: {many:.1f} s of CPU beyond the program's own, {memory:.0f} MB; a statement costs "
        f"{growth:.2f} times what it does among {FEW:,}"
    )
    measured(f"{what}, a statement against one of {FEW:,}", f"{growth:.2f}x", f"under {GROWTH}x")
    measured(f"{what}, CPU beyond the program's own", f"{many:.1f} s", f"under {SECONDS:.0f} s")
    measured(f"{what}, memory", f"{memory:.0f} MB", f"under {MEGABYTES} MB")
    assert growth < GROWTH
    # The seconds are the machine's, and shown only.
    assert memory < MEGABYTES
