"""A pytest plugin: query budgets for the tests of any project that uses SQLAlchemy.

    @pytest.mark.query_budget(2)                       # two statements at the most
    @pytest.mark.query_budget(no_findings=True)        # any number, but no N+1 and the like
    async def test_a_dashboard(session): ...

    async def test_a_part_of_it(session, query_budget):
        async with query_budget(1):
            await get_account_dashboard(session, account_id)

The marker counts what the test itself sends, not what its fixtures do. It is loaded by every run
of pytest, so it imports nothing until a test asks for a budget.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from invoicing.toolkit.profiling import QueryBudget

_MARKER = (
    "query_budget(max_statements=None, *, no_findings=False, allow=(), thresholds=None): fail the "
    "test when it sends more SQL statements, or wastes some"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hold a test to the budget of its marker."""
    __tracebackhide__ = True
    marker = item.get_closest_marker("query_budget")
    if marker is None:
        return (yield)
    # Everywhere: a test's event loop may run its coroutine in a context made before.
    budget = _budget(*marker.args, **{"everywhere": True, **marker.kwargs})
    with budget.recorder:
        result = yield
    budget.check()
    return result


@pytest.fixture
def query_budget() -> Callable[..., QueryBudget]:
    """Return what makes a budget for a block of code, for `with` and for `async with`."""
    return _budget


def _budget(*args: Any, **options: Any) -> QueryBudget:
    from invoicing.toolkit.profiling import QueryBudget
    from invoicing.toolkit.profiling.errors import QueryBudgetError

    names = signature(QueryBudget)
    try:
        names.bind(*args, **options)
    except TypeError as error:
        given = ", ".join(names.parameters)
        raise QueryBudgetError(f"{error}; it takes {given}") from None
    return QueryBudget(*args, **options)
