"""Indexes, and the UNIQUE constraints that some of them stand for.

A unique index is built CONCURRENTLY and then attached as the constraint that it copies, deferrable
as that is. Of a partitioned table the empty whole is made first, so that a partition which is
attached meanwhile gets its part by itself; the parts are put together when each is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from invoicing.toolkit.rename.columns.copies.definitions import INDEX_KEYS, INDEX_PREDICATE, Text
from invoicing.toolkit.rename.columns.copies.model import Copy
from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.renamings import find_holder
from invoicing.toolkit.rename.table import has_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from invoicing.toolkit.rename.columns.copies.model import Search
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession

QUERY = f"""
SELECT i.indexrelid AS oid, i.indrelid AS relation, x.relname AS name, i.indisunique AS unique,
    i.indisclustered AS clustered, i.indisvalid AS valid, h.inhparent AS parent,
    {INDEX_KEYS} AS keys, {INDEX_PREDICATE} AS predicate, s.spcname AS tablespace,
    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.generate_series(
        0, i.indnatts - 1) AS n ON a.attnum = i.indkey[n] WHERE a.attrelid = i.indrelid ORDER BY n
        ) AS columns, i.indnkeyatts AS key_columns,
    coalesce(pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct', '') = 'true' AS nulls_not_distinct,
    (SELECT pg_catalog.string_agg(pg_catalog.format('%I = %L', pg_catalog.split_part(o, '=', 1),
        pg_catalog.substr(o, pg_catalog.strpos(o, '=') + 1)), ', ')
        FROM pg_catalog.unnest(x.reloptions) AS o) AS parameters,
    ARRAY(SELECT pg_catalog.format('%s SET STATISTICS %s', a.attnum, a.attstattarget)
        FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = x.oid AND a.attstattarget >= 0
        ORDER BY a.attnum) AS targets,
    k.oid IS NOT NULL AS is_constraint, coalesce(k.contype = 'p', false) AS is_primary,
    i.indisexclusion AS exclusion,
    CASE WHEN k.condeferrable THEN ' DEFERRABLE' || CASE WHEN k.condeferred
        THEN ' INITIALLY DEFERRED' ELSE '' END ELSE '' END AS timing,
    pg_catalog.obj_description(k.oid, 'pg_constraint') AS constraint_comment,
    pg_catalog.obj_description(x.oid, 'pg_class') AS comment
FROM unnest($1::oid[], $2::text[]::int2[]) WITH ORDINALITY AS t (relid, attnum, place)
JOIN pg_catalog.pg_index AS i ON i.indrelid = t.relid
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = x.oid
LEFT JOIN pg_catalog.pg_tablespace AS s ON s.oid = x.reltablespace
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid
    AND k.contype IN ('u', 'p', 'x') AND k.conrelid = i.indrelid
WHERE coalesce(k.contype, 'u') IN ('u', 'p') AND (i.indisvalid OR x.relkind = 'I')
    AND {has_column("pg_class", "i.indexrelid", "i.indkey", "t")}
ORDER BY t.place, i.indexrelid
"""
# The parts that partitions have of indexes: PostgreSQL names those that it makes itself.
_PARTS = """
SELECT pn.nspname, p.relname, i.indrelid, x.relname FROM pg_catalog.pg_inherits AS h
JOIN pg_catalog.pg_index AS i ON i.indexrelid = h.inhrelid AND i.indrelid = ANY ($1::oid[])
JOIN pg_catalog.pg_class AS x ON x.oid = h.inhrelid
JOIN pg_catalog.pg_class AS p ON p.oid = h.inhparent
JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
"""
_STATE = """
SELECT i.indisvalid AS valid, EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
    WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype = 'u') AS constrained,
    EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhrelid = i.indexrelid) AS attached
FROM pg_catalog.pg_index AS i WHERE i.indexrelid = pg_catalog.to_regclass($1)
"""


# What a copy has as its original has it.
_THE_SAME = (
    "key_columns", "unique", "nulls_not_distinct", "parameters", "tablespace", "timing",
    "is_constraint", "is_primary", "constraint_comment", "clustered",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class IndexCopy(Copy):
    """An index on the new column.

    Attributes:
        keys: its method and its columns.
        predicate: of which rows it is; None for all.
        columns: the names of its columns: of a constraint, which has no expressions.
        key_columns: how many of them are not only included.
        nulls_not_distinct: whether two NULLs are a duplicate.
        parameters: storage parameters; None for the defaults.
        tablespace: its own; None for the default.
        is_constraint: whether it stands for a UNIQUE constraint, or for the primary key.
        is_primary: whether for the primary key, of which a table has no second: the contract makes
            it of the index.
        timing: DEFERRABLE and such, of a constraint.
        targets: what is said of each column with a statistics target of its own.
        clustered: whether CLUSTER uses it.
        parent: the copy of which it is a partition's part.
    """

    kind: ClassVar[str] = "index"
    keys: str
    predicate: str | None
    columns: tuple[str, ...]
    key_columns: int
    unique: bool
    nulls_not_distinct: bool
    parameters: str | None
    tablespace: str | None
    is_constraint: bool
    is_primary: bool
    timing: str
    constraint_comment: str | None
    targets: tuple[str, ...]
    clustered: bool
    parent: IndexCopy | None

    @property
    def message(self) -> str | None:
        """Return what the plan says of it: of a partitioned index, once for the whole."""
        if self.parent is not None:
            return None
        if not self.is_constraint:
            return f"{quote(self.name)} is built on the new column, CONCURRENTLY"
        if self.is_primary:
            then = "the contract makes the primary key of it"
            return f"{quote(self.name)} is built CONCURRENTLY; {then}"
        message = f"{quote(self.name)} is built CONCURRENTLY, then attached as a constraint"
        if self.timing:
            message += (
                f"{self.timing}. Until it is attached it is checked row by row: a transaction that "
                "relies on the deferral can fail with a unique violation while it is built"
            )
        return message

    @property
    def attached(self) -> bool:
        """Return whether it becomes a constraint before the contract."""
        return self.is_constraint and not self.is_primary

    def statements(self) -> list[str]:
        """Return what makes it, in the order it runs."""
        made = [self._create]
        if self.attached and not self.table.partitioned:
            made.append(self._attach_constraint)
        if self.parent is not None:
            made.append(self._attach_partition)
        return made + self._set_targets

    async def build(self, session: RenameSession) -> None:
        """Build it, from wherever an earlier run has left it."""
        ddl, also = session.ddl, [self.table.oid]
        found = await session.connection.fetchrow(_STATE, self.sql_name)
        if self.table.partitioned:
            if found is None:
                await ddl.short(self._create, also=also)
        else:
            if found is not None and not found["valid"]:
                await ddl.long(f"DROP INDEX CONCURRENTLY {self.sql_name}")
            if found is None or not found["valid"]:
                await ddl.long(self._create)
            if self.attached and not (found is not None and found["constrained"]):
                await ddl.short(self._attach_constraint, also=also)
        if self.parent is not None and not (found is not None and found["attached"]):
            await ddl.short(self._attach_partition, also=also)
        if self.targets:
            await ddl.short(*self._set_targets, also=also)

    async def is_ready(self, connection: Connection) -> bool:
        """Tell whether it is valid, and the constraint that its original is."""
        found = await connection.fetchrow(_STATE, self.sql_name)
        return (
            self.unsupported is None
            and found is not None
            and (found["valid"] or not self.valid)
            and found["constrained"] is self.attached
        )

    async def holder(self, connection: Connection) -> str | None:
        """Return the relation of its name."""
        return await find_holder(connection, "INDEX", self.table.oid, self.schema, self.name)

    def settle(self) -> list[str]:
        """Return what gives it its name, its comments and CLUSTER's mark."""
        statements, final, table = [], quote(self.final_name), self.table.sql
        if self.name != self.final_name:
            # The constraint, if there is one, gets the name with its index.
            statements.append(f"ALTER INDEX {self.sql_name} RENAME TO {final}")
        if self.is_primary:
            key = f"ADD CONSTRAINT {final} PRIMARY KEY USING INDEX {final}{self.timing}"
            statements.append(f"ALTER TABLE {table} {key}")
        if self.clustered:
            statements.append(f"ALTER TABLE {table} CLUSTER ON {final}")
        if self.comment is not None:
            on = f"COMMENT ON INDEX {self.final_sql_name}"
            statements.append(f"{on} IS {literal(self.comment)}")
        if self.constraint_comment is not None:
            on = f"COMMENT ON CONSTRAINT {final} ON {table}"
            statements.append(f"{on} IS {literal(self.constraint_comment)}")
        return statements

    @property
    def _create(self) -> str:
        parameters = f" WITH ({self.parameters})" if self.parameters else ""
        nulls = " NULLS NOT DISTINCT" if self.nulls_not_distinct else ""
        place = f" TABLESPACE {quote(self.tablespace)}" if self.tablespace else ""
        if self.is_constraint and self.table.partitioned:
            keys, included = self.columns[: self.key_columns], self.columns[self.key_columns :]
            include = f" INCLUDE ({_listed(included)})" if included else ""
            return (
                f"ALTER TABLE ONLY {self.table.sql} ADD CONSTRAINT {quote(self.name)} UNIQUE{nulls}"
                f" ({_listed(keys)}){include}{parameters}"
                f"{place and ' USING INDEX' + place}{self.timing}"
            )
        unique = "UNIQUE " if self.unique else ""
        how, only = ("", "ONLY ") if self.table.partitioned else ("CONCURRENTLY ", "")
        return (
            f"CREATE {unique}INDEX {how}{quote(self.name)} ON {only}{self.table.sql} {self.keys}"
            f"{nulls}{parameters}{place}{Text('index', '', self.predicate).where}"
        )

    @property
    def _attach_constraint(self) -> str:
        name = quote(self.name)
        return (
            f"ALTER TABLE {self.table.sql} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}"
            f"{self.timing}"
        )

    @property
    def _attach_partition(self) -> str:
        parent = self.parent.sql_name if self.parent is not None else ""
        return f"ALTER INDEX {parent} ATTACH PARTITION {self.sql_name}"

    @property
    def _set_targets(self) -> list[str]:
        alter = f"ALTER INDEX {self.sql_name} ALTER COLUMN"
        return [f"{alter} {target}" for target in self.targets]


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(quote, columns))


async def make(search: Search, rows: list[asyncpg.Record]) -> list[Copy]:
    """Return the copies of indexes, the whole of a partitioned one before its parts."""
    texts: dict[int, list[Text]] = {}
    for row in rows:
        texts.setdefault(row["relation"], []).append(_text(row))
    for relation, originals in texts.items():
        await search.definitions.learn(search.tables[relation].sql, originals)
    found = await search.connection.fetch(_PARTS, list(search.tables)) if len(texts) > 1 else []
    parts = {(schema, parent, relation): name for schema, parent, relation, name in found}
    made: dict[int, IndexCopy] = {}
    for row in rows:
        made[row["oid"]] = _copy(search, row, made.get(row["parent"]), parts)
    return list(made.values())


def _text(row: asyncpg.Record) -> Text:
    return Text("index", row["keys"], row["predicate"])


def _copy(
    search: Search,
    row: asyncpg.Record,
    parent: IndexCopy | None,
    parts: dict[tuple[str, str, int], str],
) -> IndexCopy:
    old, new = search.target.old, search.target.new
    original = _text(row)
    copied = search.definitions.of(original)
    shared = search.shared(row)
    if parent is not None:
        part = (parent.schema, parent.name, row["relation"])
        shared["name"] = parts.get(part, shared["name"])
    unsupported = search.definitions.unsupported(original)
    if row["exclusion"]:
        unsupported = "it is WITHOUT OVERLAPS, which cannot be built without a long lock"
    elif row["is_primary"] and len(search.tables) > 1:
        unsupported = "it is the primary key of a partitioned table"
    return IndexCopy(
        **shared,
        unsupported=unsupported,
        keys=copied.text,
        predicate=copied.predicate,
        columns=tuple(new if name == old else name for name in row["columns"]),
        targets=tuple(row["targets"]),
        parent=parent,
        **{name: row[name] for name in _THE_SAME},
    )
