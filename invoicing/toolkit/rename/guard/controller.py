"""How fast the next batches may go: a pure function of what was seen, with no clock and no I/O.

One number, the *level*, goes up by a constant while every limit is kept, and down by a factor when
any is passed (additive increase, multiplicative decrease). What a level means is a `Speed`: at
first the batches become smaller, which costs little; then fewer workers have one at a time; then
they rest after each.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

LOWEST, FIRST = 0.02, 0.3
# Added to a level: while a limit is near, and while all are far.
_UP, _FAR_UP = 0.04, 0.08
# How much is left of a level: a little above a limit, and at twice the limit or more.
_DOWN, _FAR_DOWN, _FAR = 0.75, 0.4, 2.0
# Shares of a limit: so near it the level stays as it is, and below the other it is far.
_NEAR, _FAR_BELOW = 0.85, 0.7
# Above it only the batches' size changes, by powers of two.
_WHOLE_SPEED = 0.5
_SMALLEST_POWER = 4
# Decisions at the lowest level, and still too slow: then it may not be the backfill at all.
_ENOUGH = 8


@dataclass(frozen=True)
class Limits:
    """What must not be passed; None for what was not asked for.

    Attributes:
        latency: how many times the calm level a client's wait may be.
        active: sessions of other programs that may be active.
        wal: megabytes of WAL a second, of the whole server.
        lag: seconds that a replica may be behind; the backfill waits there, and slows down before.
    """

    latency: float | None = None
    active: int | None = None
    wal: float | None = None
    lag: float | None = None


@dataclass(frozen=True)
class Reading:
    """What was seen since the last decision; None for what is not known.

    Attributes:
        latency: a client's wait, in times of the calm level.
        active, wal, lag: as in `Limits`.
        checkpoints: those that the WAL forced, sooner after another than the server warns of.
    """

    latency: float | None = None
    active: int | None = None
    wal: float | None = None
    lag: float | None = None
    checkpoints: int = 0

    def pressures(self, limits: Limits) -> list[Pressure]:
        """Return how much of each limit is used."""
        # Slower from half of the lag on: at the whole of it the backfill stands still.
        lag = None if limits.lag is None else limits.lag / 2
        seen = [
            ("latency", self.latency, limits.latency, "latency {:.1f} times calm"),
            ("active sessions", self.active, limits.active, "{} active sessions"),
            ("WAL", self.wal, limits.wal, "{:.1f} MB of WAL a second"),
            ("replica lag", self.lag, lag, "a replica {:.1f} s behind"),
        ]
        found = [
            Pressure(kind, value / limit, text.format(value))
            for kind, value, limit, text in seen
            if value is not None and limit is not None
        ]
        if self.checkpoints:
            found.append(Pressure("checkpoints", 1.01, "a checkpoint that the WAL forced"))
        return found


class Pressure(NamedTuple):
    """How much of one limit is used: 1 at the limit, more above it."""

    kind: str
    used: float
    text: str


@dataclass(frozen=True)
class Speed:
    """What a level lets the backfill do.

    Attributes:
        workers: batches at once.
        duty: which part of its time each of them works; the rest of it it rests.
        batch: which part of a whole batch one is.
    """

    workers: int
    duty: float
    batch: float

    @classmethod
    def of(cls, level: float, workers: int) -> Speed:
        """Return what `level` means with so many workers."""
        share = min(level / _WHOLE_SPEED, 1.0) * workers
        at_once = max(ceil(share - 1e-9), 1)
        above = max(level - _WHOLE_SPEED, 0.0) / (1 - _WHOLE_SPEED)
        power = round((1 - above) * _SMALLEST_POWER)
        return Speed(at_once, min(share / at_once, 1.0), 2.0**-power)

    def rest(self, worked: float) -> float:
        """Return how long to rest after so many seconds of work."""
        return worked * (1 / self.duty - 1)


@dataclass
class Controller:
    """Follows what is seen: lower as soon as a limit is passed, higher while all are kept.

    Attributes:
        level: from `LOWEST` to 1, at which nothing is held back.
        why: what the level was last lowered for; empty where nothing was.
        lowered: how often it was, by the kind of the limit.
    """

    level: float = FIRST
    why: str = ""
    lowered: Counter[str] = field(default_factory=Counter)
    _stuck: int = 0

    @property
    def doubtful(self) -> bool:
        """Return whether it is slow even at the lowest level: the calm level may be an old one."""
        return self._stuck >= _ENOUGH

    def decide(self, reading: Reading, limits: Limits) -> float:
        """Return the level from now on."""
        pressures = reading.pressures(limits)
        worst = max(pressures, key=lambda pressure: pressure.used, default=_NONE)
        if worst.used > 1:
            stuck = self.level <= LOWEST and worst.kind == "latency"
            self._stuck = self._stuck + 1 if stuck else 0
            self.level = max(self.level * (_FAR_DOWN if worst.used >= _FAR else _DOWN), LOWEST)
            self.why = worst.text
            self.lowered[worst.kind] += 1
            return self.level
        self._stuck = 0
        blind = limits.latency is not None and reading.latency is None
        if worst.used <= _NEAR and not blind:
            up = _FAR_UP if worst.used <= _FAR_BELOW else _UP
            self.level = min(self.level + up, 1.0)
        return self.level

    def calmed(self) -> None:
        """Begin anew from a new calm level."""
        self._stuck = 0


_NONE = Pressure("", 0.0, "")
