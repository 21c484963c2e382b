"""A block of code that may waste something, and a budget of time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from invoicing.toolkit.profiling import QueryBudget, allow, record_queries
from invoicing.toolkit.profiling.errors import (
    AllowanceError,
    QueryBudgetError,
    SlowQueriesError,
    UnknownFindingError,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

PAGE = text("SELECT name FROM sqlite_master WHERE rootpage = :page")


def pages(sqlite: Engine) -> None:
    with sqlite.connect() as connection:
        for page in range(5):
            connection.execute(PAGE, {"page": page})


def test_what_is_allowed_is_no_finding(sqlite: Engine) -> None:
    with record_queries(sqlite) as recorder, allow("n-plus-one", why="five pages"):
        pages(sqlite)
    assert recorder.findings == []
    assert recorder.unused_allowances == []
    with record_queries(sqlite) as recorder:
        pages(sqlite)
    assert [finding.slug for finding in recorder.findings] == ["n-plus-one"]


def test_another_kind_is_found_all_the_same_and_the_allowance_is_unused(sqlite: Engine) -> None:
    with record_queries(sqlite) as recorder:
        for _ in range(3):
            with allow("over-fetch", why="it was large once"):
                pages(sqlite)
    assert "n-plus-one" in {finding.slug for finding in recorder.findings}
    (unused,) = recorder.unused_allowances
    assert str(unused).startswith("tests/profiling/test_allowances.py:")
    assert "it was large once" in str(unused)


def test_a_block_that_sends_a_part_allows_nothing(sqlite: Engine) -> None:
    with record_queries(sqlite) as recorder, sqlite.connect() as connection:
        for page in range(6):
            if page % 2:
                with allow("n-plus-one", why="every second"):
                    connection.execute(PAGE, {"page": page})
            else:
                connection.execute(PAGE, {"page": page})
    assert [finding.slug for finding in recorder.findings] == ["n-plus-one"]


async def test_it_holds_in_tasks_threads_and_pools(sqlite: Engine) -> None:
    async with record_queries(sqlite) as recorder, allow("n-plus-one", why="five pages"):
        await asyncio.gather(asyncio.to_thread(pages, sqlite))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(pages, sqlite).result()
    assert len(recorder.statements) == 10
    assert recorder.findings == []
    assert recorder.unused_allowances == []


def test_it_needs_a_kind_and_a_reason() -> None:
    with pytest.raises(UnknownFindingError, match="Did you mean n-plus-one"):
        allow("n-plus-on", why="five pages")
    with pytest.raises(AllowanceError, match="needs a reason"):
        allow("n-plus-one", why="  ")


def test_a_budget_of_time_names_the_slowest_first(sqlite: Engine) -> None:
    many = text(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20000)"
        " SELECT count(*) FROM n"
    )
    with QueryBudget(max_seconds=60), sqlite.connect() as connection:
        connection.execute(many)
    with (
        pytest.raises(SlowQueriesError, match=r"waited [\d.]+ ms for 2 statements") as raised,
        QueryBudget(max_seconds=0.000_001),
        sqlite.connect() as connection,
    ):
        connection.execute(text("SELECT 1"))
        connection.execute(many)
    assert "WITH RECURSIVE" in raised.value.statements[0]
    assert isinstance(raised.value, AssertionError)


@pytest.mark.parametrize("wrong", [0, -1, True, "1", float("nan")])
def test_a_budget_of_no_time_is_refused(wrong: object) -> None:
    with pytest.raises(QueryBudgetError, match="is no time"):
        QueryBudget(max_seconds=wrong)
