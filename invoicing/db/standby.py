"""Whether a hot standby is recent enough to read from, by what it has replayed.

The primary's WAL position at some moment, once the standby has replayed it, says that the standby
holds everything that was written before that moment. That needs no right, no clock that two
machines share, and no trust in a standby that has lost its primary and believes that it is up to
date. The position is that of the last record that was made, written to disk or not: what was
committed with `synchronous_commit = off` counts too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.errors import ForeignStandbyError
from invoicing.errors import InvoicingError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# Both as numbers of bytes; NULL of a server that is no standby. Where a page ends, the position is
# after the header of the next one, which is no record that a standby could replay.
_WRITTEN = text("""
    SELECT position - CASE WHEN place IN (24, 40) THEN place ELSE 0 END
    FROM CAST(pg_current_wal_insert_lsn() - '0/0' AS bigint) AS position,
        CAST(current_setting('wal_block_size') AS bigint) AS page,
        LATERAL (SELECT position % page AS place) AS on_page
""")
_REPLAYED = text(
    "SELECT CASE WHEN pg_is_in_recovery() THEN CAST(pg_last_wal_replay_lsn() - '0/0' AS bigint) END"
)
_CLUSTER = text("SELECT system_identifier, current_database() FROM pg_control_system()")
# Of a primary that writes faster than its standby replays.
_MOST_SAMPLES = 64
# Seconds between two looks while a transaction of our own is not replayed yet.
_SOON = 0.05


class Standby:
    """What is known of a standby: the moment of which it surely holds everything.

    Args:
        primary: the engine of read-only sessions on the primary.
        standby: the same on the standby.
        max_staleness: how many seconds it may be behind.
    """

    def __init__(self, primary: AsyncEngine, standby: AsyncEngine, max_staleness: float) -> None:
        self._primary, self._standby = primary, standby
        self._max_staleness = max_staleness
        self._samples: deque[tuple[float, int]] = deque(maxlen=_MOST_SAMPLES)
        self._as_of = self._wrote = self._next_look = float("-inf")
        self._looking = asyncio.Lock()
        self._is_known = False

    @property
    def staleness(self) -> float:
        """Seconds that the standby is behind at the most, as far as is known; or infinity."""
        return monotonic() - self._as_of

    async def is_recent(self) -> bool:
        """Tell whether the standby may be read; at most one task in a while has to ask for it.

        Raises:
            ForeignStandbyError: it is the standby of another primary.
        """
        if monotonic() >= self._next_look and not self._looking.locked():
            async with self._looking:
                await self._look()
        return self._is_recent()

    def wrote(self) -> None:
        """Note that a transaction of ours has ended: it is read before the standby is."""
        self._wrote = monotonic()
        self._next_look = min(self._next_look, self._wrote + _SOON)

    def failed(self) -> None:
        """Note that no connection could be made."""
        self._as_of = float("-inf")
        self._next_look = monotonic() + self._max_staleness

    def _is_recent(self) -> bool:
        return self._as_of >= self._wrote and self.staleness <= self._max_staleness

    async def _look(self) -> None:
        try:
            if not self._is_known:
                await self._identify()
            asked = monotonic()
            written = await _scalar(self._primary, _WRITTEN)
            if written is not None:
                self._samples.append((asked, written))
            replayed = await _scalar(self._standby, _REPLAYED)
        except ForeignStandbyError:
            raise
        except (DBAPIError, InvoicingError):
            # Whichever it was: what is known stays true, for as long as it is recent enough. The
            # pause is longer, for whoever looks at a host that does not answer waits for it.
            self._next_look = monotonic() + self._max_staleness
            return
        if replayed is not None:
            reached = [moment for moment, position in self._samples if position <= replayed]
            self._as_of = max([self._as_of, *reached])
        pause = self._max_staleness / 4
        self._next_look = monotonic() + (pause if self._as_of >= self._wrote else _SOON)

    async def _identify(self) -> None:
        """Refuse the standby of another cluster, whose positions mean nothing here."""
        clusters = []
        for engine in (self._primary, self._standby):
            async with engine.connect() as connection:
                clusters.append(tuple((await connection.execute(_CLUSTER)).one()))
        if clusters[0] != clusters[1]:
            raise ForeignStandbyError(*(f"{name} of cluster {own}" for own, name in clusters))
        self._is_known = True


async def _scalar(engine: AsyncEngine, statement: object) -> int | None:
    async with engine.connect() as connection:
        found: int | None = await connection.scalar(statement)  # type: ignore[call-overload]
        return found
