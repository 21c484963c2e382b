"""Who is in the way: sessions that hold a lock we want, long transactions, replicas behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.rename.model import Blocker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.rename.session import Connection

_WHO = (
    "SELECT a.pid, coalesce(a.application_name, '') AS application,"
    " coalesce(a.state, a.backend_type, 'unknown') AS state,"
    " coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start)), 0)"
    "::float8 AS age,"
    " left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 120) AS query"
    " FROM pg_catalog.pg_stat_activity AS a WHERE "
)


async def blocking(connection: Connection, pid: int) -> list[Blocker]:
    """Return the sessions that the server process `pid` waits for."""
    return _blockers(
        await connection.fetch(_WHO + "a.pid = ANY (pg_catalog.pg_blocking_pids($1))", pid)
    )


async def holding(connection: Connection, relations: Iterable[int]) -> list[Blocker]:
    """Return the sessions of others that hold any lock on the tables, oldest transaction first."""
    return _blockers(
        await connection.fetch(
            _WHO + "a.pid <> pg_backend_pid() AND a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks"
            " AS l WHERE l.granted AND l.locktype = 'relation' AND l.relation = ANY ($1::oid[])"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
            " ORDER BY a.xact_start",
            list(relations),
        )
    )


async def long_transactions(connection: Connection, age: float) -> list[Blocker]:
    """Return transactions older than `age` seconds: their snapshot keeps dead rows alive."""
    return _blockers(
        await connection.fetch(
            _WHO + "a.datname = current_database() AND a.pid <> pg_backend_pid()"
            " AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)"
            " AND a.xact_start < clock_timestamp() - make_interval(secs => $1)"
            " AND a.application_name <> 'invoicing rename' ORDER BY a.xact_start",
            age,
        )
    )


async def session(connection: Connection, pid: int) -> Blocker | None:
    """Return one session."""
    found = _blockers(await connection.fetch(_WHO + "a.pid = $1", pid))
    return found[0] if found else None


def _blockers(rows: Iterable[object]) -> list[Blocker]:
    return [Blocker(*row) for row in rows]  # type: ignore[misc]
