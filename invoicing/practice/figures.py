"""How live traffic fares: latencies, outcomes, and each error."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import quantiles
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT_FAILURES = 100


class Outcome(StrEnum):
    """How a request ended.

    LOST: its connection died before the answer, so that it is unknown whether it was done.
    UNAVAILABLE: no connection could be made, so that nothing was done.
    FAILED: the server refused it, or answered what cannot be true.
    """

    DONE = "done"
    LOST = "lost"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


@dataclass(frozen=True)
class Failure:
    """One request that failed.

    Attributes:
        at: seconds since the traffic began.
        code: the version of the code that sent it.
        operation: what it was.
        reason: the first line of the server's message, or what was wrong with its answer.
        sqlstate: the server's code for it; None when it had answered.
    """

    at: float
    code: str
    operation: str
    reason: str
    sqlstate: str | None = None

    def __str__(self) -> str:
        code = f" (SQLSTATE {self.sqlstate})" if self.sqlstate else ""
        return f"{self.at:.3f} s, {self.code} code, {self.operation}: {self.reason}{code}"


@dataclass(frozen=True)
class TrafficFigures:
    """Traffic over some time; latencies are those of requests that were answered.

    Attributes:
        seconds: how long.
        requests: requests by `Outcome`.
        by_code: requests that were answered, by the version of the code that sent them.
        by_operation: the same by what they did.
        p50, p99: seconds from the moment a request was due to its answer.
        longest: the same of the longest one, those still under way included.
        replanned: requests sent again because the schema had changed under a prepared statement.
        failures: the failed requests, the first hundred of them.
    """

    seconds: float
    requests: Mapping[Outcome, int]
    by_code: Mapping[str, int]
    by_operation: Mapping[str, int]
    p50: float
    p99: float
    longest: float
    replanned: int
    failures: tuple[Failure, ...]

    @property
    def done(self) -> int:
        """Requests that were answered."""
        return self.requests.get(Outcome.DONE, 0)

    @property
    def failed(self) -> int:
        """Requests that failed."""
        return self.requests.get(Outcome.FAILED, 0)

    @property
    def rate(self) -> float:
        """Answered requests a second."""
        return self.done / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        ends = ", ".join(
            f"{self.requests.get(outcome, 0):,} {outcome.value}" for outcome in Outcome
        )
        return (
            f"{ends}; p50 {self.p50 * 1000:.1f} ms, p99 {self.p99 * 1000:.1f} ms, "
            f"longest {self.longest * 1000:.1f} ms"
        )


@dataclass(frozen=True)
class Mark:
    """A moment in the traffic, to ask for the figures since then."""

    at: float
    entries: int
    requests: Counter[Outcome]
    by_code: Counter[str]
    by_operation: Counter[str]
    replanned: int
    failures: int


@dataclass
class Recorder:
    """Takes down every request; a million of them take 16 MB."""

    began: float = field(default_factory=perf_counter)
    _ends: array[float] = field(default_factory=lambda: array("d"))
    _seconds: array[float] = field(default_factory=lambda: array("d"))
    _requests: Counter[Outcome] = field(default_factory=Counter)
    _by_code: Counter[str] = field(default_factory=Counter)
    _by_operation: Counter[str] = field(default_factory=Counter)
    _failures: list[Failure] = field(default_factory=list)
    _under_way: dict[int, float] = field(default_factory=dict)
    replanned: int = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return perf_counter() - self.began

    @property
    def answered(self) -> int:
        """How many requests were answered so far."""
        return len(self._seconds)

    def start(self, client: int) -> float:
        """Take down that `client` sends a request; return the moment."""
        self._under_way[client] = now = perf_counter()
        return now

    def done(self, client: int, due: float, code: str, operation: str) -> None:
        """Take down that the request of `client`, due at `due`, was answered."""
        now = perf_counter()
        self._ends.append(now)
        self._seconds.append(now - due)
        self._under_way.pop(client)
        self._requests[Outcome.DONE] += 1
        self._by_code[code] += 1
        self._by_operation[operation] += 1

    def ended(self, client: int, outcome: Outcome) -> None:
        """Take down that the request of `client` was lost, or could not be sent."""
        self._under_way.pop(client)
        self._requests[outcome] += 1

    def failed(
        self, client: int, code: str, operation: str, reason: str, sqlstate: str | None = None
    ) -> None:
        """Take down that the request of `client` failed."""
        self.ended(client, Outcome.FAILED)
        if len(self._failures) < _KEPT_FAILURES:
            self._failures.append(Failure(self.elapsed, code, operation, reason, sqlstate))

    def mark(self) -> Mark:
        """Return this moment."""
        return Mark(
            perf_counter(),
            len(self._seconds),
            self._requests.copy(),
            self._by_code.copy(),
            self._by_operation.copy(),
            self.replanned,
            len(self._failures),
        )

    def figures(self, since: Mark | None = None) -> TrafficFigures:
        """Return the figures since that moment, else since the beginning."""
        since = since or Mark(self.began, 0, Counter(), Counter(), Counter(), 0, 0)
        now = perf_counter()
        seconds = self._seconds[since.entries :]
        waits = [now - sent for sent in self._under_way.values()]
        return TrafficFigures(
            seconds=now - since.at,
            requests=self._requests - since.requests,
            by_code=self._by_code - since.by_code,
            by_operation=self._by_operation - since.by_operation,
            p50=percentile(seconds, 50),
            p99=percentile(seconds, 99),
            longest=max([*seconds, *waits], default=0.0),
            replanned=self.replanned - since.replanned,
            failures=tuple(self._failures[since.failures :]),
        )

    def history(self) -> list[tuple[float, float]]:
        """Return each answered request as (seconds since the beginning, seconds it took)."""
        return [
            (end - self.began, took) for end, took in zip(self._ends, self._seconds, strict=True)
        ]


def percentile(seconds: array[float], percent: int) -> float:
    """Return the percentile of `seconds`, 0 when there are none."""
    if len(seconds) <= 1:  # quantiles of a single number are not defined
        return seconds[0] if seconds else 0.0
    # Of few numbers the last percentiles would lie beyond them all.
    return min(quantiles(seconds, n=100)[percent - 1], max(seconds))
