"""Query budgets: how many statements, for how long, and whether any may be wasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from invoicing.toolkit.profiling.errors import (
    QueryBudgetError,
    SlowQueriesError,
    WastefulQueriesError,
)
from invoicing.toolkit.profiling.recorder import Recorder, record_queries
from invoicing.toolkit.profiling.tables import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.profiling.findings.thresholds import Thresholds


class QueryBudget:
    """A block of code that may send so many statements; a `with` or an `async with`.

    Args:
        max_statements: how many; None for any number.
        max_seconds: how long the program may wait for them, all in all; None for any time. Leave
            it room: machines differ.
        target: whose statements count, as of `record_queries`; those of all engines if None.
        no_findings: whether a finding fails it, whatever the number of statements.
        allow: slugs of findings that do not.
        thresholds: from which size on something is a finding.
        everywhere: count every task and thread, not only the block's own.

    Attributes:
        recorder: what was sent.

    Raises:
        QueryBudgetError: the budget allows nothing to be checked, or less than nothing.
    """

    def __init__(
        self,
        max_statements: int | None = None,
        *,
        max_seconds: float | None = None,
        target: object = None,
        no_findings: bool = False,
        allow: Iterable[str] = (),
        thresholds: Thresholds | None = None,
        everywhere: bool = False,
    ) -> None:
        if max_statements is None and max_seconds is None and not no_findings:
            raise QueryBudgetError(
                "neither a number of statements nor max_seconds nor no_findings=True is given"
            )
        if max_statements is not None and (
            not isinstance(max_statements, int)
            or isinstance(max_statements, bool)
            or max_statements < 0
        ):
            raise QueryBudgetError(f"{max_statements!r} is no number of statements")
        if max_seconds is not None and (
            not isinstance(max_seconds, (int, float))
            or isinstance(max_seconds, bool)
            or not max_seconds > 0
        ):
            raise QueryBudgetError(f"max_seconds={max_seconds!r} is no time")
        self._max = max_statements
        self._max_seconds = max_seconds
        self._no_findings = no_findings
        self.recorder: Recorder = record_queries(
            target, allow=allow, thresholds=thresholds, everywhere=everywhere
        )

    def check(self) -> None:
        """Compare what was sent with what is allowed.

        Raises:
            TooManyStatementsError: more was; it is an AssertionError and lists statements and
                findings.
            SlowQueriesError: the program waited longer; an AssertionError too.
            WastefulQueriesError: there are findings; an AssertionError too.
        """
        __tracebackhide__ = True
        findings = [str(finding) for finding in self.recorder.findings]
        statements = lines_of(self.recorder.statements)
        if self._max is not None:
            self.recorder.assert_max_statements(self._max)
        waited = self.recorder.database_seconds
        if self._max_seconds is not None and waited > self._max_seconds:
            slowest = sorted(
                self.recorder.statements, key=lambda each: each.database_seconds, reverse=True
            )
            times = [f"{each.database_seconds * 1000:,.1f} ms" for each in slowest]
            lines = [f"{time}: {line}" for time, line in zip(times, lines_of(slowest), strict=True)]
            raise SlowQueriesError(waited, self._max_seconds, lines, findings)
        if self._no_findings and findings:
            raise WastefulQueriesError(findings, statements)

    def __enter__(self) -> Self:
        self.recorder.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self.recorder.__exit__()
        if kind is None:
            self.check()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self.__exit__(kind)
