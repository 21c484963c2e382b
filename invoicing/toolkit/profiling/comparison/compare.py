"""`compare_loading`: the same work by each strategy, measured side by side."""

from __future__ import annotations

import tracemalloc
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import Select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.db import Database
from invoicing.toolkit.profiling.comparison.checks import check_parents, check_statement
from invoicing.toolkit.profiling.comparison.measured import Measured
from invoicing.toolkit.profiling.comparison.result import LoadingComparison
from invoicing.toolkit.profiling.comparison.strategies import (
    LOADERS,
    Strategy,
    chains_of,
    children_of,
    load_all,
    options_for,
    product_of,
    relationship_of,
)
from invoicing.toolkit.profiling.errors import (
    LoadingPathError,
    SessionSourceError,
    StrategiesDifferError,
)
from invoicing.toolkit.profiling.recorder import record_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from invoicing.toolkit.profiling.comparison.strategies import Attribute, Chain
    from invoicing.toolkit.profiling.recorder import Recorder

    SessionFactory = Callable[[], AsyncSession | Session] | Database
    StatementSource = Select[Any] | Callable[[Any], Select[Any]]
    Work = Callable[[Session], list[Any]]


class _Task(NamedTuple):
    """One strategy's work at one size; what it returns is the same for every strategy."""

    strategy: Strategy
    size: object
    work: Work
    sessions: SessionFactory
    explain: bool
    runs: int


async def compare_loading(
    session_factory: SessionFactory,
    statement: StatementSource,
    path: Attribute | Chain | list[Attribute | Chain],
    *,
    strategies: Sequence[Strategy | str] = LOADERS,
    sizes: Sequence[Any] = (None,),
    aggregate: StatementSource | None = None,
    explain: bool = False,
    runs: int = 3,
) -> LoadingComparison:
    """Load the same objects by each strategy, and compare what it costs.

    Each strategy runs once to warm up, `runs` times to be measured, and once to measure memory, in
    a session of its own each time. Everything on the path is read, as a program would.

    Args:
        session_factory: makes an AsyncSession, or a Session; or a Database, read by its read-only
            sessions.
        statement: selects the parents; or what makes that of a size.
        path: the relationship; a tuple for a chain of them, a list for siblings.
        strategies: the loader options to compare.
        sizes: passed to `statement` one by one; where that is a Select, so many parents (LIMIT).
        aggregate: one statement that answers the program's question without objects, to compare.
        explain: whether to keep PostgreSQL's plans.
        runs: how often to measure; times are the medians.

    Raises:
        SessionSourceError: `session_factory` makes no sessions: an engine, a session or a URL.
        LoadingPathError: `path` is no path of relationships.
        LoadingStatementError: `statement` does not select the parents that `path` begins at, or
            there are none.
        StrategiesDifferError: two strategies did not bring the same objects.
        ValueError: a strategy is unknown.
    """
    _check_source(session_factory)
    chains = chains_of(path)
    check_statement(statement, chains)
    measured: list[Measured] = []
    for size in sizes:
        expected: list[Any] | None = None
        for strategy in map(Strategy, strategies):
            chosen = _sized(statement, size).options(*options_for(strategy, chains))
            task = _Task(strategy, size, _loading(chosen, chains), session_factory, explain, runs)
            row, loaded = await _measure(task, expected)
            if loaded is not None:
                expected = expected or loaded
            measured.append(row)
        if aggregate is not None:
            counted = _executing(_sized(aggregate, size))
            task = _Task(Strategy.AGGREGATE, size, counted, session_factory, explain, runs)
            measured.append((await _measure(task, expected))[0])
    check_parents(measured)
    names = [" > ".join(str(attribute) for attribute in chain) for chain in chains]
    collection = any(relationship_of(attribute).uselist for chain in chains for attribute in chain)
    return LoadingComparison(" and ".join(names), collection, measured)


# What is often given instead, by the name of its class, and what to write.
_INSTEAD = {
    "AsyncEngine": "Write: compare_loading(async_sessionmaker(engine), ...)",
    "Engine": "Write: compare_loading(sessionmaker(engine), ...)",
    "AsyncSession": "Each strategy needs a session of its own: give the async_sessionmaker",
    "Session": "Each strategy needs a session of its own: give the sessionmaker",
    "str": "Write: compare_loading(Database(url), ...)",
    "URL": "Write: compare_loading(Database(url), ...)",
}


def _check_source(source: object) -> None:
    kinds = [kind.__name__ for kind in type(source).__mro__]
    advice = next((_INSTEAD[kind] for kind in kinds if kind in _INSTEAD), None)
    if advice is None and (isinstance(source, Database) or callable(source)):
        return
    otherwise = "Give a Database, an async_sessionmaker or a sessionmaker"
    raise SessionSourceError(type(source).__name__, advice or otherwise)


def _sized(statement: StatementSource, size: object) -> Select[Any]:
    if not isinstance(statement, Select):
        return statement(size)
    return statement if size is None else statement.limit(cast("int", size))


def _loading(statement: Select[Any], chains: tuple[Chain, ...]) -> Work:
    def work(session: Session) -> list[Any]:
        return load_all(session.scalars(statement).unique().all(), chains)

    return work


def _executing(statement: Select[Any]) -> Work:
    def work(session: Session) -> list[Any]:
        session.execute(statement).all()
        return []

    return work


async def _run(sessions: SessionFactory, work: Work) -> list[Any]:
    if isinstance(sessions, Database):
        async with sessions.read_only() as reading:
            return await reading.run_sync(work)
    session = sessions()
    if isinstance(session, AsyncSession):
        async with session:
            return await session.run_sync(work)
    with session:
        return work(session)


async def _measure(task: _Task, expected: list[Any] | None) -> tuple[Measured, list[Any] | None]:
    raised: str | None = None
    loaded: list[Any] = []
    try:
        loaded = await _run(task.sessions, task.work)
    except InvalidRequestError as error:
        if task.strategy is not Strategy.RAISE or "lazy='raise'" not in str(error):
            # As a rule two loader options that contradict each other.
            raise LoadingPathError("a statement with options of its own", str(error)) from None
        raised = str(error)
    by_objects = raised is None and task.strategy is not Strategy.AGGREGATE
    if by_objects and expected is not None and loaded != expected:
        raise StrategiesDifferError(task.strategy, len(loaded), len(expected))
    recorders, seconds = [], []
    for _ in range(1 if raised else task.runs):
        recorder, took = await _recorded(task, raised)
        recorders.append(recorder)
        seconds.append(took)
    peak = await _peak_memory(task, raised)
    seen = loaded if by_objects else expected or []
    return _row(task, seen, recorders, seconds, peak, raised), loaded if by_objects else None


async def _recorded(task: _Task, raised: str | None) -> tuple[Recorder, float]:
    session = None if isinstance(task.sessions, Database) else task.sessions()
    target = task.sessions if session is None else session.get_bind()
    if session is None or isinstance(session, AsyncSession):
        async with record_queries(target, explain=task.explain) as recorder:
            seconds = await _timed(task, raised)
    else:
        with record_queries(target, explain=task.explain) as recorder:
            seconds = await _timed(task, raised)
    return recorder, seconds


async def _timed(task: _Task, raised: str | None) -> float:
    began = perf_counter()
    try:
        await _run(task.sessions, task.work)
    except InvalidRequestError:
        if raised is None:
            raise
    return perf_counter() - began


async def _peak_memory(task: _Task, raised: str | None) -> int:
    # A run of its own: tracing takes more time than the work.
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        await _timed(task, raised)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not running:
            tracemalloc.stop()
    return max(peak - before, 0)


def _row(
    task: _Task,
    loaded: list[Any],
    recorders: list[Recorder],
    seconds: list[float],
    peak: int,
    raised: str | None,
) -> Measured:
    first = recorders[0]
    servers = [recorder.server_seconds for recorder in recorders]
    known = [server for server in servers if server is not None]
    return Measured(
        task.strategy,
        task.size,
        len(loaded),
        children_of(loaded),
        product_of(loaded),
        len(first.statements),
        first.round_trips,
        first.rows,
        sum(statement.duplicate_rows for statement in first.statements),
        first.bytes_received,
        median(recorder.database_seconds for recorder in recorders),
        median(known) if len(known) == len(servers) else None,
        median(recorder.orm_seconds for recorder in recorders),
        median(seconds),
        peak,
        raised,
        [*first.plans.values()],
    )
