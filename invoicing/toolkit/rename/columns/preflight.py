"""What a second column needs beside what any strategy does: room, a type, and quiet triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.acceptance import PLAN, accepted
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import LAST, OWN_TRIGGERS, quote
from invoicing.toolkit.rename.table import leaves

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.table import Column

_MOST_COLUMNS = 1_600
# The version that brought GRANT SET ON PARAMETER.
_GRANT_SET = (15,)
_FACTS = """
SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = $1 AND attnum > 0) AS columns,
    has_database_privilege(current_database(), 'TEMP') AS creates_temporary,
    quote_ident(current_user) AS account
"""
# The bytes that one row can have in a page: MaxHeapTupleSize of PostgreSQL's htup_details.h.
_LONGEST_ROW = 8_160
_ALIGNMENTS = {"c": 1, "s": 2, "i": 4, "d": 8}
# What every row has, and the column itself.
_WIDTHS = """
SELECT attname::text = $2 AS is_old, attlen AS width, attalign::text AS alignment
FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
    AND attgenerated <> 'v' AND (attnotnull OR attname = $2) ORDER BY attnum
"""
_TRIGGERS = f"""
SELECT quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass AS subject,
    CASE WHEN t.tgrelid = $1 THEN t.tgname::text END AS own, t.tgenabled::text AS enabled,
    pg_get_triggerdef(t.oid) ~ 'invoicing\\.backfill' OR p.prosrc ~ 'invoicing\\.backfill' AS heeds
FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE t.tgrelid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid::regclass))
    AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgtype::int & 16 = 16
    AND t.tgname !~ '{OWN_TRIGGERS}' AND t.tgenabled <> 'D'
    AND (t.tgattr::text = '' OR t.tgtype::int & 1 = 0
        -- From the expand on, it fires on both columns.
        OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.tgrelid AND a.attname = $2
            AND a.attnum = ANY (t.tgattr::int2[])))
ORDER BY 1
"""
_LATE_TRIGGERS = f"""
SELECT quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass FROM pg_trigger AS t
WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgtype::int & 3 = 3
    AND t.tgname > '{LAST}' COLLATE "C" AND t.tgname !~ '{OWN_TRIGGERS}'
"""


async def second_column(context: RenameContext) -> list[PlanFinding]:
    """Return what the table, the column and its triggers say to a second column."""
    found = await _room(context)
    converted = context.target.keeps_name or context.conversion is not None
    found += _column(context.column(), context.target, converted=converted)
    found += await _triggers(context)
    return [accepted(finding, context.options.accept, PLAN) for finding in found]


async def _room(context: RenameContext) -> list[PlanFinding]:
    table, found = context.table, []
    facts = await context.connection.fetchrow(_FACTS, table.oid)
    if not facts["creates_temporary"]:
        message = (
            "definitions are read from a temporary table. Run: GRANT TEMP ON DATABASE ... TO "
            f"{facts['account']}"
        )
        found.append(refused("privilege", "temporary tables", message))
    if facts["columns"] + 1 > _MOST_COLUMNS:
        message = (
            f"already uses {facts['columns']:,} of PostgreSQL's {_MOST_COLUMNS:,} column slots "
            "(dropped columns count)"
        )
        found.append(refused("too-many-columns", table.sql, message))
    widths = await context.connection.fetch(_WIDTHS, table.oid, context.column_name)
    shortest = _shortest_row(widths, facts["columns"] + 1)
    if shortest > _LONGEST_ROW:
        message = (
            f"has rows of {shortest:,} bytes or more with the second column, and "
            f"{_LONGEST_ROW:,} fit into a page: every write would fail. By a view no column is "
            "added: --strategy view"
        )
        found.append(refused("row-too-long", table.sql, message))
    return found


def _shortest_row(widths: Sequence[asyncpg.Record], columns: int) -> int:
    """Return the bytes of a row with NULL or one byte where that can be, at its longest.

    That is with both columns, or with one where the other was dropped: a dropped column is NULL,
    and for its NULLs a row has a bitmap.
    """
    old = [row for row in widths if row["is_old"]]
    others = [row for row in widths if not row["is_old"]]
    bitmap = -(-columns // 8)
    dropped = columns - 1 > len(widths)
    return max(_length([*widths, *old], bitmap if dropped else 0), _length(others + old, bitmap))


def _length(widths: Sequence[asyncpg.Record], bitmap: int) -> int:
    at = -(-(23 + bitmap) // 8) * 8
    for row in widths:
        if row["width"] > 0:
            unit = _ALIGNMENTS[row["alignment"]]
            at = -(-at // unit) * unit + row["width"]
        else:
            at += 1
    return at


async def shard_findings(context: RenameContext, kept: Sequence[str]) -> list[PlanFinding]:
    """Return what is only refused where Citus keeps the rows on another node.

    Args:
        context: the rename's.
        kept: what stays on the old column, so that the contract would rename it itself.
    """
    if context.table.shard is None:
        return []
    column, name = context.column(), quote(context.target.old)
    default = column.default if column.default is not None else column.type_default
    parts = [leaf.oid for leaf in await leaves(context.connection, context.table)]
    refusals = {
        "default": default is not None
        and f"its default {default} is computed by Citus before a row comes to its node, so that "
        "an INSERT that names it is no other than one that leaves it out. Run: ALTER TABLE "
        f"{context.table.sql} ALTER COLUMN {name} DROP DEFAULT; set it again after the contract",
        "in-place": bool(kept)
        and f"{'; '.join(kept)} would stay on it, and be renamed with it, which Citus does not do",
        "type": (context.conversion is not None or context.target.keeps_name)
        and "Citus keeps its rows on another node, where the type is not changed step by step",
        "domain": column.unchecked_type is not None
        and f"its domain {column.type} has constraints, which a default of the rename's would meet",
        "partition": parts != [context.table.oid] and "its partitions are shards of their own",
    }
    advice = "Take the schema back for it: citus_schema_undistribute"
    return [
        refused("distributed-table", name, f"{said}. {'' if slug == 'default' else advice}".strip())
        for slug, said in refusals.items()
        if said
    ]


async def can_silence_triggers(connection: Connection) -> bool:
    """Tell whether this account may switch ordinary triggers off in its own session."""
    if connection.get_server_version() >= _GRANT_SET:
        query = "SELECT has_parameter_privilege('session_replication_role', 'SET')"
    else:
        query = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    return bool(await connection.fetchval(query))


def _column(column: Column, target: Target, *, converted: bool) -> list[PlanFinding]:
    found, name = [], quote(target.old)
    if column.generated:
        found.append(refused("generated", name, "is computed from other columns"))
    if column.identity and not target.keeps_name:
        found.append(refused("identity", name, "is an identity column"))
    elif column.identity:
        message = "goes over to the column with the new type in the contract, with its next number"
        found.append(PlanFinding("identity", name, "carried", message))
    if column.unchecked_type is not None:
        found.append(_domain(column, target, converted=converted))
    if column.owns_sequence:
        message = "becomes the new column's before the old one is dropped"
        found.append(PlanFinding("owned-sequence", name, "carried", message))
    found += [
        PlanFinding(slug, name, "carried", f"{what} is copied to the new column")
        for slug, what, there in (
            ("default", f"its default {column.default}", column.default),
            ("comment", "its comment", column.comment),
            ("privileges", f"each of its {len(column.grants)} grants", column.grants),
            ("statistics-target", "its statistics target", column.statistics is not None),
            ("options", "its options", column.options or column.storage or column.compression),
            ("not-null", "NOT NULL", column.not_null),
        )
        if there
    ]
    return found


def _domain(column: Column, target: Target, *, converted: bool) -> PlanFinding:
    why = f"its domain {column.type} has constraints, or a domain under it has: adding a column of "
    why += "it rewrites the table under ACCESS EXCLUSIVE"
    if converted:
        return refused("domain-type", quote(target.old), why)
    new = quote(target.new)
    message = (
        f"{why}. Until the contract {new} can be {column.unchecked_type}, and what is written to "
        f"it is checked by {column.type} as the old column gets it. But a client that has by then "
        f'prepared a statement which returns {new} gets the error "cached plan must not change '
        'result type" (SQLSTATE 0A000) after the contract: asyncpg prepares again by itself '
        "outside a transaction, psycopg 3 repeats the error until DEALLOCATE ALL or a new "
        "connection. If the clients' pools can be restarted right after the contract: "
        "--accept domain"
    )
    return refused("domain", quote(target.old), message)


async def firing_triggers(context: RenameContext) -> list[str]:
    """Return the table's own triggers that fire for the backfill's UPDATE, named with tables."""
    connection = context.connection
    silenced = await can_silence_triggers(connection)
    rows = await connection.fetch(_TRIGGERS, context.table.oid, context.target.old)
    return [row["subject"] for row in rows if _fires(row, silenced=silenced)]


async def to_silence(context: RenameContext) -> list[str]:
    """Return the table's own that would fire for the backfill, and are not accepted to."""
    connection, accept = context.connection, context.options.accept
    silenced = await can_silence_triggers(connection)
    rows = await connection.fetch(_TRIGGERS, context.table.oid, context.target.old)
    return [
        row["own"]
        for row in rows
        if row["own"] is not None and _fires(row, silenced=silenced) and not row["heeds"]
        if {"update-trigger", f"update-trigger:{row['subject']}"}.isdisjoint(accept)
    ]


def _fires(row: asyncpg.Record, *, silenced: bool) -> bool:
    return row["enabled"] in ({"A", "R"} if silenced else {"A", "O"})


async def _triggers(context: RenameContext) -> list[PlanFinding]:
    connection, table, found = context.connection, context.table, []
    silenced = await can_silence_triggers(connection)
    passing = await to_silence(context)
    for row in await connection.fetch(_TRIGGERS, table.oid, context.target.old):
        if row["own"] in passing:
            continue  # see `triggers`
        if _fires(row, silenced=silenced) and not row["heeds"]:
            message = (
                "it would fire for every row of the backfill. Run the rename as an account that "
                "may set session_replication_role, or give the trigger a WHEN "
                "(current_setting('invoicing.backfill', true) IS DISTINCT FROM 'on'); or, if it "
                "may fire: --accept update-trigger"
            )
            found.append(refused("update-trigger", row["subject"], message))
        elif not row["heeds"]:
            message = "it does not fire for the rows of the backfill, which change nothing for it"
            found.append(PlanFinding("update-trigger", row["subject"], "noted", message))
    for row in await connection.fetch(_LATE_TRIGGERS, table.oid):
        message = (
            "it fires after the rename's own triggers (by its name), and could change a row that "
            "they have made equal. Rename it first"
        )
        found.append(refused("late-trigger", row[0], message))
    return found
