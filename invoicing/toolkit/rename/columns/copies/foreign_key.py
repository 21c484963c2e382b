"""Foreign keys: added NOT VALID, then validated.

Before PostgreSQL 18 a partitioned table takes none that is NOT VALID, and a plain one would be
checked under its lock. So each partition gets one of its own first, which is validated; the table's
then takes those over without looking at a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from invoicing.toolkit.rename.columns.copies.model import TableConstraintCopy
from invoicing.toolkit.rename.names import is_working_name, qualified, quote

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.columns.copies.model import Copy, Search
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession

# What a foreign key `k` is, with the words for its `actions`.
DESCRIBED = """ARRAY(SELECT a.attname::text
        FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
        ORDER BY u.place) AS columns,
    ARRAY(SELECT a.attname::text
        FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u (attnum, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
        ORDER BY u.place) AS referred_columns,
    pg_catalog.concat(CASE WHEN k.confmatchtype = 'f' THEN ' MATCH FULL' END,
        ' ON UPDATE ' || pg_catalog.jsonb_extract_path_text(w.actions, k.confupdtype::text),
        ' ON DELETE ' || pg_catalog.jsonb_extract_path_text(w.actions, k.confdeltype::text),
        CASE WHEN k.condeferrable THEN ' DEFERRABLE' END,
        CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' END) AS rules,
    coalesce(pg_catalog.to_jsonb(k) ->> 'conenforced', '') = 'false' AS not_enforced,
    -- ON DELETE SET NULL (columns) came with 15, PERIOD with 18.
    coalesce(pg_catalog.to_jsonb(k) ->> 'confdelsetcols', pg_catalog.to_jsonb(k) ->> 'conperiod',
        'false') <> 'false' AS unsupported,"""
# A key to a partitioned table has constraints to its partitions too, which PostgreSQL makes.
QUERY = """
SELECT k.oid, k.conrelid AS relation, k.conname AS name, k.convalidated AS valid, q.oid AS parent,
    coalesce(q.confrelid <> k.confrelid, false) AS referred_part,
    k.confrelid AS refers, rn.nspname AS referred_schema, r.relname AS referred_table,
    {described}
    pg_catalog.obj_description(k.oid, 'pg_constraint') AS comment
FROM unnest($1::oid[], $2::text[]::int2[]) WITH ORDINALITY AS t (relid, attnum, place)
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.relid
LEFT JOIN pg_catalog.pg_constraint AS q ON q.oid = k.conparentid
JOIN pg_catalog.pg_class AS r ON r.oid = k.confrelid
JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace,
    (VALUES ('{"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}'::jsonb)
    ) AS w (actions)
WHERE k.contype = 'f' AND t.attnum = ANY (k.conkey)
ORDER BY t.place, k.oid
""".replace("{described}", DESCRIBED)
_PARTS = """
SELECT q.conrelid, q.conname, k.conrelid, k.confrelid, k.conname FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_constraint AS q ON q.oid = k.conparentid WHERE k.conrelid = ANY ($1::oid[])
"""


@dataclass(frozen=True, kw_only=True)
class ForeignKeyCopy(TableConstraintCopy):
    """A foreign key on the new column.

    Attributes:
        definition: what follows its name, but for its last words.
        refers: the table that it refers to.
        referred_part: whether it refers to a partition of what `parent` refers to.
        parent: the copy of which it is a partition's part.
    """

    kind: ClassVar[str] = "foreign-key"
    definition: str
    refers: int
    not_enforced: bool
    referred_part: bool
    parent: ForeignKeyCopy | None

    @property
    def message(self) -> str | None:
        """Return what the plan says of it: of a partitioned table's, once for the whole."""
        if self.parent is not None:
            return None
        if self.valid and self.table.partitioned:
            return f"{quote(self.name)} is validated on each partition, then added to the table"
        then = ", then validated" if self.valid else "; not validated, as the original is not"
        return f"{quote(self.name)} is added NOT VALID{then}"

    @property
    def by_itself(self) -> bool:
        """Return whether it is made by itself, not with the table's or for its partitions."""
        if self.parent is None or self.referred_part:
            return not self.referred_part
        return self.valid and not self.table.partitioned

    @property
    def add(self) -> str:
        """Return the statement that adds it without looking at the rows."""
        end = " NOT ENFORCED" if self.not_enforced else " NOT VALID"
        if self.valid and self.table.partitioned:
            end = ""
        return f"{self.alter} ADD CONSTRAINT {quote(self.name)} {self.definition}{end}"

    def statements(self) -> list[str]:
        """Return what makes it."""
        if not self.by_itself:
            return []
        validated = self.valid and not self.table.partitioned
        return [self.add, self.validate] if validated else [self.add]

    async def build(self, session: RenameSession) -> None:
        """Add and validate it, from wherever an earlier run has left it."""
        validated = await self.validated(session.connection)
        whole = self.parent is not None and await self.parent.validated(session.connection)
        if validated is None:
            if whole or not self.by_itself:
                return
            await session.ddl.short(self.add, also=[self.table.oid, self.refers])
            validated = self.valid and self.table.partitioned
        if self.valid and not validated and not whole:
            await session.ddl.long(self.validate)

    async def is_ready(self, connection: Connection) -> bool:
        """Tell whether it is there, and validated if its original is.

        Before 18 a key to a partition of the referred table stays as it was added: its rows are
        checked by the key to the whole.
        """
        validated = await self.validated(connection)
        return validated is self.valid or (self.referred_part and validated is not None)


async def make(search: Search, rows: list[asyncpg.Record]) -> list[Copy]:
    """Return the copies of foreign keys: of the parts of each the deepest first.

    A partition's own comes after the table's, which would take an equal one over.
    """
    found = await search.connection.fetch(_PARTS, list(search.tables)) if rows else []
    parts = {tuple(row)[:4]: row["conname"] for row in found}
    made: dict[int, ForeignKeyCopy] = {}
    groups: dict[int, list[ForeignKeyCopy]] = {}
    for row in rows:
        parent = made.get(row["parent"])
        shared = search.shared(row)
        if parent is not None:
            part = (parent.table.oid, parent.name, row["relation"], row["refers"])
            shared["name"] = parts.get(part, shared["name"])
        reason = "its ON DELETE names columns, or it is about a PERIOD"
        changing = any(map(is_working_name, row["referred_columns"]))
        if changing:
            reason = "the type of the column that it refers to is being changed: end that first"
        made[row["oid"]] = ForeignKeyCopy(
            **shared,
            unsupported=reason if row["unsupported"] or changing else None,
            definition=_definition(search, row),
            refers=row["refers"],
            not_enforced=row["not_enforced"],
            referred_part=row["referred_part"],
            parent=parent,
        )
        groups[row["oid"]] = groups[row["parent"]] if parent is not None else []
        groups[row["oid"]].append(made[row["oid"]])
    whole = [groups[oid] for oid, copy in made.items() if copy.parent is None]
    return [copy for group in whole for copy in reversed(group)]


def _definition(search: Search, row: asyncpg.Record) -> str:
    old, new = search.target.old, search.target.new
    columns = ", ".join(quote(new if name == old else name) for name in row["columns"])
    referred = ", ".join(map(quote, row["referred_columns"]))
    table = qualified(row["referred_schema"], row["referred_table"])
    return f"FOREIGN KEY ({columns}) REFERENCES {table} ({referred}){row['rules']}"
