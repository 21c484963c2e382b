"""How far replicas are behind."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection


class ReplicaLag:
    """How far the furthest replica is behind, in seconds, measured by ourselves.

    The server's own `replay_lag` stands still while a replica does not answer. So we remember where
    the WAL was at which time: a replica that has not replayed what was written ten seconds ago is
    ten seconds behind. One that has gone away counts as standing still.
    """

    def __init__(self) -> None:
        self._written: deque[tuple[float, int]] = deque()
        self._replayed: dict[str, int] = {}
        self.furthest = "a replica"

    async def measure(self, connection: Connection) -> float | None:
        """Return the lag; None when there never was a replica."""
        now = time.monotonic()
        self._written.append((now, await connection.fetchval(_WRITTEN)))
        rows = await connection.fetch(_REPLAYED)
        self._replayed |= {row["replica"]: row["replayed"] for row in rows}
        if not self._replayed:
            return None
        name = min(self._replayed, key=self._replayed.__getitem__)
        slowest = self._replayed[name]
        there = {row["replica"]: row["lag"] for row in rows}
        self.furthest = f"replica {name}" if name in there else f"replica {name}, which is gone,"
        while len(self._written) > 1 and self._written[1][1] <= slowest:
            self._written.popleft()
        behind = next((then for then, position in self._written if position > slowest), now)
        # Whoever comes late has not seen what was written before; the server has.
        return max(now - behind, there.get(name, 0.0) if behind < now else 0.0)


_WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
# A base backup under way is listed too, and replays nothing. Replicas of one name are as one.
_REPLAYED = (
    "SELECT concat_ws(' ', nullif(application_name, ''), client_addr) AS replica,"
    " min(pg_wal_lsn_diff(replay_lsn, '0/0'))::bigint AS replayed,"
    " coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 AS lag"
    " FROM pg_stat_replication WHERE replay_lsn IS NOT NULL GROUP BY 1"
)
