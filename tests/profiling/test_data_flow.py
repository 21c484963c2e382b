"""Where looked-up values came from, beyond the corpus: threads, and code of all sorts."""

from __future__ import annotations

import linecache
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from invoicing.toolkit.profiling import record_queries
from invoicing.toolkit.profiling.findings.data_flow import DataFlow
from invoicing.toolkit.profiling.statement import Caller, Statement
from tests.profiling.conftest import Base, Book, Shelf, shelves

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from invoicing.toolkit.profiling import Finding

THREADS = 3


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'shelves.db'}")
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all([*shelves(), *shelves()])
    yield engine
    engine.dispose()


def in_a_pool(engine: Engine, *, listed: bool) -> list[Finding]:
    def of_listed(number: int) -> list[str]:
        with Session(engine) as session:
            return [*session.scalars(select(Book.title).where(Book.shelf_id == number))]

    def of_numbers(number: int) -> list[str]:
        with Session(engine) as session:
            return [*session.scalars(select(Book.title).where(Book.shelf_id == number))]

    with record_queries(engine, everywhere=True) as recorder:
        with Session(engine) as session:
            numbers = [*session.scalars(select(Shelf.id))]
        with ThreadPoolExecutor(THREADS) as pool:
            if listed:
                assert all(pool.map(of_listed, numbers))
            else:
                assert all(pool.map(of_numbers, range(1, 7)))
    return recorder.findings


def test_a_pool_of_threads_for_rows_is_found(file: Engine) -> None:
    (finding,) = in_a_pool(file, listed=True)
    assert finding.slug == "n-plus-one"
    assert "for the rows of the statement at" in finding.message


def test_a_pool_of_threads_for_numbers_is_not(file: Engine) -> None:
    assert in_a_pool(file, listed=False) == []


def statement(number: int, *lines: int, function: str = "<module>") -> Statement:
    stack = tuple(Caller("<program>", line, function) for line in lines)
    return Statement(number, "SELECT", 0.0, stack=stack)


def leads(source: str, origin: int, *stack: int) -> bool:
    text = dedent(source).strip() + "\n"
    linecache.cache["<program>"] = (len(text), None, text.splitlines(keepends=True), "<program>")
    first = statement(1, origin)
    return DataFlow([first]).leads(statement(2, *stack), first)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ids[0]", True),
        ("ids[0] if ids else 0", True),
        ("max(ids)", True),
        ("int(str(ids[0]))", True),
        ("len(ids)", False),
        ("1", False),
        ("other", False),
        ("[7 for _ in ids][0]", False),
    ],
)
def test_a_value_is_followed_to_its_rows(value: str, expected: bool) -> None:
    source = f"""
        ids = [each for each in s.scalars(a)]
        other = 3
        s.get(A, {value})
    """
    assert leads(source, 1, 3) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = s.scalars(a)\nx = [1]\ns.get(A, x[0])", False),
        ("x = s.scalars(a)\nif c:\n    x = [1]\ns.get(A, x[0])", True),
        ("x = s.scalars(a)\nfor x in [1]:\n    s.get(A, x)", False),
        ("x = s.scalars(a)\ny, z = x, 1\ns.get(A, z)", False),
        ("x = s.scalars(a)\ny, z = x, 1\ns.get(A, y)", True),
        ("x = s.scalars(a)\nfor y, z in zip(x, b):\n    s.get(A, z)", False),
        ("x = s.scalars(a)\nfor y, z in zip(b, x):\n    s.get(A, z)", True),
        ("x = s.scalars(a)\ny = {}\ny[x[0]] = 1\nfor z in y:\n    s.get(A, z)", True),
        ("x = s.scalars(a)\ny = []\ny += x\ns.get(A, y.pop())", True),
        ("x = s.scalars(a)\nif (y := x[0]):\n    s.get(A, y)", True),
        ("x = s.scalars(a)\ns.get(A, B(y=x).y)", True),
        ("x = s.scalars(a)\ns.add(x[0])\ns.get(A, s.now)", False),
        ("x = s.scalars(a)\ns.execute(text, {'y': x[0]})", True),
        ("x = s.scalars(a)\nthis is no Python", False),
    ],
)
def test_names_are_followed_in_their_order(source: str, expected: bool) -> None:
    assert leads(source, 1, source.count("\n") + 1) is expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("one(s, x)", True),
        ("one(s, number=x)", True),
        ("one(*x)", True),
        ("one(s, 1)", False),
        ("one(x, 1)", False),
        ("pool.submit(one, s, x)", True),
        ("[*map(one, b, c)]", False),
        ("(one if b else two)(s, x)", True),
    ],
)
def test_arguments_are_followed_to_the_call_on_the_stack(call: str, expected: bool) -> None:
    source = f"""
        def one(s, number):
            return s.get(A, number)
        x = s.scalars(a)
        {call}
        one(s, x); one(s, 1)
    """
    assert leads(source, 3, 2, 4) is expected


@pytest.mark.parametrize(("other", "expected"), [("x", True), ("1", False)])
def test_without_a_stack_every_call_has_to_lead_there(other: str, expected: bool) -> None:
    source = f"""
        def one(number):
            return s.get(A, number)
        x = s.scalars(a)
        create_task(one(x))
        create_task(one({other}))
    """
    assert leads(source, 3, 2) is expected


def test_functions_that_call_themselves_and_each_other_come_to_an_end() -> None:
    calls = "; ".join(["one(number - 1)", "two(number)"] * 9)
    source = f"""
        def one(number):
            s.get(A, number); {calls}
        def two(number): {calls}
        x = s.scalars(a)
        create_task(one(x))
    """
    assert leads(source, 4, 2) is False


def test_a_function_that_calls_itself_is_followed_to_who_called_it() -> None:
    source = """
        def one(number):
            s.get(A, number); one(number.above)
        x = s.scalars(a)
        create_task(one(x))
    """
    assert leads(source, 3, 2)


def test_code_without_source_shows_nothing() -> None:
    first = Statement(1, "SELECT", 0.0, stack=(Caller("<nowhere>", 1, "f"),))
    second = Statement(2, "SELECT", 0.0, stack=(Caller("<nowhere>", 2, "f"),))
    assert not DataFlow([first]).leads(second, first)
    assert not DataFlow([first]).leads(Statement(3, "SELECT", 0.0), first)
