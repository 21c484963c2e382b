"""Look before anything is touched: the server, the account, the table, who else is there.

What it does not see: transactions of accounts that this one may not watch (it says so where it
lacks pg_monitor).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.acceptance import PLAN, accepted
from invoicing.toolkit.rename.blockers import long_transactions
from invoicing.toolkit.rename.column import SYSTEM_COLUMNS, leaves
from invoicing.toolkit.rename.model import Finding, Phase
from invoicing.toolkit.rename.moved import find_left
from invoicing.toolkit.rename.names import STATE, quote
from invoicing.toolkit.rename.storage import storage_findings

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.column import Column, Relation
    from invoicing.toolkit.rename.model import Options, Target
    from invoicing.toolkit.rename.session import Connection

OLDEST_VERSION = 14
_MOST_COLUMNS = 1_600
_FACTS = """
SELECT current_setting('server_version_num')::int AS version,
    pg_is_in_recovery() AS in_recovery, current_user::text AS account,
    c.relkind::text AS kind, c.relpersistence::text AS persistence,
    c.relispartition AS is_partition, c.reloftype <> 0 AS typed,
    (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS columns,
    pg_has_role(c.relowner, 'USAGE') AS owner, pg_get_userbyid(c.relowner)::text AS owner_name,
    has_schema_privilege(c.relnamespace, 'CREATE') AS creates_in_schema,
    has_database_privilege(current_database(), 'CREATE') AS creates_schemas,
    has_database_privilege(current_database(), 'TEMP') AS creates_temporary,
    (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = $2) AS owns_state,
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
SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint AS rows,
    coalesce(sum(CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) END), 0)::bigint AS heap,
    coalesce(sum(CASE WHEN c.relkind = 'r' THEN pg_table_size(c.oid) END), 0)::bigint AS bytes,
    coalesce(sum(CASE WHEN c.relkind = 'r' THEN pg_indexes_size(c.oid) END), 0)::bigint AS indexes,
    coalesce(bool_or(c.relkind = 'r' AND c.reltuples < 0 AND pg_relation_size(c.oid) > 0), false)
        AS never_analyzed,
    coalesce(max((SELECT max(s.avg_width) FROM pg_stats AS s WHERE s.schemaname = n.nspname
        AND s.tablename = c.relname AND s.attname = $2)), 8)::int AS width
FROM tree JOIN pg_class AS c ON c.oid = tree.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
"""
_TRIGGERS = """
SELECT quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass AS subject,
    t.tgenabled::text AS enabled,
    pg_get_triggerdef(t.oid) ~ 'invoicing\\.backfill' OR p.prosrc ~ 'invoicing\\.backfill' AS heeds
FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE t.tgrelid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid::regclass))
    AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgtype::int & 16 = 16
    AND t.tgname !~ '^zz_rename_' AND t.tgenabled <> 'D'
    AND (t.tgattr::text = '' OR t.tgtype::int & 1 = 0)
ORDER BY 1
"""
_LATE_TRIGGERS = """
SELECT quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass FROM pg_trigger AS t
WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgtype::int & 3 = 3
    AND t.tgname > 'zz_rename_' COLLATE "C" AND t.tgname !~ '^zz_rename_'
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
    never_analyzed: bool
    width: int


async def measure(connection: Connection, relation: Relation, column: str) -> Sizes:
    """Return the table's sizes, from statistics and file sizes: no row is read."""
    return Sizes(*await connection.fetchrow(_SIZES, relation.oid, column))


async def can_silence_triggers(connection: Connection) -> bool:
    """Tell whether this account may switch ordinary triggers off in its own session."""
    if connection.get_server_version().major >= 15:  # noqa: PLR2004 -- GRANT SET came with it
        query = "SELECT has_parameter_privilege('session_replication_role', 'SET')"
    else:
        query = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    return bool(await connection.fetchval(query))


async def preflight(
    connection: Connection, relation: Relation, column: Column, target: Target, options: Options
) -> list[Finding]:
    """Return what the server, the account, the table and the column say to the rename."""
    facts = await connection.fetchrow(_FACTS, relation.oid, STATE, target.new)
    begun = await state.load(connection, relation.names(target))
    unfinished = begun is not None and begun.phase is not Phase.CONTRACTED
    found = [*_account(facts, relation), *_table(facts, relation, target, options)]
    found += await storage_findings(connection, relation)
    others = await state.others(connection, relation.names(target))
    back = f"{target.new} -> {target.old}" in others
    if facts["new_exists"] and not unfinished and not back:
        advice = (
            "Drop it, or choose another name; what a rename had begun is gone on with by itself"
        )
        left = await find_left(connection, relation, target)
        said = left.message if left is not None else f"the column exists. {advice}"
        found.append(_refused("name-taken", quote(target.new), said))
    if not unfinished:
        for other in others:
            message = "is under way on this table; contract it, or roll it back, first"
            found.append(_refused("other-rename", other, message))
    found += _column(column, target)
    found += await _triggers(connection, relation)
    found += await _company(connection, relation, facts, options)
    return [accepted(one, options.accept, PLAN) for one in found]


def _account(facts: asyncpg.Record, relation: Relation) -> list[Finding]:
    account, found = quote(facts["account"]), []
    if not facts["owner"]:
        message = (
            f"it belongs to {quote(facts['owner_name'])}, and {account} may not alter it. Connect "
            f"as its owner, or run: GRANT {quote(facts['owner_name'])} TO {account}"
        )
        found.append(_refused("privilege", relation.sql, message))
    if facts["owns_state"] is None and not facts["creates_schemas"]:
        message = (
            f"{account} may not make the schema in which the progress is kept. Run: CREATE SCHEMA "
            f"{STATE} AUTHORIZATION {account}"
        )
        found.append(_refused("privilege", STATE, message))
    if facts["owns_state"] is False:
        message = f"it belongs to another account. Run: GRANT its owner TO {account}"
        found.append(_refused("privilege", STATE, message))
    if not facts["creates_in_schema"]:
        message = f"indexes are made in it. Run: GRANT CREATE ON SCHEMA ... TO {account}"
        found.append(_refused("privilege", f"schema {quote(relation.schema)}", message))
    if not facts["creates_temporary"]:
        message = (
            f"an empty temporary table is looked at. Run: GRANT TEMP ON DATABASE ... TO {account}"
        )
        found.append(_refused("privilege", "temporary tables", message))
    return found


def _table(
    facts: asyncpg.Record, relation: Relation, target: Target, options: Options
) -> list[Finding]:
    major = facts["version"] // 10_000
    needed = options.workers + 2
    left = facts["connections_left"]
    checks = [
        (
            major < OLDEST_VERSION,
            "server-version",
            "PostgreSQL",
            f"version {major} reads a range of pages only with the whole table; 14 is needed",
        ),
        (facts["in_recovery"], "replica-server", "server", "is a replica. Connect to the primary"),
        (
            facts["kind"] not in {"r", "p"},
            "no-table",
            relation.sql,
            "is no table: a view or a foreign table",
        ),
        (
            facts["is_partition"],
            "partition",
            relation.sql,
            "is a partition. Rename the column of the table that it is a part of",
        ),
        (facts["typed"], "typed-table", relation.sql, "is made of a type; alter the type"),
        (facts["persistence"] == "t", "temporary", relation.sql, "is temporary: only you see it"),
        (
            target.new in SYSTEM_COLUMNS,
            "name-taken",
            quote(target.new),
            "is the name of a system column, which every table has. Choose another",
        ),
        (
            facts["columns"] + 1 > _MOST_COLUMNS,
            "too-many-columns",
            relation.sql,
            f"has had {facts['columns']} columns, and 1,600 is the most, dropped ones too",
        ),
        (
            facts["row_security"],
            "row-security",
            relation.sql,
            "row security hides rows from this account. Connect as one with BYPASSRLS",
        ),
        (
            left < needed,
            "connections",
            "max_connections",
            f"{left} are left, and {needed} are needed",
        ),
    ]
    return [_refused(slug, subject, said) for wrong, slug, subject, said in checks if wrong]


def _column(column: Column, target: Target) -> list[Finding]:
    found, name = [], quote(target.old)
    if column.generated:
        found.append(_refused("generated", name, "is computed from other columns"))
    if column.identity:
        found.append(_refused("identity", name, "is an identity column"))
    if column.inherited:
        found.append(_refused("inherited", name, "is inherited. Rename it in the parent table"))
    if column.type_kind == "d" and column.constrained_type:
        message = (
            f"its domain {column.type} has constraints, or a domain under it has: adding a column "
            "of it rewrites the table while nobody can read it"
        )
        found.append(_refused("domain", name, message))
    if column.owns_sequence:
        message = "goes over to the new column before the old one is dropped"
        found.append(Finding("owned-sequence", name, "carried", message))
    found += [
        Finding(slug, name, "carried", f"{what} goes over to the new column")
        for slug, what, there in (
            ("default", f"its default {column.default}", column.default),
            ("comment", "its comment", column.comment),
            ("privileges", f"privileges of {len(column.grants)} grants", column.grants),
            ("statistics-target", "its statistics target", column.statistics is not None),
            ("options", "its options", column.options or column.storage or column.compression),
            ("not-null", "NOT NULL", column.not_null),
        )
        if there
    ]
    return found


async def _triggers(connection: Connection, relation: Relation) -> list[Finding]:
    found = []
    silenced = await can_silence_triggers(connection)
    for row in await connection.fetch(_TRIGGERS, relation.oid):
        fires = row["enabled"] in {"A", "R"} if silenced else row["enabled"] in {"A", "O"}
        if fires and not row["heeds"]:
            message = (
                "it would fire for every row of the backfill. Run the rename as an account that "
                "may set session_replication_role, or give the trigger a WHEN "
                "(current_setting('invoicing.backfill', true) IS DISTINCT FROM 'on'), or say that "
                "it may fire: --accept update-trigger"
            )
            found.append(_refused("update-trigger", row["subject"], message))
        elif not row["heeds"]:
            message = "it does not fire for the rows of the backfill, which change nothing for it"
            found.append(Finding("update-trigger", row["subject"], "noted", message))
    for row in await connection.fetch(_LATE_TRIGGERS, relation.oid):
        message = "its name comes after ours, so it would change a row that we have made equal"
        found.append(_refused("late-trigger", row[0], message))
    return found


async def _company(
    connection: Connection, relation: Relation, facts: asyncpg.Record, options: Options
) -> list[Finding]:
    found = []
    tables = [relation.oid, *(leaf.oid for leaf in await leaves(connection, relation))]
    for long_transaction in await long_transactions(
        connection, options.max_transaction_age, tables
    ):
        message = (
            "is open for long: while it is, dead rows cannot be reused, the backfill is as slow "
            "as a plain UPDATE and the table grows as much; and if it has locked the table, no "
            "column can be added. End it first, if you can"
        )
        found.append(Finding("long-transaction", str(long_transaction), "noted", message))
    if not facts["monitors"]:
        message = "sees only its own sessions' queries and replicas; run: GRANT pg_monitor TO it"
        verdict = "refused" if options.max_replica_lag is not None else "noted"
        found.append(Finding("monitoring", quote(facts["account"]), verdict, message))  # type: ignore[arg-type]
    for row in await connection.fetch(_REPLICATION):
        message = {
            "replica": f"is {row['state']}; the backfill can wait for it: --max-replica-lag",
            "slot": f"is {row['state']}; an inactive one keeps all the WAL of the backfill",
            "logical-slot": f"is {row['state']}; it will be sent every row of the backfill",
        }[row["slug"]]
        found.append(Finding(row["slug"], row["subject"], "noted", message))
    return found


def _refused(slug: str, subject: str, message: str) -> Finding:
    return Finding(slug, subject, "refused", message)
