"""The guard of a backfill: measures while it runs, and lets each batch begin when it may.

It has a connection of its own, on which the canary commits the run's row in the journal: so the
record says what the guard did even of a run that was killed, and nothing else is written for it.
From time to time it lets no batch begin for two seconds and takes the calm level anew: traffic is
not the same at noon and at night, and what is slow without the backfill is not slow by it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename.guard.canary import Canary, read_anywhere
from invoicing.toolkit.rename.guard.controller import Controller, Limits, Reading, Speed
from invoicing.toolkit.rename.guard.pressure import PressureGauge
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from invoicing.toolkit.rename.columns.throttle import Throttle
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession

# Seconds: between two samples, the same while the calm level is taken, between two decisions.
_EVERY, _CALM_EVERY, _DECIDE_EVERY = 0.1, 0.05, 1.0
# Seconds that the calm level is measured at first and later, and after how many it is again.
_CALM_FIRST, _CALM_LATER, _CALM_AGAIN = 4.0, 2.0, 120.0
# Seconds: how often a batch that may not begin looks again, and the longest rest after one.
_LOOK_EVERY, _LONGEST_REST = 0.02, 5.0
# Rows: a batch is not made smaller than that.
_SMALLEST_BATCH = 250


class Guard:
    """Holds batches back, as far as what is measured asks for it.

    Args:
        session: whose pool, journal and target it uses.
        throttle: the options that count just now; another session may set them meanwhile.
        report: called while no batch may begin, with the reason.

    Attributes:
        tables: what the canary reads: each table as SQL names it, and its pages.
        rate: rows a second, for the journal.
    """

    def __init__(
        self,
        session: RenameSession,
        throttle: Throttle,
        report: Callable[[str], None],
    ) -> None:
        self._session, self._throttle, self._report = session, throttle, report
        self.tables: list[tuple[str, int]] = []
        self.rate = 0.0
        self._canary, self._controller = Canary(), Controller()
        self._latency: float | None = None
        self._seen: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._running = 0
        self._calming = self._crowded = ""
        self._calmed = self._decided = self._lowered = float("-inf")
        self._levels, self._decisions = 0.0, 0
        self._lowest, self._worst = 1.0, 0.0

    @property
    def limits(self) -> Limits:
        """Return what has to be kept."""
        options = self._throttle.options
        guarded = (options.latency_guard, options.max_active, options.max_wal_rate)
        lag = options.max_replica_lag if any(limit is not None for limit in guarded) else None
        return Limits(*guarded, lag)

    @property
    def speed(self) -> Speed:
        """Return what a worker may do now."""
        options = self._throttle.options
        if self._task is None:
            return Speed(options.workers, 1.0, 1.0)
        return Speed.of(self._controller.level, options.workers)

    @property
    def batch(self) -> float:
        """Return which part of a whole batch the next one is."""
        return max(self.speed.batch, min(_SMALLEST_BATCH / self._throttle.options.batch_size, 1.0))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a batch may begin; rest after it.

        Raises:
            RenameFailedError: what was asked to be kept cannot be seen.
        """
        if not await self._may_begin():
            yield
            return
        self._running += 1
        began = time.monotonic()
        try:
            yield
            rest = self.speed.rest(time.monotonic() - began)
            await self._throttle.sleep(min(rest, _LONGEST_REST))
        finally:
            self._running -= 1

    async def close(self) -> None:
        """Stop measuring."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def said(self) -> str:
        """Return at which speed it lets the backfill go, and why; empty where it guards nothing."""
        if self._task is None:
            return ""
        if held := self._calming or self._crowded:
            return held
        parts = [f"{self._controller.level:.0%} of full speed"]
        if self._latency is not None:
            parts.append(f"latency {self._latency:.1f} times calm")
        if self._controller.why:
            ago = time.monotonic() - self._lowered
            parts.append(f"last slowed {ago:,.0f} s ago for {self._controller.why}")
        return ", ".join(parts)

    def report(self) -> dict[str, Any]:
        """Return how fast it let the backfill go, and what made it slower."""
        if not self._decisions:
            return {}
        figures: dict[str, Any] = {
            "mean_speed": round(self._levels / self._decisions, 3),
            "lowest_speed": round(self._lowest, 3),
            "slowed": dict(self._controller.lowered),
        }
        if self._canary.calm is not None:
            figures |= {
                "calm_ms": round(1000 * self._canary.calm, 3),
                "worst_latency": self._worst,
            }
        return figures

    async def _may_begin(self) -> bool:
        """Wait for a turn; False where nothing is guarded, or the planned stop has come."""
        while self.limits != Limits():
            if self._task is None:
                self._calming = "measuring before the first batch"
                self._task = asyncio.create_task(self._measure_all())
            elif self._task.done():
                # It failed: without a measurement nothing is guarded.
                self._task.result()
                self._task = None
                continue
            if self._throttle.stopped:
                return False
            held = self._calming or self._crowded
            if not held and self._running < self.speed.workers:
                return True
            if held:
                self._report(held)
            await self._throttle.sleep(_LOOK_EVERY)
            await self._throttle.follow()
        return False

    async def _measure_all(self) -> None:
        """Measure for as long as anything has to be kept."""
        async with self._session.pool.connection() as connection:
            gauge = PressureGauge(connection)
            while (limits := self.limits) != Limits():
                await gauge.refuse_blindness(limits, str(self._session.target))
                if limits.latency is not None and self._calm_is_old():
                    await self._take_calm(connection)
                if time.monotonic() - self._decided >= _DECIDE_EVERY:
                    self._seen = await gauge.measure(limits)
                    self._decide(limits)
                self._calming = ""
                await self._sample(connection)
                await asyncio.sleep(_EVERY)

    def _calm_is_old(self) -> bool:
        age = time.monotonic() - self._calmed
        return age > _CALM_AGAIN or (self._controller.doubtful and age > _CALM_AGAIN / 8)

    async def _take_calm(self, connection: Connection) -> None:
        first = self._canary.calm is None
        self._calming = self._calming or "measuring the calm level anew"
        while self._running:  # noqa: ASYNC110 -- a batch does not say when it ends
            await asyncio.sleep(_LOOK_EVERY)
        self._canary.forget()
        until = time.monotonic() + (_CALM_FIRST if first else _CALM_LATER)
        while time.monotonic() < until or not self._canary.enough:
            await self._sample(connection)
            await asyncio.sleep(_CALM_EVERY)
        self._canary.settle()
        self._controller.calmed()
        self._calmed = time.monotonic()

    async def _sample(self, connection: Connection) -> None:
        """Measure once; what takes long counts while it is waited for."""
        probe = asyncio.create_task(self._canary.sing(lambda: self._ask(connection)))
        try:
            while not (await asyncio.wait({probe}, timeout=_DECIDE_EVERY))[0]:
                self._decide(self.limits)
            await probe
        finally:
            probe.cancel()

    async def _ask(self, connection: Connection) -> None:
        await read_anywhere(connection, self.tables)
        now = {"said": self.said(), "rate": round(self.rate, 1)}
        now |= {"speed": round(self._controller.level, 3), "latency": self._latency}
        await self._session.entry.note(connection, guard=now | self.report())

    def _decide(self, limits: Limits) -> None:
        self._decided = time.monotonic()
        latency = self._canary.times_calm() if limits.latency is not None else None
        self._latency = None if latency is None else round(latency, 2)
        self._worst = max(self._worst, self._latency or 0.0)
        before = self._controller.level
        seen, self._seen = self._seen, self._seen | {"checkpoints": 0}
        level = self._controller.decide(Reading(self._latency, **seen), limits)
        self._levels, self._decisions = self._levels + level, self._decisions + 1
        self._lowest = min(self._lowest, level)
        if level < before:
            self._lowered = self._decided
            self._canary.forget()
        active = seen.get("active")
        over = limits.active is not None and active is not None and active > limits.active
        are = "is" if active == 1 else "are"
        said = f"{plural(active or 0, 'session')} {are} active, and may be {limits.active}"
        self._crowded = said if over else ""
