"""The two databases of a rehearsal: the same statements run on both, and both are compared.

What differs before anything is renamed (a moment, a random number) can be no difference of the
rename: those columns are left out, and named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from invoicing.toolkit.rename.names import qualified, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.rehearsal.work import Work

# Partitions are read by way of their table.
_TABLES = """
SELECT n.nspname::text AS schema, c.relname::text AS name,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0
        AND NOT attisdropped ORDER BY attname) AS columns
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'invoicing_rename')
ORDER BY 1, 2
"""


class Ended(NamedTuple):
    """How a statement ended."""

    rows: list[str]
    sqlstate: str
    message: str = ""

    def __str__(self) -> str:
        """Return it in a line."""
        if self.sqlstate:
            return f"fails with SQLSTATE {self.sqlstate} ({self.message})"
        return f"{self.rows[-1]}, {self.rows[:-1][:3]}" if len(self.rows) > 1 else self.rows[0]


async def run(connection: Connection, statement: str) -> Ended:
    """Run a statement by itself; rows are in no order."""
    try:
        prepared = await connection.prepare(statement)
        rows = sorted(str(tuple(row.values())) for row in await prepared.fetch())
        return Ended([*rows, prepared.get_statusmsg()], "")
    except asyncpg.PostgresError as error:
        return Ended([], str(error.sqlstate), next(iter(str(error).splitlines()), ""))


class Twins:
    """Compares the rows of every table of two databases.

    Args:
        ours: where the rename is rehearsed.
        twin: where PostgreSQL renames the column.
        table: its schema and name.
        old, new: the column's names.

    Attributes:
        ignored: columns whose values differ by themselves, by table.
    """

    def __init__(
        self, ours: Connection, twin: Connection, table: tuple[str, str], old: str, new: str
    ) -> None:
        self.ours, self.twin = ours, twin
        self._table, self._old, self._new = table, old, new
        self.ignored: dict[tuple[str, str], set[str]] = {}
        self.renamed = False

    async def both(self, work: Work, ours: str, twin: str) -> tuple[Ended, Ended]:
        """Run what a client does by a name of the column on each."""
        return (
            await run(self.ours, work.statement(ours)),
            await run(self.twin, work.statement(twin)),
        )

    async def settle(self) -> list[str]:
        """Take note of what differs though nothing is renamed yet; return it."""
        for table, (columns, ours, twin) in (await self._contents(self._old)).items():
            for place, column in enumerate(columns):
                pair = (sorted(row[place] or "" for row in rows) for rows in (ours, twin))
                if next(pair) != next(pair):
                    self.ignored.setdefault(table, set()).add(column)
        return [
            f"{qualified(*table)}.{quote(column)}"
            for table, columns in self.ignored.items()
            for column in sorted(columns)
        ]

    async def differences(self, read_by: str) -> list[tuple[str, str, str]]:
        """Return each table whose rows differ: its name, and a row that only one of the two has.

        Args:
            read_by: by which name the rename's column is read.
        """
        found = []
        for table, (_, ours, twin) in (await self._contents(read_by)).items():
            if ours != twin:
                mine = next((row for row in ours if row not in twin), None)
                other = next((row for row in twin if row not in ours), None)
                name = f"{qualified(*table)} ({len(ours):,} rows, the twin {len(twin):,})"
                found.append((name, _shown(mine), _shown(other)))
        return found

    async def _contents(
        self, read_by: str
    ) -> dict[tuple[str, str], tuple[list[str], list[tuple[str, ...]], list[tuple[str, ...]]]]:
        found = {}
        for schema, name, columns in await self.twin.fetch(_TABLES):
            table = (schema, name)
            kept = [column for column in columns if column not in self.ignored.get(table, set())]
            if not kept:
                continue
            here = [self._here(table, column, read_by) for column in kept]
            rows = await _rows(self.ours, table, here)
            found[table] = (kept, rows, await _rows(self.twin, table, kept))
        return found

    def _here(self, table: tuple[str, str], column: str, read_by: str) -> str:
        """Return what a column of the twin is called with us."""
        ours = table == self._table and column == (self._new if self.renamed else self._old)
        return read_by if ours else column


async def _rows(
    connection: Connection, table: tuple[str, str], columns: list[str]
) -> list[tuple[str, ...]]:
    listed = ", ".join(f"{quote(column)}::text" for column in columns)
    rows = await connection.fetch(f"SELECT {listed} FROM {qualified(*table)}")
    return sorted((tuple(row.values()) for row in rows), key=repr)


def _shown(row: tuple[str, ...] | None) -> str:
    return "no row of its own" if row is None else str(row)
