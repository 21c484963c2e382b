"""What else tells that a server is at its limit: active sessions, WAL, checkpoints, replicas."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.connection.pool import APPLICATION
from invoicing.toolkit.rename.errors import RenameFailedError
from invoicing.toolkit.rename.guard.replicas import ReplicaLag

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.guard.controller import Limits

_MEGABYTE = 1_000_000
# Of all databases: they share the processors and the disk.
_ACTIVE = f"""
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state = 'active' AND application_name <> '{APPLICATION}'
"""
_SEES = "SELECT pg_has_role('pg_read_all_stats', 'USAGE')"
_WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8"
# Since 17 they have a view of their own.
_FORCED = "SELECT num_requested FROM pg_stat_checkpointer"
_FORCED_BEFORE = "SELECT checkpoints_req FROM pg_stat_bgwriter"
_WARNED = "SELECT setting::float8 FROM pg_settings WHERE name = 'checkpoint_warning'"
_SEPARATE_VIEW = 17


class PressureGauge:
    """Asks the server, on a connection of the guard's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lag = ReplicaLag()
        self._written: tuple[float, float] | None = None
        self._forced: tuple[float, int] | None = None
        separate = connection.get_server_version().major >= _SEPARATE_VIEW
        self._count = _FORCED if separate else _FORCED_BEFORE

    async def refuse_blindness(self, limits: Limits, target: str) -> None:
        """Refuse to keep a limit that this account cannot see.

        Raises:
            RenameFailedError: it cannot see what other accounts' sessions do.
        """
        if limits.active is None or await self._connection.fetchval(_SEES):
            return
        who = await self._connection.fetchval("SELECT quote_ident(current_user)")
        reason = f"{who} may not see what the sessions of other accounts do, so that --max-active "
        reason += "would count none of them"
        advice = f"Run, as a superuser: GRANT pg_read_all_stats TO {who}; or leave out --max-active"
        raise RenameFailedError(target, "pg_stat_activity", "42501", reason, advice)

    async def measure(self, limits: Limits) -> dict[str, float | int | None]:
        """Return what is asked for, as a `Reading` takes it."""
        active = await self._connection.fetchval(_ACTIVE) if limits.active is not None else None
        wal = await self._wal() if limits.wal is not None else None
        lag = await self._lag.measure(self._connection) if limits.lag is not None else None
        return {"active": active, "wal": wal, "lag": lag, "checkpoints": await self._checkpoints()}

    async def _wal(self) -> float | None:
        before, now = self._written, (time.monotonic(), await self._connection.fetchval(_WAL))
        self._written = now
        if before is None or now[0] <= before[0]:
            return None
        return float((now[1] - before[1]) / (now[0] - before[0]) / _MEGABYTE)

    async def _checkpoints(self) -> int:
        """Return how many checkpoints came sooner after another than the server warns of."""
        now, count = time.monotonic(), await self._connection.fetchval(self._count)
        last, self._forced = self._forced, self._forced or (float("-inf"), count)
        if last is None or count == last[1]:
            return 0
        self._forced = (now, count)
        soon = now - last[0] < await self._connection.fetchval(_WARNED)
        return int(count - last[1]) if soon else 0
