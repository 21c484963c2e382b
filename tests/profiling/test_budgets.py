"""Query budgets, as a block and as a pytest plugin in another project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import lazyload

from invoicing.toolkit.profiling import QueryBudget
from invoicing.toolkit.profiling.errors import (
    QueryBudgetError,
    TooManyStatementsError,
    WastefulQueriesError,
)
from tests.profiling.conftest import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from tests.profiling.conftest import Sessions

pytest_plugins = ["pytester"]


def books(session: Session) -> int:
    lazy = select(Shelf).options(lazyload(Shelf.books))
    return sum(len(shelf.books) for shelf in session.scalars(lazy))


async def test_a_budget_that_is_kept_says_nothing(
    sessions: Sessions, query_budget: Callable[..., QueryBudget]
) -> None:
    async with query_budget(1, no_findings=True) as budget, sessions() as session:
        await session.scalars(select(Shelf.id))
    assert len(budget.recorder.statements) == 1


async def test_a_budget_that_is_not_kept_lists_statements_and_findings(sessions: Sessions) -> None:
    with pytest.raises(TooManyStatementsError, match="4 statements were sent, 2 are") as raised:
        async with QueryBudget(2), sessions() as session:
            await session.run_sync(books)
    message = str(raised.value)
    assert message.count("test_budgets.py") >= 5
    assert "[n-plus-one] Shelf.books was loaded for 3 parents" in message
    assert isinstance(raised.value, AssertionError)


async def test_findings_fail_a_block_that_may_have_none(sessions: Sessions) -> None:
    with pytest.raises(WastefulQueriesError, match=r"add \.options"):
        async with QueryBudget(no_findings=True), sessions() as session:
            await session.run_sync(books)
    async with QueryBudget(no_findings=True, allow=["n-plus-one"]), sessions() as session:
        await session.run_sync(books)


async def test_what_a_block_raises_comes_first(sessions: Sessions) -> None:
    with pytest.raises(ZeroDivisionError):
        async with QueryBudget(0), sessions() as session:
            await session.scalars(select(Shelf.id))
            raise ZeroDivisionError


@pytest.mark.parametrize("wrong", [{}, {"max_statements": -1}, {"max_statements": True}])
def test_a_budget_that_allows_nothing_to_be_checked_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(QueryBudgetError, match="Write for example"):
        QueryBudget(**wrong)


PROJECT = """
import asyncio
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

ENGINE = create_engine("sqlite://")


@pytest.fixture
def prepared():
    with ENGINE.connect() as connection:
        for number in range(5):
            connection.execute(text("SELECT :n AS n FROM (SELECT 1) one"), {"n": number})


def ask(times):
    with ENGINE.connect() as connection:
        for number in range(times):
            connection.execute(text(f"SELECT {number} AS n FROM (SELECT 1) one"))


@pytest.mark.query_budget(2)
def test_kept(prepared):
    ask(2)


@pytest.mark.query_budget(2)
def test_broken(prepared):
    ask(3)


@pytest.mark.query_budget(2)
def test_that_fails_by_itself():
    ask(3)
    assert "its own"  == "failure"


@pytest.mark.query_budget(1)
class TestAll:
    def test_of_a_class(self):
        ask(2)


@pytest.mark.query_budget(max_statements=1)
@pytest.mark.asyncio
async def test_async(prepared):
    await asyncio.sleep(0)
    ask(2)


@pytest.mark.query_budget(no_findings=True)
def test_wasteful():
    with ENGINE.connect() as connection:
        for number in range(5):
            connection.execute(
                text("SELECT name FROM sqlite_master WHERE rootpage = :n"), {"n": number}
            )


@pytest.mark.query_budget()
def test_of_nothing():
    pass


@pytest.mark.query_budget("2")
def test_of_a_word():
    ask(1)


@pytest.mark.query_budget(max=2)
def test_of_another_name():
    ask(1)


def test_without():
    ask(9)
"""


@pytest.mark.parametrize("arguments", [(), ("-n", "1")])
def test_a_project_of_its_own_is_held_to_its_markers(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    pytester.makepyfile(PROJECT)
    result = pytester.runpytest_subprocess("--strict-markers", *arguments)
    result.assert_outcomes(passed=2, failed=8)
    text = result.stdout.str()
    assert "TooManyStatementsError: 3 statements were sent, 2 are allowed" in text
    assert "ask(3)" in text or "connection.execute" in text
    assert "WastefulQueriesError" in text
    assert "its own" in text
    assert "QueryBudgetError" in text
    assert "'2' is no number of statements" in text
    assert "unexpected keyword argument 'max'; it takes max_statements" in text
    assert "TypeError: '" not in text


def test_the_plugin_imports_nothing_that_no_test_needs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            assert "invoicing.pytest_plugin" in sys.modules
            assert not {"sqlalchemy", "pandas", "invoicing.toolkit.profiling"} & sys.modules.keys()
        """
    )
    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=1)
