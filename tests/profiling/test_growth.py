"""Judging a recording grows with its statements, and no faster: work is counted, not timed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session, lazyload, selectinload

from invoicing.toolkit.profiling import record_queries
from tests.profiling.conftest import Base, Book, Label, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from sqlalchemy import Engine

    from invoicing.toolkit.profiling import Finding

FEW = 25
PARENTS = 4


def page(number: int) -> object:
    first = number * PARENTS + 1
    return select(Shelf).where(Shelf.id.between(first, first + PARENTS - 1))


def lazy_loads(engine: Engine, requests: int) -> None:
    for number in range(requests):
        with Session(engine) as session:
            for shelf in session.scalars(page(number).options(lazyload(Shelf.books))).all():
                len(shelf.books)


def unused_loads(engine: Engine, requests: int) -> None:
    for number in range(requests):
        with Session(engine) as session:
            for shelf in session.scalars(page(number).options(selectinload(Shelf.books))):
                assert shelf.name


def used_otherwise(engine: Engine, requests: int) -> None:
    with Session(engine) as session:
        for number in range(requests):
            for shelf in session.scalars(page(number).options(selectinload(Shelf.books))):
                assert shelf.name
                assert session.get(Book, shelf.id).title


def lookups(engine: Engine, requests: int) -> None:
    for number in range(requests):
        with Session(engine) as session:
            for key in session.scalars(page(number).with_only_columns(Shelf.id)).all():
                session.scalars(select(Book.title).where(Book.shelf_id == key)).all()


def refreshes(engine: Engine, requests: int) -> None:
    for number in range(requests):
        with Session(engine) as session:
            for shelf in session.scalars(page(number)).all():
                session.refresh(shelf, ["labels"])


def repeats(engine: Engine, requests: int) -> None:
    with Session(engine) as session:
        for number in range(requests):
            for _ in range(3):
                session.scalars(page(number).with_only_columns(Shelf.name)).all()
            session.add(Label(shelf_id=number + 1, word="x"))
            session.flush()


def work_of(program: Callable[[Engine, int], None], engine: Engine, requests: int) -> int:
    """Return how many of the interpreter's steps judging takes."""
    steps = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return trace

    with record_queries(engine) as recorder:
        program(engine, requests)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        _ = recorder.findings  # works them out
    finally:
        sys.settrace(before)
    return steps


@pytest.fixture
def shelves(sqlite: Engine) -> Engine:
    """Return an engine on enough shelves, each with a book."""
    Base.metadata.create_all(sqlite)
    numbers = range(1, 2 * FEW * PARENTS + 1)
    with sqlite.begin() as connection:
        connection.execute(insert(Shelf), [{"id": n, "name": f"{n}"} for n in numbers])
        rows = [{"id": n, "title": f"{n}", "shelf_id": n} for n in numbers]
        connection.execute(insert(Book), rows)
    return sqlite


@pytest.mark.parametrize(
    "program", [lazy_loads, unused_loads, used_otherwise, lookups, refreshes, repeats]
)
def test_twice_the_statements_are_twice_the_work(
    program: Callable[[Engine, int], None], shelves: Engine
) -> None:
    # What is worked out once, of sources and texts, is there by then.
    work_of(program, shelves, 3)
    few, many = (work_of(program, shelves, requests) for requests in (FEW, 2 * FEW))
    assert many < 2.2 * few, f"{few:,} steps for {FEW} requests, {many:,} for twice as many"


def findings_of(engine: Engine, program: Callable[[Engine, int], None], times: int) -> Finding:
    with record_queries(engine) as recorder:
        program(engine, times)
    (finding,) = recorder.findings
    return finding


@pytest.mark.parametrize("program", [lazy_loads, lookups, refreshes])
def test_equal_findings_of_one_line_are_one_with_a_count(
    program: Callable[[Engine, int], None], shelves: Engine
) -> None:
    alone = findings_of(shelves, program, 1)
    together = findings_of(shelves, program, 10)
    assert (alone.count, together.count) == (1, 10)
    assert together.cost.statements == 10 * alone.cost.statements
    assert len(together.statements) == 10 * len(alone.statements)
    assert together.caller == alone.caller
    assert together.message.startswith(alone.message.partition(", for the rows")[0])
    assert "(found 10 times)" in str(together)
    assert "found" not in str(alone)
