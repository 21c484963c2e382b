"""How fast a backfill may go: pauses, replicas that lag, batches that take too long; its rate."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import live
from invoicing.toolkit.rename.guard.replicas import ReplicaLag

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.toolkit.rename.session import RenameSession

_SMALLEST = 10
_LOOK_EVERY = 0.5
_LONG_PAUSE = 1.0
# So many readings, at least, make a rate.
_MAKE_A_RATE = 2


class BatchSize:
    """How many pages the next batch takes: fewer after a slow one, more again after a quick one."""

    def __init__(self, most: int, target: float) -> None:
        self.pages = self._most = most
        self._target = target

    @property
    def share(self) -> float:
        """Return which part of a whole batch the next one is."""
        return self.pages / self._most

    def limit(self, most: int, target: float) -> None:
        """Take other limits, which may have been set meanwhile."""
        if (most, target) != (self._most, self._target):
            self.pages = self._most = most
            self._target = target

    def took(self, seconds: float) -> None:
        """Learn from the last batch."""
        if seconds > self._target:
            self.pages = max(self.pages // 2, self._most // _SMALLEST, 1)
        elif seconds < self._target / 2:
            self.pages = min(self.pages * 2, self._most)


class Rate:
    """Rows a second over the last seconds; `over` how many."""

    def __init__(self, over: float) -> None:
        self._over = over
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, rows_done: int) -> float:
        """Take note of how many rows are done, and return the rate."""
        now = time.monotonic()
        self._seen.append((now, rows_done))
        while now - self._seen[0][0] > self._over and len(self._seen) > _MAKE_A_RATE:
            self._seen.popleft()
        then, rows = self._seen[0]
        return (rows_done - rows) / (now - then) if now > then else 0.0


class Throttle:
    """Rests between two batches, as long as it has to; a planned stop ends a rest at once.

    Args:
        session: its connection is asked for the replicas, and for what others have set meanwhile.
        stop: ends every rest.
        report: called while it rests, with the reason.

    Attributes:
        options: how long to rest, how far a replica may be behind, and how large a batch may be.
    """

    def __init__(
        self,
        session: RenameSession,
        stop: asyncio.Event,
        report: Callable[[str], None],
    ) -> None:
        self._session = session
        self._connection = session.connection
        self.options = session.options
        self._stop = stop
        self._report = report
        self._lag = ReplicaLag()
        self._lock = asyncio.Lock()
        self._looked = self._read = float("-inf")
        self._waiting = False

    async def rest(self) -> None:
        """Rest while others have it paused, for the pause, and until no replica is far behind."""
        await self.follow()
        pause = self.options.pause
        if pause:
            if pause >= _LONG_PAUSE:
                self._report(f"a pause of {pause:,.1f} s")
            await self.sleep(pause)
        if self.options.max_replica_lag is not None:
            async with self._lock:
                await self._wait_for_replicas(self.options.max_replica_lag)

    @property
    def stopped(self) -> bool:
        """Return whether the planned stop has come."""
        return self._stop.is_set()

    async def follow(self) -> None:
        """Take over what another session has set, and wait while that is a pause."""
        async with self._lock:
            await self._follow_others()

    async def sleep(self, seconds: float) -> None:
        """Sleep, or until the planned stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def _follow_others(self) -> None:
        if time.monotonic() - self._read < _LOOK_EVERY:
            return
        while True:
            settings = await live.read(self._connection, self._session.names)
            self._read = time.monotonic()
            self.options = settings.over(self._session.options)
            if not settings.paused or self._stop.is_set():
                return
            self._report(f"paused by {settings.set_by} since {settings.set_at} UTC")
            await self.sleep(_LOOK_EVERY)

    async def _wait_for_replicas(self, most: float) -> None:
        while not self._stop.is_set():
            if time.monotonic() - self._looked < _LOOK_EVERY and not self._waiting:
                return
            self._looked = time.monotonic()
            lag = await self._lag.measure(self._connection)
            self._waiting = lag is not None and lag > most
            if not self._waiting:
                return
            self._report(f"{self._lag.furthest} is {lag:,.1f} s behind, and may be {most:,.1f} s")
            await self.sleep(_LOOK_EVERY)
