"""Where a rename stands, as any connection can read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import live, state
from invoicing.toolkit.rename.connection.blockers import (
    blocking,
    long_transactions,
    session,
    waiting_for_locks,
)
from invoicing.toolkit.rename.errors import RenameLeftError
from invoicing.toolkit.rename.journal import read_runs
from invoicing.toolkit.rename.lease import holder, phase_of
from invoicing.toolkit.rename.model import Options, Phase, Status
from invoicing.toolkit.rename.moved import find_left
from invoicing.toolkit.rename.preflight.checks import measure
from invoicing.toolkit.rename.strategies import strategy_of
from invoicing.toolkit.rename.table import leaves

if TYPE_CHECKING:
    from datetime import datetime

    from invoicing.toolkit.rename.blocker import Blocker
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.journal import Run
    from invoicing.toolkit.rename.names import Names

_FILLED = {
    Phase.BACKFILLED,
    Phase.VERIFYING,
    Phase.VERIFIED,
    Phase.CONTRACTING,
    Phase.CONTRACTED,
    Phase.REVERSED,
}
_DEAD = """
SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_all_tables
WHERE relid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid::regclass))
"""
_LAG = """
SELECT max(coalesce(extract(epoch FROM replay_lag), CASE WHEN replay_lsn < pg_current_wal_lsn()
    THEN extract(epoch FROM clock_timestamp() - reply_time) ELSE 0 END))::float8
FROM pg_stat_replication WHERE replay_lsn IS NOT NULL
"""


@dataclass(frozen=True)
class Snapshot:
    """A rename at one moment.

    Attributes:
        status: where it stands.
        runs: every run of a phase so far, in either direction.
        at: the moment, by the server's clock.
    """

    status: Status
    runs: list[Run]
    at: datetime


async def read_snapshot(context: RenameContext) -> Snapshot:
    """Return the status; `rate` and `eta` are the guard's, else the caller has to look twice."""
    connection, names = context.connection, context.names
    found = await state.load(connection, names)
    left = await find_left(context)
    if left is not None and not left.own:
        raise RenameLeftError(str(context.target), left.message)
    begun = left if left is not None else found
    strategy = strategy_of(begun.strategy if begun else Options().strategy)
    sizes, set_live = await measure(context), live.noted(found)
    pid = await holder(connection, names)
    operator = await session(connection, pid) if pid is not None else None
    phase = await phase_of(context, found)
    total = found.rows_total if found else 0
    writes, age = await _old_writes(connection, names, found)
    runs = await read_runs(connection, names)
    ended = [run for run in runs if run.outcome == "done"]
    guard = runs[-1].result.get("guard", {}) if runs and runs[-1].outcome == "running" else {}
    rate = guard.get("rate")
    done = total if phase in _FILLED else await strategy.rows_done(context)
    status = Status(
        target=context.target,
        strategy=strategy.name,
        phase=phase,
        rows_done=done,
        rows_total=total,
        rate=rate,
        eta=max(total - done, 0) / rate if rate else None,
        table_bytes=sizes.bytes,
        index_bytes=sizes.indexes,
        dead_rows=await connection.fetchval(_DEAD, context.table.oid),
        old_writes=writes,
        old_write_age=age,
        operator=operator,
        blockers=await _blockers(context),
        lag=None if await _in_recovery(connection) else await connection.fetchval(_LAG),
        accepted=[line for run in ended for line in run.accepted],
        reconciled=[line for run in ended for line in run.result.get("reconciled", [])],
        notes=[
            *([left.message] if left is not None else []),
            *await strategy.notes(context),
        ],
        live=str(set_live),
        left=left is not None,
        guard=guard,
        paused=set_live.paused,
        lock_waits=await waiting_for_locks(connection, await _tables(context)),
    )
    return Snapshot(status, runs, await connection.fetchval("SELECT clock_timestamp()"))


async def _old_writes(
    connection: Connection, names: Names, found: state.State | None
) -> tuple[int, float | None]:
    if await connection.fetchval("SELECT to_regclass($1)", names.sequence) is None:
        return 0, None
    writes, now = await connection.fetchrow(
        f"SELECT {names.old_writes}, extract(epoch FROM clock_timestamp())::float8"
    )
    watch = found.watch if found is not None else {}
    age = now - watch["at"] if watch and watch["writes"] == writes else None
    return int(writes), age


async def _blockers(context: RenameContext) -> list[Blocker]:
    """Return who keeps our own sessions waiting, who keeps dead rows alive, or has it locked."""
    connection, tables = context.connection, await _tables(context)
    found = await long_transactions(connection, context.options.max_transaction_age, tables)
    for row in await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'invoicing rename'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    ):
        found += await blocking(connection, row[0])
    return list({(blocker.pid, blocker.application): blocker for blocker in found}.values())


async def _tables(context: RenameContext) -> list[int]:
    table = context.table
    return [table.oid, *(leaf.oid for leaf in await leaves(context.connection, table))]


async def _in_recovery(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT pg_is_in_recovery()"))
