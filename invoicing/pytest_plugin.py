"""A pytest plugin: query budgets for the tests of any project that uses SQLAlchemy.

    @pytest.mark.query_budget(2)                       # two statements at the most
    @pytest.mark.query_budget(no_findings=True)        # any number, but no N+1 and the like
    async def test_a_dashboard(session): ...

    async def test_a_part_of_it(session, query_budget):
        async with query_budget(1):
            await get_account_dashboard(session, account_id)

The marker counts what the test itself sends, not what its fixtures do. With `every_test = true` in
`[tool.invoicing.profile]`, or `--query-profile`, every test is held to it without a marker. It is
loaded by every run of pytest, so it imports nothing until a test or a setting asks for it.
"""

from __future__ import annotations

from contextlib import ExitStack
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from invoicing.toolkit.profiling import QueryBudget
    from invoicing.toolkit.profiling.suite import Suite

_MARKER = (
    "query_budget(max_statements=None, *, max_seconds=None, no_findings=False, allow=(), "
    "thresholds=None): fail the test when it sends more SQL statements, waits longer for them, or "
    "wastes some"
)
_SUITE = pytest.StashKey["Suite"]()
_JUDGED = pytest.StashKey["list[Any]"]()
_FILES = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what a whole run is asked for."""
    group = parser.getgroup("queries", "SQL queries (invoicing)")
    group.addoption(
        "--query-profile", action="store_true", help="Fail every test that wastes SQL statements."
    )
    group.addoption(
        "--query-baseline", metavar="FILE", help="Findings of this file do not fail a test."
    )
    group.addoption(
        "--write-query-baseline",
        action="store_true",
        help="Run every test under the profiler, and write what is found to the baseline.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and read the project's settings if it has any."""
    config.addinivalue_line("markers", _MARKER)
    options = [config.getoption(name) for name in _OPTIONS]
    if any(options) or _has_settings(config.rootpath):
        config.stash[_SUITE] = _suite(config.rootpath, *options)
        config.pluginmanager.register(_Collected(config), "invoicing-queries")


_OPTIONS = ("query_profile", "query_baseline", "write_query_baseline")


def _has_settings(root: Path) -> bool:
    files = [root / name for name in _FILES if (root / name).is_file()]
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    return any("invoicing" in text and "profile" in text for text in texts)


def _suite(root: Path, every_test: bool, baseline: str | None, write: bool) -> Suite:
    from invoicing.errors import UsageError
    from invoicing.toolkit.profiling.suite import suite_of

    try:
        return suite_of(root, every_test=every_test, baseline=baseline, write=write)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hold a test to the budget of its marker, and to the project's settings."""
    __tracebackhide__ = True
    marker = item.get_closest_marker("query_budget")
    suite = item.config.stash.get(_SUITE, None)
    judges = suite is not None and suite.settings.every_test
    if marker is None and not judges:
        return (yield)
    budget = recorder = None
    with ExitStack() as stack:
        if marker is not None:
            # Everywhere: a test's event loop may run its coroutine in a context made before.
            options = {"everywhere": True, **marker.kwargs}
            budget = _budget_of(suite)(*marker.args, **options)
            stack.enter_context(budget.recorder)
        if suite is not None and judges:
            recorder = stack.enter_context(suite.recorder())
        result = yield
    if budget is not None:
        budget.check()
    if suite is not None and recorder is not None:
        item.stash[_JUDGED] = judged = suite.judge(recorder)
        suite.check(recorder, judged)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give the report what was found, so that it reaches the process that says it."""
    report = yield
    if call.when == "call" and _JUDGED in item.stash:
        # Beside what a report is made of: pytest-xdist sends it along.
        vars(report)["query_findings"] = item.stash[_JUDGED]
    return report


class _Collected:
    """What the tests of a run have found, in the process that ends it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._suite = config.stash[_SUITE]
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test has found."""
        self._suite.seen += getattr(report, "query_findings", ())

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the baseline."""
        if not hasattr(self._config, "workerinput") and self._suite.settings.every_test:
            self._lines = self._suite.finish(whole=self._is_whole(session))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is known, what is stale, and what only warns."""
        if self._lines:
            terminalreporter.section("SQL queries")
            for line in self._lines:
                terminalreporter.line(line)

    def _is_whole(self, session: pytest.Session) -> bool:
        # A file, a selection or a failure: what was not found may not have been looked for.
        option = self._config.option
        chosen = (option.keyword, option.markexpr, getattr(option, "lf", False))
        named = any("::" in each or each.endswith(".py") for each in self._config.args)
        return not any(chosen) and not named and not session.testsfailed and not session.shouldstop


@pytest.fixture
def query_budget(request: pytest.FixtureRequest) -> Callable[..., QueryBudget]:
    """Return what makes a budget for a block of code, for `with` and for `async with`."""
    return _budget_of(request.config.stash.get(_SUITE, None))


def _budget_of(suite: Suite | None) -> Callable[..., QueryBudget]:
    def budget(*args: Any, **options: Any) -> QueryBudget:
        return _budget(*args, **(options if suite is None else suite.budget_options(options)))

    return budget


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
