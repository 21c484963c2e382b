"""What is carried over to the new column: indexes, constraints, extended statistics.

Their definitions are not edited as text, for a column's name may stand anywhere in an expression:
an empty temporary table like the real one gets each of them, its column is renamed, and PostgreSQL
is asked what they are called then. The transaction is rolled back.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invoicing.rename.model import Finding
from invoicing.rename.names import quote, renamed, shortened
from invoicing.rename.session import write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    import asyncpg

    from invoicing.rename.column import Relation
    from invoicing.rename.model import Target
    from invoicing.rename.session import Connection


@dataclass(frozen=True)
class Carried:
    """One object to make on the new column.

    Attributes:
        kind: index, unique, check, foreign-key or statistics.
        relation: the table it is on, a partition perhaps, as SQL names it.
        old_name: its original's.
        name: its own until the contract.
        final_name: its own afterwards: the original's, where that had no column in it.
        definition: what follows the table in CREATE INDEX, or the name in ADD CONSTRAINT.
        unique: whether it is a unique index.
        valid: whether the original holds for every row; a copy of one that does not never will.
        suffix: DEFERRABLE and such, of a UNIQUE constraint.
        tablespace: an index's own; None for the default.
        clustered: whether CLUSTER uses it.
        refers: the table that a foreign key refers to; 0 for all others.
        comment: the original's.
        target: how finely extended statistics are gathered; None for the default.
        unsupported: whether it cannot be told what it is on the new column.
    """

    kind: str
    relation: str
    relation_oid: int
    schema: str
    old_name: str
    name: str
    final_name: str
    definition: str
    unique: bool = False
    valid: bool = True
    suffix: str = ""
    tablespace: str | None = None
    clustered: bool = False
    refers: int = 0
    partitioned: bool = False
    comment: str | None = None
    target: int | None = None
    unsupported: bool = False

    @property
    def sql_name(self) -> str:
        """Return its name, qualified and quoted."""
        return f"{quote(self.schema)}.{quote(self.name)}"


_INDEXES = """
SELECT i.indexrelid AS oid, x.relname AS name, i.indisunique AS unique,
    i.indisclustered AS clustered,
    t.relkind = 'p' AS partitioned, pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
    format('CREATE %sINDEX %I ON %s%s ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
        x.relname, CASE WHEN t.relkind = 'p' THEN 'ONLY ' ELSE '' END,
        format('%I.%I', n.nspname, t.relname)) AS prefix,
    s.spcname AS tablespace, k.conname AS constraint_name, i.indisvalid AS valid,
    CASE WHEN k.condeferrable THEN ' DEFERRABLE' || CASE WHEN k.condeferred
        THEN ' INITIALLY DEFERRED' ELSE '' END ELSE '' END AS suffix,
    coalesce(obj_description(k.oid, 'pg_constraint'), obj_description(x.oid, 'pg_class')) AS comment
FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_tablespace AS s ON s.oid = x.reltablespace
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid
    AND k.contype IN ('u', 'p', 'x') AND k.conrelid = i.indrelid
WHERE i.indrelid = $1 AND NOT x.relispartition AND coalesce(k.contype, 'u') = 'u'
    AND i.indisvalid AND (
    $2::int2 = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.refobjsubid = $2))
ORDER BY i.indexrelid
"""
_CONSTRAINTS = """
SELECT k.oid, k.conname AS name, k.contype::text AS type, k.convalidated AS valid,
    pg_catalog.pg_get_constraintdef(k.oid) AS definition, k.confrelid AS refers,
    obj_description(k.oid, 'pg_constraint') AS comment,
    -- ON DELETE SET NULL (columns) came with 15, PERIOD with 18.
    coalesce(to_jsonb(k) ->> 'confdelsetcols', to_jsonb(k) ->> 'conperiod', 'false') <> 'false'
        AS unsupported,
    (SELECT format('FOREIGN KEY (%s)', string_agg(quote_ident(a.attname), ', ' ORDER BY u.place))
     FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
    ) AS prefix,
    (SELECT format('FOREIGN KEY (%s)', string_agg(quote_ident(CASE WHEN a.attnum = $2
        THEN $3 ELSE a.attname END), ', ' ORDER BY u.place))
     FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
    ) AS new_prefix
FROM pg_catalog.pg_constraint AS k
WHERE k.conrelid = $1 AND k.contype IN ('c', 'f') AND k.conparentid = 0 AND k.coninhcount = 0
    AND $2::int2 = ANY (k.conkey)
ORDER BY k.oid
"""
_STATISTICS = """
SELECT s.oid, s.stxname AS name, n.nspname AS schema,
    pg_catalog.pg_get_statisticsobjdef(s.oid) AS definition,
    format('CREATE STATISTICS %I.%I', n.nspname, s.stxname) AS prefix,
    format(' FROM %s', s.stxrelid::regclass) AS suffix,
    nullif(s.stxstattarget, -1)::int AS target,
    obj_description(s.oid, 'pg_statistic_ext') AS comment
FROM pg_catalog.pg_statistic_ext AS s
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.stxnamespace
WHERE s.stxrelid = $1 AND ($2::int2 = ANY (s.stxkeys::int2[]) OR EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_statistic_ext'::regclass
    AND d.objid = s.oid AND d.refobjid = $1 AND d.refobjsubid = $2))
ORDER BY s.oid
"""
_TREE = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, a.attnum
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped
WHERE c.oid IN (SELECT $1::oid UNION SELECT relid FROM
    pg_catalog.pg_partition_tree($1::oid::regclass)) AND c.relkind IN ('r', 'p')
ORDER BY c.oid <> $1, c.oid
"""
_CONSTRAINT_NAMED = """
SELECT true FROM pg_constraint WHERE conrelid = $1::text::regclass AND conname = $2
"""
_STATISTICS_NAMED = """
SELECT true FROM pg_statistic_ext WHERE stxnamespace = $1::text::regnamespace AND stxname = $2
"""
_CLONE = "pg_temp.invoicing_rename_clone"
_PROBE = "invoicing_rename_probe"


@asynccontextmanager
async def _undone(connection: Connection) -> AsyncIterator[None]:
    """Roll back whatever the block has done."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        if not connection.is_closed():
            await transaction.rollback()


async def find_carried(connection: Connection, relation: Relation, target: Target) -> list[Carried]:
    """Return what will be made on the new column, in the order it will be made."""
    found: list[Carried] = []
    for table in await connection.fetch(_TREE, relation.oid, target.old):
        indexes = await connection.fetch(_INDEXES, table["oid"], table["attnum"])
        constraints = await connection.fetch(
            _CONSTRAINTS, table["oid"], table["attnum"], target.new
        )
        statistics = await connection.fetch(_STATISTICS, table["oid"], table["attnum"])
        if indexes or constraints or statistics:
            async with _undone(connection):
                clone = _Clone(connection, table, target)
                await clone.make()
                found += [await clone.constraint(row) for row in constraints]
                found += [await clone.index(row) for row in indexes]
                found += [await clone.statistics(row) for row in statistics]
    return found


class _Clone:
    """A table like the real one, without rows, whose column gets the new name."""

    def __init__(self, connection: Connection, table: asyncpg.Record, target: Target) -> None:
        self._connection = connection
        self._table = table
        self._sql = f"{quote(table['schema'])}.{quote(table['name'])}"
        self._target = target

    async def make(self) -> None:
        await write(
            self._connection, f"CREATE TEMP TABLE invoicing_rename_clone (LIKE {self._sql})"
        )

    async def index(self, row: asyncpg.Record) -> Carried:
        tail = row["definition"].removeprefix(row["prefix"])
        unique = "UNIQUE " if row["unique"] else ""
        definition = await self._told(
            f"CREATE {unique}INDEX {_PROBE} ON {_CLONE} {tail}",
            f"SELECT pg_get_indexdef('pg_temp.{_PROBE}'::regclass),"
            f" 'CREATE {unique}INDEX {_PROBE} ON {_CLONE} ', ''",
            f"DROP INDEX pg_temp.{_PROBE}",
        )
        return self._carried(
            "unique" if row["constraint_name"] else "index",
            row,
            definition,
            unique=row["unique"],
            suffix=row["suffix"],
            tablespace=row["tablespace"],
            clustered=row["clustered"],
            partitioned=row["partitioned"],
        )

    async def constraint(self, row: asyncpg.Record) -> Carried:
        original = row["definition"]
        if not row["valid"]:
            original = original.removesuffix(" NOT VALID")
        if row["type"] == "f":
            # A temporary table may not refer to a permanent one.
            definition = row["new_prefix"] + original.removeprefix(row["prefix"])
            return self._carried(
                "foreign-key",
                row,
                definition,
                valid=row["valid"],
                refers=row["refers"],
                unsupported=row["unsupported"],
            )
        definition = await self._told(
            f"ALTER TABLE {_CLONE} ADD CONSTRAINT {_PROBE} {original}",
            "SELECT pg_get_constraintdef(oid), '', '' FROM pg_constraint"
            f" WHERE conrelid = '{_CLONE}'::regclass AND conname = '{_PROBE}'",
            f"ALTER TABLE {_CLONE} DROP CONSTRAINT {_PROBE}",
        )
        return self._carried("check", row, definition, valid=row["valid"])

    async def statistics(self, row: asyncpg.Record) -> Carried:
        tail = row["definition"].removeprefix(row["prefix"]).removesuffix(row["suffix"])
        probe = f"{quote(row['schema'])}.{_PROBE}"
        definition = await self._told(
            f"CREATE STATISTICS {probe}{tail} FROM {_CLONE}",
            f"SELECT pg_get_statisticsobjdef(oid), format('CREATE STATISTICS %I.{_PROBE}',"
            " stxnamespace::regnamespace), format(' FROM %s', stxrelid::regclass)"
            f" FROM pg_statistic_ext WHERE stxrelid = '{_CLONE}'::regclass"
            f" AND stxname = '{_PROBE}'",
            f"DROP STATISTICS {probe}",
        )
        return self._carried("statistics", row, definition, target=row["target"])

    async def _told(self, make: str, ask: str, drop: str) -> str:
        """Make a probe, rename the column, ask what the probe is called, and undo both."""
        old, new = quote(self._target.old), quote(self._target.new)
        await write(
            self._connection,
            make,
            # The new column may be there already, when this is asked after the expand.
            f"ALTER TABLE {_CLONE} DROP COLUMN IF EXISTS {new}",
            f"ALTER TABLE {_CLONE} RENAME COLUMN {old} TO {new}",
        )
        definition, prefix, suffix = await self._connection.fetchrow(ask)
        undo = f"ALTER TABLE {_CLONE} RENAME COLUMN {new} TO {old}"
        await write(self._connection, undo, drop)
        return str(definition).removeprefix(prefix).removesuffix(suffix)

    def _carried(
        self,
        kind: str,
        row: asyncpg.Record,
        definition: str,
        **more: Any,  # noqa: ANN401 -- fields of Carried
    ) -> Carried:
        old_name = row["name"]
        with_column = renamed(old_name, self._target.old, self._target.new)
        return Carried(
            kind=kind,
            relation=self._sql,
            relation_oid=self._table["oid"],
            schema=self._table["schema"],
            old_name=old_name,
            name=with_column or shortened(f"{old_name}_{self._target.new}"),
            final_name=with_column or old_name,
            definition=definition,
            comment=row["comment"],
            **more,
        )


async def taken_names(connection: Connection, carried: Iterable[Carried]) -> list[Finding]:
    """Refuse names that something else has; asked before anything of ours is made."""
    found = []
    for one in carried:
        if one.kind in {"check", "foreign-key"}:
            query = _CONSTRAINT_NAMED
            taken = await connection.fetchval(query, one.relation, one.name)
        elif one.kind == "statistics":
            query = _STATISTICS_NAMED
            taken = await connection.fetchval(query, quote(one.schema), one.name)
        else:
            taken = await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", one.sql_name)
        if taken:
            message = (
                f"is needed for the copy of {quote(one.old_name)}. Give what has it another name"
            )
            found.append(Finding("name-taken", quote(one.name), "refused", message))
    return found


def findings(carried: Iterable[Carried]) -> list[Finding]:
    """Return what the plan says of them."""
    made = {
        "index": "{name} is built on the new column, CONCURRENTLY",
        "unique": "{name} is built CONCURRENTLY, and made a constraint at the end",
        "check": "{name} is added NOT VALID, then validated",
        "foreign-key": "{name} is added NOT VALID, then validated",
        "statistics": "{name} is made on the new column",
    }
    found = []
    for one in carried:
        subject = f"{quote(one.old_name)} ON {one.relation}"
        if one.kind == "unique" and one.partitioned:
            message = (
                "PostgreSQL cannot make an index of a partitioned table a constraint later. Drop "
                "the constraint, and make a unique index instead"
            )
            found.append(Finding("partitioned-unique", subject, "refused", message))
            continue
        if one.unsupported:
            message = (
                "its ON DELETE names columns, or it is about a PERIOD: what it is on the new "
                "column cannot be told. Drop it first, and add it again after the contract"
            )
            found.append(Finding(one.kind, subject, "refused", message))
            continue
        message = made[one.kind].format(name=quote(one.name))
        if not one.valid:
            message += "; not validated, as the original is not"
        found.append(Finding(one.kind, subject, "carried", message))
    return found
