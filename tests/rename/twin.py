"""A table and its twin: on one the column is renamed by us, on the other by PostgreSQL.

What the catalog says of the twin after a plain `ALTER TABLE ... RENAME COLUMN` judges the rename,
of the table and of each partition: but for the order of columns, and for names that have the
column's in them, which we rename with it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from invoicing.toolkit.rename.names import quote, renamed
from tests.rename.faults import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from sqlalchemy.engine import URL

# Needs quotes, and has a dot and a space in it.
OURS, TWIN = "My. Own", "Its. Twin"
OPTIONS = Options(batch_size=50, quiet=0.05, lock_timeout=0.5, lock_attempts=4)
# Kind, table, name, parent's name, and everything else; a name is never part of the text.
_DESCRIBED = """
WITH t AS (SELECT c.oid, c.relname FROM pg_class AS c WHERE c.relkind IN ('r', 'p')
    AND c.relnamespace = $1::text::regnamespace)
SELECT 'column', t.relname, a.attname, '', format('%s %s %s acl %s target %s'
    ' options %s storage %s %s %s default %s sequence %s', format_type(atttypid, atttypmod),
    attnotnull, col_description(attrelid, attnum),
    ARRAY(SELECT x::text FROM aclexplode(attacl) AS x ORDER BY 1), nullif(attstattarget, -1),
    attoptions, attstorage, attcompression, attcollation::regcollation,
    pg_get_expr(adbin, adrelid), pg_get_serial_sequence(format('%s', attrelid::regclass), attname))
FROM t JOIN pg_attribute AS a ON a.attrelid = t.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
UNION ALL SELECT 'index', t.relname, c.relname, (SELECT relname FROM pg_inherits
        JOIN pg_class AS p ON p.oid = inhparent WHERE inhrelid = c.oid),
    format('%s valid %s immediate %s in %s targets %s comment %s clustered %s', replace(
        pg_get_indexdef(c.oid), format('INDEX %I ON', c.relname), 'INDEX ON'), indisvalid,
        indimmediate, reltablespace, ARRAY(SELECT format('%s %s', attnum, attstattarget)
            FROM pg_attribute WHERE attrelid = c.oid AND attstattarget >= 0 ORDER BY 1),
        obj_description(c.oid, 'pg_class'), indisclustered)
FROM t JOIN pg_index AS i ON indrelid = t.oid JOIN pg_class AS c ON c.oid = i.indexrelid
UNION ALL SELECT format('constraint %s', contype), t.relname, conname,
    (SELECT conname FROM pg_constraint AS p WHERE p.oid = k.conparentid),
    -- Before 18 nothing validates a key to a partition of the referred table.
    CASE WHEN (SELECT p.confrelid FROM pg_constraint AS p WHERE p.oid = k.conparentid) <> confrelid
        THEN confrelid::regclass::text ELSE format('%s valid %s comment %s',
        pg_get_constraintdef(k.oid), convalidated, obj_description(k.oid, 'pg_constraint')) END
FROM t JOIN pg_constraint AS k ON conrelid = t.oid
UNION ALL SELECT 'statistics', t.relname, format('%s of %s', stxname, stxnamespace::regnamespace),
    '', format('%s %s %s target %s comment %s owner %s', (SELECT string_agg(attname, ', ' ORDER BY
        attname) FROM pg_attribute WHERE attrelid = t.oid AND attnum = ANY (stxkeys::int2[])),
    pg_get_statisticsobjdef_expressions(x.oid), stxkind, nullif(stxstattarget, -1),
    obj_description(x.oid, 'pg_statistic_ext'), stxowner::regrole)
FROM t JOIN pg_statistic_ext AS x ON stxrelid = t.oid
UNION ALL SELECT 'trigger', t.relname, tgname, '', '' FROM t JOIN pg_trigger ON tgrelid = t.oid
WHERE NOT tgisinternal
"""
Description = list[tuple[str, ...]]


async def make_twins(url: URL, statements: Iterable[str]) -> None:
    """Run the statements in a schema for each of the two."""
    for schema in (OURS, TWIN):
        async with connected(url) as connection:
            await connection.execute(f"CREATE SCHEMA {quote(schema)}")
            await connection.execute(f"SET search_path = {quote(schema)}, public")
            for statement in statements:
                await connection.execute(statement.replace("{schema}", schema))


async def execute_in(url: URL, schema: str, *statements: str) -> None:
    """Run statements that find their tables in a schema."""
    async with connected(url, search_path=f'"{schema}"') as connection:
        for statement in statements:
            await connection.execute(statement)


async def described(url: URL, schema: str) -> Description:
    """Return what the catalog says of every table of a schema, whatever its name is."""
    async with connected(url, search_path=quote(schema)) as connection:
        rows = await connection.fetch(_DESCRIBED, quote(schema))
    texts = [["" if part is None else part for part in row] for row in rows]
    return sorted(
        tuple(text.replace(quote(schema), "s").replace(schema, "s") for text in row)
        for row in texts
    )


async def of_the_twin(url: URL, old: str, new: str) -> Description:
    """Rename the twin's column; return what becomes of it, with names as we make them."""
    async with connected(url) as connection:
        await connection.execute(
            f"ALTER TABLE {quote(TWIN)}.thing RENAME COLUMN {quote(old)} TO {quote(new)}"
        )
    rows = await described(url, TWIN)
    return sorted(
        (kind, table, renamed(name, old, new) or name, renamed(above, old, new) or above, text)
        for kind, table, name, above, text in rows
    )


def without_names(rows: Description) -> list[tuple[str, ...]]:
    """Return it without names, and what the contract adds: defaults of partitions, comments."""
    return [
        (kind, table, name, text.partition(" default ")[0])
        if kind == "column"
        else (kind, table, "", text.partition(" comment ")[0])
        for kind, table, name, _, text in rows
        if kind != "trigger"
    ]


@asynccontextmanager
async def renaming(
    url: URL, old: str = "amt", new: str = "cents", **options: Any
) -> AsyncIterator[Rename]:
    """Yield the rename of our table's column."""
    async with Database(url, Settings()) as database:
        yield Rename(database, Target("thing", old, new, OURS), replace(OPTIONS, **options))
