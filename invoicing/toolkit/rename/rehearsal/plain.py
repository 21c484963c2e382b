"""What PostgreSQL's own RENAME COLUMN leaves, with the names that a rename of ours changes too."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.names import quote, renamed

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.retype.sides import Conversion

# What a plain rename leaves with the old name in its own, and we rename with the column.
_NAMED = """
WITH t AS (SELECT c.oid AS relid, a.attnum, r.level FROM (SELECT $1::regclass::oid AS relid,
        0 AS level UNION SELECT relid, level FROM pg_partition_tree($1::regclass)) AS r
    JOIN pg_class AS c ON c.oid = r.relid
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped)
SELECT format('ALTER TABLE %s RENAME CONSTRAINT', t.relid::regclass) AS change, k.conname AS name,
    t.level
FROM t JOIN pg_constraint AS k ON k.conrelid = t.relid AND t.attnum = ANY (k.conkey)
WHERE k.coninhcount = 0 OR k.contype NOT IN ('c', 'n')
UNION ALL SELECT format('ALTER INDEX %s RENAME', c.oid::regclass), c.relname, t.level
FROM t JOIN pg_index AS i ON i.indrelid = t.relid JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u', 'x'))
    AND (t.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend WHERE objid = c.oid
        AND refobjid = t.relid AND refobjsubid = t.attnum))
UNION ALL SELECT format('ALTER STATISTICS %s RENAME', format('%I.%I', n.nspname, s.stxname)),
    s.stxname, t.level
FROM t JOIN pg_statistic_ext AS s ON s.stxrelid = t.relid
JOIN pg_namespace AS n ON n.oid = s.stxnamespace
WHERE EXISTS (SELECT FROM pg_depend WHERE objid = s.oid AND refobjid = t.relid
    AND refobjsubid = t.attnum)
ORDER BY 3, 2
"""


_DEFAULT = """
SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d JOIN pg_attribute AS a
    ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE a.attrelid = $1::text::regclass AND a.attname = $2
"""
_NARROW = """
SELECT s.seqrelid::regclass::text FROM pg_depend AS p JOIN pg_sequence AS s ON s.seqrelid = p.objid
JOIN pg_attribute AS a ON a.attrelid = p.refobjid AND a.attnum = p.refobjsubid
WHERE p.classid = 'pg_class'::regclass AND p.deptype = 'a' AND p.refobjid = $1::text::regclass
    AND a.attname = $2 AND s.seqtypid <> a.atttypid AND a.atttypid = 'bigint'::regtype
"""


async def rename_plainly(connection: Connection, table: str, old: str, new: str) -> None:
    """Rename the column of a table, as SQL names it, in one statement."""
    await connection.execute(f"ALTER TABLE {table} RENAME COLUMN {quote(old)} TO {quote(new)}")


async def retype_plainly(
    connection: Connection, table: str, column: str, conversion: Conversion
) -> None:
    """Change a column's type in one statement, with what ours does besides.

    A default is what an expression makes of it, and a sequence that numbers it is as wide as it is.
    """
    name, new = quote(column), conversion.new
    using = new.expression
    default = await connection.fetchval(_DEFAULT, table, column)
    if default is not None and conversion.scaled:
        query = f"SELECT quote_nullable(({using})::{new.type}::text)"
        value = await connection.fetchval(
            f"{query} FROM (SELECT ({default})::{conversion.old.type} AS {name}) AS d"
        )
        await connection.execute(f"ALTER TABLE {table} ALTER {name} DROP DEFAULT")
    await connection.execute(f"ALTER TABLE {table} ALTER {name} TYPE {new.type} USING {using}")
    if default is not None and conversion.scaled:
        text = f"ALTER TABLE {table} ALTER {name} SET DEFAULT {value}::{new.type}"
        await connection.execute(text)
    for (sequence,) in await connection.fetch(_NARROW, table, column):
        await connection.execute(f"ALTER SEQUENCE {sequence} AS bigint")


async def rename_names_with(connection: Connection, table: str, old: str, new: str) -> None:
    """Let the names of indexes, constraints and statistics say what the column's is by now."""
    for change, name, _ in await connection.fetch(_NAMED, table, new):
        called = renamed(name, old, new)
        if called is not None and called != name:
            middle = "TO" if not change.startswith("ALTER TABLE") else f"{quote(name)} TO"
            with suppress(asyncpg.PostgresError):
                await connection.execute(f"{change} {middle} {quote(called)}")
