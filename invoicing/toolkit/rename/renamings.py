"""What gets another name together with the column: indexes, constraints and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.names import qualified, quote, renamed
from invoicing.toolkit.rename.table import has_column

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.names import Names

# A partition's name of NOT NULL or of a CHECK is the table's, but for a NOT NULL that it had before
# it was attached: the table's cannot be renamed then. An index's name is its constraint's too.
NAMED = f"""
WITH tree AS (
    SELECT t.relid, a.attnum, pg_catalog.format('%I.%I', n.nspname,
        CASE WHEN c.oid = $1 THEN $3 ELSE c.relname END) AS sql, n.nspname
    FROM (SELECT $1::oid AS relid UNION
        SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::pg_catalog.regclass)) AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.relid AND a.attname = $2
        AND NOT a.attisdropped)
SELECT tree.relid, tree.sql, 'CONSTRAINT' AS kind, tree.nspname AS schema, k.conname AS name
FROM tree JOIN pg_catalog.pg_constraint AS k ON k.conrelid = tree.relid
LEFT JOIN pg_catalog.pg_constraint AS q ON q.oid = k.conparentid
WHERE tree.attnum = ANY (k.conkey) AND (k.contype IN ('c', 'n') AND k.coninhcount = 0
        OR k.contype = 'f' AND (q.oid IS NULL OR q.confrelid = k.confrelid))
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS o JOIN tree AS t ON t.relid = o.conrelid
        WHERE k.contype = 'n' AND o.contype = 'n' AND t.attnum = ANY (o.conkey)
            AND o.conname <> k.conname)
UNION SELECT tree.relid, tree.sql, 'INDEX', tree.nspname, x.relname
FROM tree JOIN pg_catalog.pg_index AS i ON i.indrelid = tree.relid
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
WHERE {has_column("pg_class", "i.indexrelid", "i.indkey", "tree")}
UNION SELECT tree.relid, tree.sql, 'STATISTICS', n.nspname, s.stxname
FROM tree JOIN pg_catalog.pg_statistic_ext AS s ON s.stxrelid = tree.relid
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.stxnamespace
WHERE {has_column("pg_statistic_ext", "s.oid", "s.stxkeys", "tree")}
ORDER BY 1, 3, 5
"""

_CONSTRAINT = """
SELECT pg_catalog.pg_describe_object('pg_catalog.pg_constraint'::pg_catalog.regclass, oid, 0)
FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND conname = $2
"""
_STATISTICS = """
SELECT pg_catalog.pg_describe_object('pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, 0)
FROM pg_catalog.pg_statistic_ext AS s JOIN pg_catalog.pg_namespace AS n ON n.oid = s.stxnamespace
WHERE n.nspname = $1 AND s.stxname = $2
"""
_RELATION = """
SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, oid, 0)
FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)
"""


class Renaming(NamedTuple):
    """An index, a constraint or statistics whose name has the column's in it.

    Attributes:
        relation: the table that it is on.
        table: that table as SQL names it once the view is gone.
        schema: where its own name is.
    """

    relation: int
    table: str
    kind: str
    schema: str
    name: str
    new_name: str


async def find_renamings(
    connection: Connection, relation: int, names: Names, column: str
) -> list[Renaming]:
    """Return what gets another name with the column, which is called `column` now."""
    rows = await connection.fetch(NAMED, relation, column, names.table)
    found = []
    for row in rows:
        new_name = renamed(row["name"], names.old, names.new)
        if new_name not in {None, row["name"]}:
            found.append(Renaming._make((*row, new_name)))
    return found


def rename_statement(renaming: Renaming) -> str:
    """Return the statement that renames an index, a constraint or statistics."""
    new_name = quote(renaming.new_name)
    if renaming.kind == "CONSTRAINT":
        return (
            f"ALTER TABLE {renaming.table} RENAME CONSTRAINT {quote(renaming.name)} TO {new_name}"
        )
    return f"ALTER {renaming.kind} {qualified(renaming.schema, renaming.name)} RENAME TO {new_name}"


async def find_holder(
    connection: Connection, kind: str, relation: int, schema: str, name: str
) -> str | None:
    """Return what has a name, as in `index bill_amt_idx`; None where nothing has it.

    Args:
        connection: to the database.
        kind: for which kind the name is wanted, as in `Renaming`.
        relation: the table, of which a constraint's name is its own.
        schema: where the name of an index or of statistics is.
        name: the name.
    """
    found: str | None
    if kind == "CONSTRAINT":
        found = await connection.fetchval(_CONSTRAINT, relation, name)
    elif kind == "STATISTICS":
        found = await connection.fetchval(_STATISTICS, schema, name)
    else:
        found = await connection.fetchval(_RELATION, qualified(schema, name))
    return found


async def why_taken(connection: Connection, renaming: Renaming) -> str | None:
    """Return what has the name that it gets, and what to do; None where nothing has it."""
    wanted = (renaming.kind, renaming.relation, renaming.schema, renaming.new_name)
    holder = await find_holder(connection, *wanted)
    if holder is None:
        return None
    return (
        f"the contract would rename it to {quote(renaming.new_name)}, the name of {holder}. "
        "Rename one of the two"
    )
