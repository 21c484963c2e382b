"""NOT NULL: proved for every row without a lock that a client could wait for.

Since PostgreSQL 18 it is a constraint with a name and a comment, and can be added NOT VALID; before
a CHECK proves it. A partition has its own where the table has none, or one of another name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from invoicing.toolkit.rename.columns.copies.model import TableConstraintCopy
from invoicing.toolkit.rename.columns.sync import present
from invoicing.toolkit.rename.names import LIMIT, quote

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.columns.copies.model import Copy, Search
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession

# The first version in which a NOT NULL can be added NOT VALID.
NAMED_NOT_NULL = 18
QUERY = """
SELECT coalesce(k.oid, 0) AS oid, t.relid AS relation, coalesce(k.conname, '') AS name,
    coalesce(k.convalidated, true) AS valid, coalesce(k.connoinherit, false) AS no_inherit,
    pg_catalog.obj_description(k.oid, 'pg_constraint') AS comment
FROM unnest($1::oid[], $2::text[]::int2[]) WITH ORDINALITY AS t (relid, attnum, place)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.relid AND a.attnum = t.attnum AND a.attnotnull
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.relid AND k.contype = 'n'
    AND t.attnum = ANY (k.conkey)
ORDER BY t.place
"""
# The column's as it is: whether it is proved, and the name that the constraint was given.
_STATE = """
SELECT a.attnotnull AS not_null, k.conname AS name, k.convalidated AS validated,
    c.convalidated AS checked
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conrelid = a.attrelid AND k.contype = 'n'
    AND a.attnum = ANY (k.conkey)
LEFT JOIN pg_catalog.pg_constraint AS c ON c.conrelid = a.attrelid AND c.conname = $3
WHERE a.attrelid = $1 AND a.attname = $2 AND NOT a.attisdropped
"""


def by_check(table: str, column: str, check: str) -> list[list[str]]:
    """Return the transactions that make a column NOT NULL by a CHECK: add, validate, settle."""
    alter, name = f"ALTER TABLE {table}", quote(check)
    return [
        [f"{alter} ADD CONSTRAINT {name} CHECK ({present(quote(column))}) NOT VALID"],
        [f"{alter} VALIDATE CONSTRAINT {name}"],
        # The valid check proves it: SET NOT NULL does not read the table.
        [f"{alter} ALTER COLUMN {quote(column)} SET NOT NULL", f"{alter} DROP CONSTRAINT {name}"],
    ]


@dataclass(frozen=True, kw_only=True)
class NotNullCopy(TableConstraintCopy):
    """NOT NULL of the new column.

    Attributes:
        column: the new one.
        check: the name of the CHECK that proves it; None where it can be added NOT VALID.
        usual: whether PostgreSQL chose its original's name, and is to choose its own.
    """

    kind: ClassVar[str] = "not-null"
    column: str
    check: str | None
    usual: bool
    no_inherit: bool

    @property
    def message(self) -> str | None:
        """Return what the plan says of a partition's own; the column's is said of the column."""
        if self.inherited or self.table.parent is None:
            return None
        return "the partition's own NOT NULL is added NOT VALID, then validated"

    @property
    def add(self) -> str:
        """Return the statement that adds it without looking at the rows."""
        name = "" if self.usual else f"CONSTRAINT {quote(self.name)} "
        inherit = " NO INHERIT" if self.no_inherit else ""
        return f"{self.alter} ADD {name}NOT NULL {quote(self.column)}{inherit} NOT VALID"

    def statements(self) -> list[str]:
        """Return what makes it."""
        if self.inherited:
            return []
        if self.check is not None:
            steps = by_check(self.table.sql, self.column, self.check)
            return [statement for step in steps for statement in step]
        return [self.add, self.validate] if self.valid else [self.add]

    async def build(self, session: RenameSession) -> None:
        """Make the column NOT NULL, from wherever an earlier run has left it."""
        connection, ddl, also = session.connection, session.ddl, [self.table.oid]
        if self.inherited or await self.is_ready(connection):
            return
        if self.check is not None:
            add, validate, settle = by_check(self.table.sql, self.column, self.check)
            if (await self._state(connection))["checked"] is None:
                await ddl.short(*add, also=also)
            await ddl.long(*validate)
            await ddl.short(*settle, also=also)
            return
        if (await self._state(connection))["name"] is None:
            await ddl.short(self.add, also=also)
        if self.valid:
            name = (await self._state(connection))["name"]
            await ddl.long(f"{self.alter} VALIDATE CONSTRAINT {quote(name)}")

    async def is_ready(self, connection: Connection) -> bool:
        """Tell whether the column is NOT NULL, and proved to be if its original is."""
        found = await self._state(connection)
        return found is not None and found["not_null"] and found["validated"] in {None, self.valid}

    async def holder(self, connection: Connection) -> str | None:
        """Return the table's constraint of its name."""
        return None if self.usual else await super().holder(connection)

    def settle(self) -> list[str]:
        """Return what gives it its final name and its comment."""
        return [] if self.check is not None else super().settle()

    async def _state(self, connection: Connection) -> asyncpg.Record:
        return await connection.fetchrow(_STATE, self.table.oid, self.column, self.check)


async def make(search: Search, rows: list[asyncpg.Record]) -> list[Copy]:
    """Return the copies of NOT NULL: a partition's own first, for the table's takes it over.

    What a partition inherits comes last, when it has its name.
    """
    target, by_table = search.target, {row["relation"]: row for row in rows}
    # Citus validates none on its node.
    named = search.version >= NAMED_NOT_NULL and search.table.shard is None
    made: list[NotNullCopy] = []
    for row in rows:
        table, old_name = search.tables[row["relation"]], row["name"]
        above = by_table.get(table.parent) if table.parent is not None else None
        chosen = old_name == f"{table.name}_{target.old}_not_null" and not target.keeps_name
        # Of a longer one, PostgreSQL would cut other parts than we do.
        chosen = chosen and len(f"{table.name}_{target.new}_not_null".encode()) <= LIMIT
        usual = not named or chosen
        name, final_name = search.names_for(old_name) if named else ("", "")
        state = await search.connection.fetchrow(_STATE, table.oid, target.new, "")
        if state is not None and state["name"] is not None:
            name = state["name"]
        follows = above is not None and above["name"] == old_name
        mixed = len({other["name"] for other in rows}) > 1 and (table.partitioned or follows)
        if usual or mixed or (above is not None and not follows):
            # Renaming the table's renames its partitions', which have to have the same name.
            final_name = name
        shared = search.shared(row) | {"name": name, "final_name": final_name}
        shared["old_name"] = old_name or "NOT NULL"
        made.append(
            NotNullCopy(
                **shared,
                inherited=follows,
                column=target.new,
                check=None if named else search.names.not_null_check,
                usual=usual,
                no_inherit=row["no_inherit"],
            )
        )
    inherited = [copy for copy in made if copy.inherited]
    return [*reversed([copy for copy in made if not copy.inherited]), *inherited]
