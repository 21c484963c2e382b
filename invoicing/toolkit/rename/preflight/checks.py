"""Look before anything is touched: the server, the account, the table, who else is there.

What it does not see: transactions of accounts that this one may not watch (it says so where it
lacks pg_monitor).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import nodes, ownership, state
from invoicing.toolkit.rename.connection.blockers import long_transactions
from invoicing.toolkit.rename.model import Phase, PlanFinding, refused
from invoicing.toolkit.rename.moved import find_left
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.preflight.storage import storage_findings
from invoicing.toolkit.rename.table import SYSTEM_COLUMNS, leaves

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.table import ResolvedTable

OLDEST_VERSION = 14
_WIDTH = 8
_GRANTOR = (
    "{0} granted privileges on it, and this account may not act as {0}: on the new column the "
    "table's owner grants them. To keep the grantor, run first: GRANT {0} TO {1}"
)
_FACTS = """
SELECT current_setting('server_version_num')::int AS version,
    pg_is_in_recovery() AS in_recovery, current_user::text AS account,
    c.relkind::text AS kind, c.relpersistence::text AS persistence,
    c.relispartition AS is_partition, c.reloftype <> 0 AS typed,
    pg_has_role(c.relowner, 'USAGE') AS owner, pg_get_userbyid(c.relowner)::text AS owner_name,
    has_schema_privilege(c.relnamespace, 'CREATE') AS creates_in_schema,
    has_database_privilege(current_database(), 'CREATE') AS creates_schemas,
    EXISTS (SELECT FROM pg_namespace WHERE nspname = $2) AS has_schema,
    pg_has_role('pg_read_all_stats', 'USAGE') AS monitors,
    row_security_active(c.oid) AS row_security,
    EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = $3
        AND attnum > 0 AND NOT attisdropped) AS new_exists,
    (SELECT setting FROM pg_settings WHERE name = 'max_connections')::int
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
        AS connections_left,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser
FROM pg_class AS c WHERE c.oid = $1
"""
_SIZES = """
WITH tree AS (SELECT $1::oid AS relid UNION
    SELECT relid FROM pg_partition_tree($1::oid::regclass))
SELECT coalesce(sum(CASE WHEN c.relkind = 'r' AND c.reltuples < 0
        -- Never analyzed, a restored copy for instance: full pages, and 32 bytes a varying value.
        THEN pg_relation_size(c.oid) / (28 + (SELECT sum(CASE WHEN a.attlen > 0 THEN a.attlen
            ELSE 32 END) FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped)) ELSE greatest(c.reltuples, 0) END), 0)::bigint AS rows,
    coalesce(sum(CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) END), 0)::bigint AS heap,
    coalesce(sum(CASE WHEN c.relkind = 'r' THEN pg_table_size(c.oid) END), 0)::bigint AS bytes,
    coalesce(sum(CASE WHEN c.relkind = 'r' THEN pg_indexes_size(c.oid) END), 0)::bigint AS indexes,
    coalesce(max((SELECT max(s.avg_width) FROM pg_stats AS s WHERE s.schemaname = n.nspname
        AND s.tablename = c.relname AND s.attname = $2)), 8)::int AS width
FROM tree JOIN pg_class AS c ON c.oid = tree.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
"""
_REPLICATION = """
SELECT 'replica' AS slug, coalesce(nullif(application_name, ''), 'a replica') AS subject,
    coalesce(state, 'unknown') AS state FROM pg_stat_replication AS r
WHERE NOT EXISTS (SELECT FROM pg_replication_slots AS s
    WHERE s.active_pid = r.pid AND s.database <> current_database())
UNION ALL
SELECT CASE WHEN slot_type = 'logical' THEN 'logical-slot' ELSE 'slot' END, slot_name,
    CASE WHEN active THEN 'active' ELSE 'inactive' END FROM pg_replication_slots
WHERE database IS NULL OR database = current_database()
"""


@dataclass(frozen=True)
class Sizes:
    """How big the table is, its partitions together; `rows` and `width` are estimates."""

    rows: int
    heap: int
    bytes: int
    indexes: int
    width: int


async def measure(context: RenameContext) -> Sizes:
    """Return the table's sizes, from statistics and file sizes: nothing waits for a lock."""
    connection, table = context.connection, context.table
    if table.shard is not None:
        command = nodes.SIZES.format(shard=literal(table.shard.replace("%", "%%")))
        row = await connection.fetchrow(nodes.ASK_SHARD, table.oid, command)
        if row is not None and row["success"]:
            rows, heap, whole, indexes = json.loads(row["result"])
            return Sizes(rows, heap, whole, indexes, _WIDTH)
    return Sizes(*await connection.fetchrow(_SIZES, table.oid, context.column_name))


async def preflight(context: RenameContext, *, shards: bool = False) -> list[PlanFinding]:
    """Return what the server, the account and the table say to a rename by any strategy.

    Args:
        context: the rename's.
        shards: whether the strategy knows tables that Citus keeps on another node.
    """
    connection, target, table = context.connection, context.target, context.table
    facts = await connection.fetchrow(_FACTS, table.oid, STATE, target.new)
    denied = await ownership.denied(context)
    begun = await state.load(connection, context.names)
    unfinished = begun is not None and begun.phase is not Phase.CONTRACTED
    found = [*_account(facts, table), *_table(facts, context)]
    if denied is not None:
        found.append(refused("privilege", STATE, f"{denied.reason}. {denied.advice}"))
    found += await storage_findings(context, shards=shards)
    others = await state.others(connection, context.names)
    back = f"{target.new} -> {target.old}" in others
    if facts["new_exists"] and not unfinished and not back:
        left = await find_left(context)
        exists = "the column exists. Drop it, or choose another name"
        if target.keeps_name:
            exists = (
                "the column exists, and no change of the type that is noted here has made it. Drop "
                f"it: ALTER TABLE {table.sql} DROP COLUMN {quote(target.new)}"
            )
        message = left.message if left is not None else exists
        found.append(refused("name-taken", quote(target.new), message))
    if not unfinished:
        for other in others:
            message = "is under way on this table; contract it, or roll it back, first"
            found.append(refused("other-rename", other, message))
    column, account = context.column(), quote(facts["account"])
    if column.inherited:
        message = "is inherited. Rename it in the parent table"
        found.append(refused("inherited", quote(target.old), message))
    found += [
        PlanFinding("grantor", quote(target.old), "noted", _GRANTOR.format(grantor, account))
        for grantor in column.lost_grantors
    ]
    return found + await _replication(context, facts)


def _account(facts: asyncpg.Record, table: ResolvedTable) -> list[PlanFinding]:
    account, found = quote(facts["account"]), []
    if not facts["owner"]:
        message = (
            f"it belongs to {quote(facts['owner_name'])}, and {account} may not alter it. Connect "
            f"as its owner, or run: GRANT {quote(facts['owner_name'])} TO {account}"
        )
        found.append(refused("privilege", table.sql, message))
    if not facts["has_schema"] and not facts["creates_schemas"]:
        message = (
            f"{account} may not create the schema that keeps the progress. Run: CREATE SCHEMA "
            f"{STATE} AUTHORIZATION {account}"
        )
        found.append(refused("privilege", STATE, message))
    if not facts["creates_in_schema"]:
        message = f"indexes are created in it. Run: GRANT CREATE ON SCHEMA ... TO {account}"
        found.append(refused("privilege", f"schema {quote(table.schema)}", message))
    return found


def _table(facts: asyncpg.Record, context: RenameContext) -> list[PlanFinding]:
    table, target = context.table, context.target
    major = facts["version"] // 10_000
    needed = context.options.workers + 2
    left = facts["connections_left"]
    checks = [
        (
            major < OLDEST_VERSION,
            "server-version",
            "PostgreSQL",
            f"version {major} cannot read a range of pages without the whole table; 14 is needed",
        ),
        (facts["in_recovery"], "replica-server", "server", "is a replica. Connect to the primary"),
        (
            facts["kind"] not in {"r", "p"},
            "no-table",
            table.sql,
            "is not a table but a view or a foreign table",
        ),
        (
            facts["is_partition"],
            "partition",
            table.sql,
            "is a partition. Rename the column of the partitioned table",
        ),
        (facts["typed"], "typed-table", table.sql, "is a typed table; alter its type"),
        (facts["persistence"] == "t", "temporary", table.sql, "is a temporary table"),
        (
            target.new in SYSTEM_COLUMNS,
            "name-taken",
            quote(target.new),
            "is the name of a system column, which every table has. Choose another",
        ),
        (
            facts["row_security"],
            "row-security",
            table.sql,
            "row security hides rows from this account. Connect as one with BYPASSRLS",
        ),
        (
            left < needed,
            "connections",
            "max_connections",
            f"{left} connections are left, and {needed} are needed",
        ),
    ]
    return [refused(slug, subject, said) for wrong, slug, subject, said in checks if wrong]


async def _replication(context: RenameContext, facts: asyncpg.Record) -> list[PlanFinding]:
    found, connection, options = [], context.connection, context.options
    tables = [context.table.oid, *(leaf.oid for leaf in await leaves(connection, context.table))]
    for long_transaction in await long_transactions(
        connection, options.max_transaction_age, tables
    ):
        message = (
            "has been open for long: until it ends, dead rows cannot be pruned, the backfill is as "
            "slow as a plain UPDATE, and the table grows as much; if it has locked the table, no "
            "column can be added. End it first, if you can"
        )
        found.append(PlanFinding("long-transaction", str(long_transaction), "noted", message))
    if not facts["monitors"]:
        message = "sees only its own sessions' queries and replicas; run: GRANT pg_monitor TO it"
        verdict = "refused" if options.max_replica_lag is not None else "noted"
        found.append(PlanFinding("monitoring", quote(facts["account"]), verdict, message))  # type: ignore[arg-type]
    for row in await connection.fetch(_REPLICATION):
        message = {
            "replica": f"is {row['state']}; the backfill can wait for it: --max-replica-lag",
            "slot": f"is {row['state']}; an inactive one keeps all the WAL of the backfill",
            "logical-slot": f"is {row['state']}; it will be sent every row of the backfill",
        }[row["slug"]]
        found.append(PlanFinding(row["slug"], row["subject"], "noted", message))
    return found
