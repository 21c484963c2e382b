"""Who blocks us: sessions that hold a lock we want, long transactions, prepared ones.

A transaction that was prepared (PREPARE TRANSACTION) and forgotten holds its locks without any
session, and `pg_blocking_pids` calls it 0: it is named by its identifier.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import asyncpg

from invoicing.toolkit.rename.blocker import Blocker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.rename.connection.pool import Connection, Pool

_LOOK_EVERY = 0.5
_WHO = (
    "SELECT a.pid, coalesce(a.application_name, '') AS application,"
    " coalesce(a.state, a.backend_type, 'unknown') AS state,"
    " coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start)), 0)"
    "::float8 AS age,"
    " left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 120) AS query"
    " FROM pg_catalog.pg_stat_activity AS a WHERE "
)
_PREPARED = (
    "SELECT 0, format('prepared transaction %L', p.gid), 'prepared',"
    " extract(epoch FROM clock_timestamp() - p.prepared)::float8,"
    " format('end it by COMMIT PREPARED or ROLLBACK PREPARED %L', p.gid)"
    " FROM pg_catalog.pg_prepared_xacts AS p WHERE p.database = current_database() AND "
)
# What `virtualtransaction` says of one differs from version to version; each locks its own number.
_ITS_LOCK = (
    "l.granted AND l.pid IS NULL AND l.virtualtransaction = ANY (SELECT o.virtualtransaction"
    " FROM pg_catalog.pg_locks AS o WHERE o.pid IS NULL AND o.locktype = 'transactionid'"
    " AND o.transactionid = p.transaction)"
)
# Which locks block what: any change of the table; of a row; of every row.
HELD = "l.granted"
ROWS = "l.granted AND l.mode <> 'AccessShareLock'"
WRITES = "l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
_ON_TABLES = (
    "l.locktype = 'relation' AND l.relation = ANY ($1::oid[])"
    " AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
)
_LOCKED = f"SELECT l.pid FROM pg_catalog.pg_locks AS l WHERE {_ON_TABLES} AND "


async def blocking(connection: Connection, pid: int) -> list[Blocker]:
    """Return who keeps the server process `pid` waiting."""
    pids = await connection.fetchval("SELECT pg_catalog.pg_blocking_pids($1)", pid)
    found = _blockers(await connection.fetch(_WHO + "a.pid = ANY ($1::int[])", pids))
    if 0 in pids:
        found += _blockers(
            await connection.fetch(
                _PREPARED + "EXISTS (SELECT FROM pg_catalog.pg_locks AS l"
                " JOIN pg_catalog.pg_locks AS w ON w.locktype = l.locktype"
                " AND (w.database, w.relation, w.transactionid::text)"
                " IS NOT DISTINCT FROM (l.database, l.relation, l.transactionid::text)"
                f" WHERE w.pid = $1 AND NOT w.granted AND {_ITS_LOCK})",
                pid,
            )
        )
    return found


async def holding(
    connection: Connection, relations: Iterable[int], locks: str = HELD, *, ours: int = 0
) -> list[Blocker]:
    """Return the sessions of others with such locks on the tables, oldest transaction first.

    Args:
        connection: where to ask.
        relations: the tables.
        locks: HELD, ROWS or WRITES; the last counts those who wait too, for we wait behind them.
        ours: a server process that is none of the others.
    """
    tables = list(relations)
    found = await connection.fetch(
        f"{_WHO} a.pid <> pg_backend_pid() AND a.pid <> $2"
        f" AND a.pid IN ({_LOCKED} {locks}) ORDER BY a.xact_start",
        tables,
        ours,
    )
    found += await connection.fetch(
        f"{_PREPARED} EXISTS (SELECT FROM pg_catalog.pg_locks AS l WHERE {_ON_TABLES}"
        f" AND {locks} AND {_ITS_LOCK}) ORDER BY p.prepared",
        tables,
    )
    return _blockers(found)


async def long_transactions(
    connection: Connection, age: float, relations: Iterable[int] = ()
) -> list[Blocker]:
    """Return transactions older than `age` seconds that keep dead rows alive, or hold the tables.

    One that idles in READ COMMITTED has no snapshot, but has locked every table it has read.
    """
    found = await connection.fetch(
        f"{_WHO} a.datname = current_database() AND a.pid <> pg_backend_pid()"
        f" AND (a.pid IN ({_LOCKED} {HELD}) OR a.backend_xid IS NOT NULL"
        # Its snapshot does not count; its lock on the table does.
        " OR a.backend_xmin IS NOT NULL AND a.backend_type <> 'autovacuum worker')"
        " AND a.xact_start < clock_timestamp() - make_interval(secs => $2)"
        " AND a.application_name <> 'invoicing rename' ORDER BY a.xact_start",
        list(relations),
        age,
    )
    found += await connection.fetch(
        _PREPARED + "p.prepared < clock_timestamp() - make_interval(secs => $1)", age
    )
    return _blockers(found)


async def session(connection: Connection, pid: int) -> Blocker | None:
    """Return one session, with its own age, whatever transaction it is in."""
    query = _WHO.replace("coalesce(a.xact_start, a.backend_start)", "a.backend_start")
    found = _blockers(await connection.fetch(query + "a.pid = $1", pid))
    return found[0] if found else None


async def waiting_for_locks(connection: Connection, relations: Iterable[int]) -> int:
    """Return how many sessions that use the tables wait for a lock of whatever kind."""
    count: int = await connection.fetchval(
        "SELECT count(DISTINCT w.pid) FROM pg_catalog.pg_locks AS w"
        f" WHERE NOT w.granted AND w.pid IN ({_LOCKED} true)",
        list(relations),
    )
    return count


class Watch:
    """Looks, from another session, who blocks one of ours for as long as it waits."""

    def __init__(
        self, pool: Pool, waiting: Connection, relations: Iterable[int], *, after: float
    ) -> None:
        self._pool = pool
        self._pid = waiting.get_server_pid()
        self._relations = list(relations)
        self._after = after
        self._seen: list[Blocker] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def found(self) -> list[Blocker]:
        """Return who was last seen to block us; else who has the tables locked now."""
        await self.__aexit__()
        if self._seen:
            return self._seen
        try:
            async with self._pool.connection() as other:
                return await holding(other, self._relations, ours=self._pid)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return []  # that there was no lock is what has to be said

    async def _look(self) -> None:
        await asyncio.sleep(self._after)
        async with self._pool.connection() as other:
            while True:
                self._seen = await blocking(other, self._pid) or self._seen
                await asyncio.sleep(_LOOK_EVERY)


def _blockers(rows: Iterable[object]) -> list[Blocker]:
    return [Blocker(*row) for row in rows]  # type: ignore[misc]
