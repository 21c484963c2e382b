"""Where a rename stands, as any connection can read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import detached, state
from invoicing.toolkit.rename.blockers import blocking, long_transactions, session
from invoicing.toolkit.rename.column import leaves
from invoicing.toolkit.rename.errors import RenameLeftError
from invoicing.toolkit.rename.journal import read_runs
from invoicing.toolkit.rename.model import Phase, Status
from invoicing.toolkit.rename.moved import find_left, find_table
from invoicing.toolkit.rename.names import STATE, quote
from invoicing.toolkit.rename.operator import holder, phase_of
from invoicing.toolkit.rename.preflight import measure

if TYPE_CHECKING:
    from invoicing.toolkit.rename.column import Relation
    from invoicing.toolkit.rename.model import Blocker, Options, Target
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import Connection

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


async def read_status(connection: Connection, target: Target, options: Options) -> Status:
    """Return the status; `rate` and `eta` are for the caller, who has looked before, to fill in."""
    relation = await find_table(connection, target)
    names = relation.names(target)
    found = await state.load(connection, names)
    sizes = await measure(connection, relation, target.old)
    pid = await holder(connection, names)
    operator = await session(connection, pid) if pid is not None else None
    phase = await phase_of(connection, relation, target, found)
    total = found.rows_total if found else 0
    by_view = found is not None and found.strategy == "view"
    done = total if by_view or phase in _FILLED else await _rows_done(connection, names)
    writes, age = await _old_writes(connection, names, found)
    left = await find_left(connection, relation, target)
    if left is not None and not left.own:
        raise RenameLeftError(str(target), left.message)
    return Status(
        target=target,
        strategy="view" if by_view else "columns",
        phase=phase,
        rows_done=done,
        rows_total=total,
        rate=None,
        eta=None,
        table_bytes=sizes.bytes,
        index_bytes=sizes.indexes,
        dead_rows=await connection.fetchval(_DEAD, relation.oid),
        old_writes=writes,
        old_write_age=age,
        operator=operator,
        blockers=await _blockers(connection, relation, options),
        lag=None if await _in_recovery(connection) else await connection.fetchval(_LAG),
        accepted=[
            line
            for run in await read_runs(connection, names)
            if run.outcome == "done"
            for line in run.accepted
        ],
        notes=[
            *([left.message] if left is not None else []),
            *await detached.notes(connection, relation, names),
        ],
    )


async def _rows_done(connection: Connection, names: Names) -> int:
    if not await state.has_state(connection):
        return 0
    return int(
        await connection.fetchval(
            f"SELECT coalesce(sum({state.DONE}), 0)::bigint FROM {quote(STATE)}.range"
            " WHERE key = $1 AND file IS NOT DISTINCT FROM pg_relation_filenode(relation)::oid",
            names.key,
        )
    )


async def _old_writes(
    connection: Connection, names: Names, found: state.State | None
) -> tuple[int, float | None]:
    if await connection.fetchval("SELECT to_regclass($1)", names.sequence) is None:
        return 0, None
    writes, now = await connection.fetchrow(
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END,"
        f" extract(epoch FROM clock_timestamp())::float8 FROM {names.sequence}"
    )
    watch = found.watch if found is not None else {}
    age = now - watch["at"] if watch and watch["writes"] == writes else None
    return int(writes), age


async def _blockers(connection: Connection, relation: Relation, options: Options) -> list[Blocker]:
    """Return who keeps our own sessions waiting, who keeps dead rows alive, or has it locked."""
    tables = [relation.oid, *(leaf.oid for leaf in await leaves(connection, relation))]
    found = await long_transactions(connection, options.max_transaction_age, tables)
    for row in await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'invoicing rename'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    ):
        found += await blocking(connection, row[0])
    return list({(one.pid, one.application): one for one in found}.values())


async def _in_recovery(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT pg_is_in_recovery()"))
