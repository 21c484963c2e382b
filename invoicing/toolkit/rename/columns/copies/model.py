"""One object to make on the new column, and what is needed to find it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from invoicing.toolkit.rename.columns.copies.definitions import Text
from invoicing.toolkit.rename.context import RenameContext
from invoicing.toolkit.rename.names import literal, qualified, quote, renamed, shortened
from invoicing.toolkit.rename.renamings import find_holder

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.columns.copies.definitions import Definitions
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.table import ResolvedTable


@dataclass(frozen=True)
class Search(RenameContext):
    """What every kind needs to find its copies.

    Attributes:
        tables: the table and its partitions, by their oids.
        originals: the names of everything that is copied.
    """

    tables: dict[int, ResolvedTable]
    definitions: Definitions
    originals: frozenset[str]

    def shared(self, row: asyncpg.Record) -> dict[str, Any]:
        """Return what a copy of any kind has, from its original's row."""
        table = self.tables[row["relation"]]
        name, final_name = self.names_for(row["name"])
        return {
            "oid": row["oid"],
            "table": table,
            "schema": row.get("schema", table.schema),
            "old_name": row["name"],
            "name": name,
            "final_name": final_name,
            "valid": row.get("valid", True),
            "comment": row["comment"],
        }

    async def rewritten(
        self, kind: str, rows: list[asyncpg.Record], column: str
    ) -> list[tuple[asyncpg.Record, dict[str, Any], str]]:
        """Return each row with what its copy has, and the text of `column` on the new column."""
        copied = []
        for row in rows:
            original = Text(kind, row[column])
            await self.definitions.learn(self.tables[row["relation"]].sql, [original])
            unsupported = self.definitions.unsupported(original)
            shared = self.shared(row) | {"unsupported": unsupported}
            copied.append((row, shared, self.definitions.of(original).text))
        return copied

    def names_for(self, old_name: str) -> tuple[str, str]:
        """Return a copy's own name until the contract, and the one that it has afterwards."""
        old, new = self.target.old, self.target.new
        if self.target.keeps_name:
            return shortened(f"{old_name}_{new}"), old_name
        with_column = renamed(old_name, old, new)
        if with_column is not None:
            return with_column, with_column
        name = shortened(f"{old_name}_{new}")
        if any(renamed(original, old, new) == name for original in self.originals):
            name = shortened(f"{old_name}_{new}_copy")
        return name, old_name


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One object to make on the new column.

    Attributes:
        oid: its original's, in the catalog of its kind.
        table: the table it is on, a partition perhaps.
        schema: where its name is.
        old_name: its original's.
        name: its own until the contract.
        final_name: its own afterwards: the original's, where that had no column in it.
        valid: whether the original holds for every row; a copy of one that does not never will.
        comment: the original's.
        unsupported: why it cannot be copied; None where it can.
    """

    kind: ClassVar[str]
    oid: int
    table: ResolvedTable
    schema: str
    old_name: str
    name: str
    final_name: str
    valid: bool = True
    comment: str | None = None
    unsupported: str | None = None

    @property
    def sql_name(self) -> str:
        """Return its name, qualified and quoted."""
        return qualified(self.schema, self.name)

    @property
    def final_sql_name(self) -> str:
        """Return its name after the contract, qualified and quoted."""
        return qualified(self.schema, self.final_name)

    @property
    def message(self) -> str | None:
        """Return what the plan says of it; None where it has nothing to say."""
        raise NotImplementedError

    def statements(self) -> list[str]:
        """Return what makes it, for the plan."""
        raise NotImplementedError

    async def build(self, session: RenameSession) -> None:
        """Make it, unless it is there and valid."""
        raise NotImplementedError

    async def is_ready(self, connection: Connection) -> bool:
        """Tell whether it is there, and as its original is."""
        raise NotImplementedError

    async def holder(self, connection: Connection) -> str | None:
        """Return what has its name by now; None where nothing has it."""
        raise NotImplementedError

    def settle(self) -> list[str]:
        """Return what gives it its final name and its comments, once the original is gone."""
        raise NotImplementedError


_CONSTRAINT = """
SELECT k.convalidated FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = $1 AND k.conname = $2
"""


@dataclass(frozen=True, kw_only=True)
class TableConstraintCopy(Copy):
    """A constraint that no index stands for: its name is its table's own.

    Attributes:
        inherited: whether a partition has it from its table, and its name too.
    """

    inherited: bool = False

    @property
    def alter(self) -> str:
        """Return the beginning of the statements that change its table."""
        return f"ALTER TABLE {self.table.sql}"

    @property
    def validate(self) -> str:
        """Return the statement that looks at the rows, while others write."""
        return f"{self.alter} VALIDATE CONSTRAINT {quote(self.name)}"

    async def validated(self, connection: Connection) -> bool | None:
        """Tell whether it is validated; None when there is none."""
        found: bool | None = await connection.fetchval(_CONSTRAINT, self.table.oid, self.name)
        return found

    async def is_ready(self, connection: Connection) -> bool:
        """Tell whether it is there, and validated if its original is."""
        return await self.validated(connection) is self.valid

    async def holder(self, connection: Connection) -> str | None:
        """Return the table's constraint of its name."""
        place = (self.table.oid, self.schema, self.name)
        return await find_holder(connection, "CONSTRAINT", *place)

    def settle(self) -> list[str]:
        """Return what gives it its final name and its comment."""
        final, statements = quote(self.final_name), []
        if self.name != self.final_name and not self.inherited:
            statements.append(f"{self.alter} RENAME CONSTRAINT {quote(self.name)} TO {final}")
        if self.comment is not None:
            on = f"COMMENT ON CONSTRAINT {final} ON {self.table.sql}"
            statements.append(f"{on} IS {literal(self.comment)}")
        return statements
