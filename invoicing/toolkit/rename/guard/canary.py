"""What a client feels, measured by a client of our own: a read of the table and a small commit.

It does not know what a row that another session has locked costs: a batch is short for that. Nor
does it see what its connection cannot: a pool or a network of the clients' own.
"""

from __future__ import annotations

import time
from collections import deque
from random import SystemRandom
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from invoicing.toolkit.rename.connection.pool import Connection

# Samples that make a figure, and of how many seconds they are taken.
FEWEST = 6
_WINDOW = 4.0
# The slowest of the samples that count, and of those the mean: steadier than a quantile, and it
# moves with the slow requests, which a mean of all hides.
_SLOWEST = 0.25
_RANDOM = SystemRandom()


def slow_mean(samples: Sequence[float]) -> float:
    """Return the mean of the slowest quarter."""
    most = max(round(len(samples) * _SLOWEST), 1)
    return sum(sorted(samples)[-most:]) / most


class Canary:
    """Samples of what a client waits, by the seconds; `calm` is what it waited without us."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque()
        self._since: float | None = None
        self.calm: float | None = None

    async def sing(self, ask: Callable[[], Awaitable[object]]) -> None:
        """Measure once; what does not come back is seen while it is still waited for."""
        self._since = self._clock()
        await ask()
        self._samples.append((self._clock(), self._clock() - self._since))
        self._since = None

    def settle(self) -> None:
        """Take what was measured since `forget` for the calm level."""
        self.calm = slow_mean([took for _, took in self._samples])
        self.forget()

    def forget(self) -> None:
        """Begin anew: what was measured belongs to another speed."""
        self._samples.clear()

    @property
    def enough(self) -> bool:
        """Return whether what was measured makes a figure."""
        return len(self._samples) >= FEWEST

    def times_calm(self) -> float | None:
        """Return how many times the calm level a client waits now; None while it is not known."""
        now = self._clock()
        while self._samples and self._samples[0][0] < now - _WINDOW:
            self._samples.popleft()
        if self.calm is None:
            return None
        waited = 0.0 if self._since is None else now - self._since
        if self.enough:
            samples = [took for _, took in self._samples]
            return max(slow_mean([*samples, waited]), slow_mean(samples)) / self.calm
        # One that waits for long says enough.
        return waited / self.calm if waited > _WINDOW / 4 else None


async def read_anywhere(connection: Connection, tables: list[tuple[str, int]]) -> None:
    """Read one page of the table, as a client's query by key would.

    Args:
        connection: where.
        tables: each as SQL names it, and its pages; a partition that is gone is taken out.
    """
    if not tables:
        return
    table, pages = chosen = _RANDOM.choice(tables)
    page = _RANDOM.randrange(max(pages, 1))
    query = f"SELECT count(*) FROM ONLY {table} WHERE ctid = $1::tid"
    try:
        await connection.fetchval(query, (page, 1))
    except asyncpg.UndefinedTableError:
        tables.remove(chosen)
