"""Where the table's rows are: what has no heap of its own cannot be filled by ranges of pages.

What it does not detect: an extension that keeps what it distributes by name, in tables that are not
its members.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import STATE, literal

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.table import ResolvedTable

_TREE = """
WITH tree AS (SELECT $1::oid AS relid UNION
    SELECT relid FROM pg_partition_tree($1::oid::regclass))
"""
_ACCESS_METHODS = f"""
{_TREE} SELECT c.oid::regclass::text, quote_ident(m.amname)
FROM tree JOIN pg_class AS c ON c.oid = tree.relid AND c.relkind = 'r'
JOIN pg_am AS m ON m.oid = c.relam WHERE m.amname <> 'heap' ORDER BY 1
"""
_SYSTEM = f"""
SELECT c.relnamespace::regnamespace::text FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = $1 AND (n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast')
    OR n.nspname = {literal(STATE)})
"""
# Where extensions write down their tables: by regclass (pg_dist_partition of Citus and many
# others), or by name (hypertables and chunks of TimescaleDB).
_LISTS = """
SELECT c.oid::regclass::text AS list, quote_ident(coalesce(e.extname, n.nspname)) AS extension,
    quote_ident(a.attname) AS relation, quote_ident(b.attname) AS by_name,
    has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attribute AS b ON b.attrelid = c.oid AND a.attname = 'schema_name'
    AND b.attname = 'table_name'
LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
    AND d.deptype = 'e'
LEFT JOIN pg_extension AS e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p') AND (e.oid IS NOT NULL OR n.nspname = '_timescaledb_catalog'
        OR n.oid = 'pg_catalog'::regnamespace OR c.relname LIKE 'pg\\_dist\\_%')
    AND (a.atttypid = 'regclass'::regtype OR b.attname IS NOT NULL
        OR a.atttypid = 'oid'::regtype AND c.relname LIKE 'pg\\_dist\\_%')
ORDER BY 1
"""
_LISTED = """
SELECT EXISTS (SELECT FROM {list} WHERE {relation}::oid IN ({tree} SELECT relid FROM tree))
"""
_LISTED_BY_NAME = """
SELECT EXISTS (SELECT FROM {list} AS l WHERE (l.{relation}::text, l.{by_name}::text) IN ({tree}
    SELECT n.nspname::text, c.relname::text FROM tree JOIN pg_class AS c ON c.oid = tree.relid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace))
"""
_OTHER_WAY = "Use the extension's own way"
_OWN_WAY = {
    "citus": "In a distributed schema --strategy columns renames it; else rename it before it is "
    "distributed, or take it back for it: citus_schema_undistribute, undistribute_table"
}


async def storage_findings(context: RenameContext, *, shards: bool = False) -> list[PlanFinding]:
    """Refuse tables whose rows are kept by something else than PostgreSQL's own heap.

    Args:
        context: the rename's.
        shards: whether a shard of Citus that has the whole table is none of these.
    """
    found, connection, table = [], context.connection, context.table
    for row in await connection.fetch(_SYSTEM, table.oid):
        message = f"is in schema {row[0]}, which must not be altered"
        found.append(refused("system-table", table.sql, message))
    for stored, method in await connection.fetch(_ACCESS_METHODS, table.oid):
        message = (
            f"its table access method is {method}: only heap tables are known to support a "
            "backfill by ranges of pages"
        )
        found.append(refused("access-method", stored, message))
    known = {"citus"} if shards and table.shard is not None else set[str]()
    return found + await _distributed(connection, table, known)


async def _distributed(
    connection: Connection, table: ResolvedTable, refusing: set[str]
) -> list[PlanFinding]:
    found = {}
    for row in await connection.fetch(_LISTS):
        if not row["readable"]:
            message = f"is not readable: {row['extension']} may have listed {table.sql} there"
            found[row["list"]] = PlanFinding("distributed-table", row["list"], "noted", message)
            continue
        query = _LISTED_BY_NAME if row["by_name"] else _LISTED
        # Several lists of an extension say the same of a table.
        if row["extension"] not in refusing and await connection.fetchval(
            query.format(tree=_TREE, **row), table.oid
        ):
            refusing.add(row["extension"])
            message = (
                f"{row['extension']} lists it in {row['list']}: what an extension distributes, "
                "partitions or replicates itself is not renamed column by column here. "
                f"{_OWN_WAY.get(row['extension'], _OTHER_WAY)}"
            )
            found[row["list"]] = refused("distributed-table", table.sql, message)
    return list(found.values())
