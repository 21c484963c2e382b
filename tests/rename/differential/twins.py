"""Two databases with the same schema: on one a column is renamed by us, on the other by PostgreSQL.

Statements run on both, and have to end alike. Both databases are used for many examples.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import asyncpg

from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.rehearsal.dump import dumped
from invoicing.toolkit.rename.rehearsal.plain import rename_names_with
from tests.conftest import execute
from tests.rename.faults import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.rehearsal.dump import Piece
    from tests.rename.differential.case import Case, Part, Work

# What is there before the schema; not every server has the extensions.
OPERATOR = "diff_owner"
MAKE_ROLES = (
    "CREATE ROLE diff_reader",
    'CREATE ROLE "Diff Writer"',
    f'CREATE ROLE {OPERATOR} LOGIN IN ROLE "Diff Writer"',
)
_FIRST = ("CREATE EXTENSION IF NOT EXISTS citext", "CREATE EXTENSION IF NOT EXISTS btree_gist")
_CLEAN = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT format('PUBLICATION %I', pubname) FROM pg_publication
        UNION ALL SELECT format('SCHEMA %I', nspname) FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema')
        UNION ALL SELECT format('FUNCTION %s', oid::regprocedure) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend
                WHERE objid = pg_proc.oid AND deptype = 'e')
    LOOP EXECUTE 'DROP ' || name || ' CASCADE'; END LOOP;
END $$
"""
# Whatever has rows, with its columns; in the order of their names, for their order may differ.
_COLUMNS = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attname) AS columns
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'invoicing_rename', 'pg_toast')
GROUP BY 1, 2 ORDER BY 1, 2
"""


class Ended(NamedTuple):
    """How a statement ended: what it returned or how many rows it wrote, and its SQLSTATE."""

    rows: list[str]
    sqlstate: str | None
    message: str = ""


class Side:
    """One of the two databases."""

    def __init__(self, url: URL, bin_dir: Path, admin: asyncpg.Connection) -> None:
        self.url, self.bin_dir, self.admin = url, bin_dir, admin
        self.client = admin
        self._prepared: dict[str, asyncpg.PreparedStatement] = {}

    @classmethod
    async def open(cls, server: URL, bin_dir: Path) -> Side:
        name = f"diff_{uuid4().hex[:10]}"
        await execute(server, f"CREATE DATABASE {name} OWNER {OPERATOR}")
        url = server.set(database=name)
        side = cls(url, bin_dir, await connect(url))
        for statement in _FIRST:
            with suppress(asyncpg.PostgresError):
                await side.admin.execute(statement)
        return side

    async def close(self, server: URL) -> None:
        await self.admin.close()
        await execute(server, f"DROP DATABASE {self.url.database} WITH (FORCE)")

    async def clean(self) -> None:
        """Drop everything of the last example."""
        if self.client is not self.admin:
            await self.client.close()
        await self.admin.execute(f"ALTER DATABASE {self.url.database} RESET ALL")
        await self.admin.execute(_CLEAN)

    async def begin(self, case: Case) -> None:
        """Set the database as the example wants it, and let the client in."""
        for name, value in case.settings.items():
            text = value if name == "search_path" else f"'{value}'"
            await self.admin.execute(f"ALTER DATABASE {self.url.database} SET {name} = {text}")
        self.client, self._prepared = await connect(self.url), {}
        if case.role:
            await self.client.execute(f"SET ROLE {quote(case.role)}")

    async def make(self, case: Case, part: Part, column: str | None = None) -> str | None:
        """Run a part's statements, all or none; return the SQLSTATE that it failed by."""
        try:
            async with self.admin.transaction():
                if case.operator:
                    await self.admin.execute(f"SET LOCAL ROLE {case.operator}")
                for statement in part.statements:
                    await self.admin.execute(case.sql(statement, column))
        except asyncpg.PostgresError as error:
            return str(error.sqlstate)
        return None

    async def run(self, case: Case, work: Work, column: str) -> list[Ended]:
        """Run what a client does; a transaction that it leaves open is rolled back."""
        ended = []
        for statement in work.statements:
            try:
                async with asyncio.timeout(20):
                    rows = await self._run(case.sql(statement, column), work.copied)
                ended.append(Ended(rows, None))
            except asyncpg.PostgresError as error:
                ended.append(Ended([], error.sqlstate, str(error)))
        if self.client.is_in_transaction():
            await self.client.execute("ROLLBACK")
        return ended

    async def _run(self, statement: str, copied: str | None) -> list[str]:
        if copied is None:
            # Prepared, as an application's statements are, and kept over the phases.
            prepared = self._prepared.get(statement)
            if prepared is None:
                prepared = await self.client.prepare(statement)
                self._prepared[statement] = prepared
            rows = [str(tuple(row.values())) for row in await prepared.fetch()]
            return [*sorted(rows), prepared.get_statusmsg()]
        return [await self.client._copy_in(statement, BytesIO(copied.encode()), timeout=20)]

    async def rows(self, case: Case, column: str) -> dict[str, list[str]]:
        """Return the rows of every table and view.

        Args:
            case: the example.
            column: by which name the column is read where it is there by two.
        """
        found = {}
        other = case.new if column == case.old else case.old
        for schema, relation, columns in await self.admin.fetch(_COLUMNS):
            if {column, other} <= {*columns}:
                columns.remove(other)
            columns.sort(key=lambda name: case.new if name == case.old else name)
            listed = ", ".join(f"{quote(name)}::text" for name in columns)
            query = f"SELECT ROW({listed})::text AS r FROM {quote(schema)}.{quote(relation)}"
            rows = await self.admin.fetch(f"SELECT r FROM ({query}) AS q ORDER BY r")
            found[f"{schema}.{relation}"] = [row[0] for row in rows]
        return found

    async def dump(self, *options: str) -> list[Piece]:
        return await dumped(self.url, self.bin_dir, *options)


async def rename_plainly(side: Side, case: Case, old: str, new: str) -> None:
    """Rename the twin's column, and what its owner changes with it."""
    await side.admin.execute(case.sql(f"ALTER TABLE @t RENAME COLUMN {quote(old)} TO {quote(new)}"))
    for part in case.parts:
        if part.is_text:
            await side.make(case, part, new)


async def rename_names(side: Side, case: Case, old: str, new: str) -> None:
    """Let the names of indexes, constraints and statistics say what the column's is."""
    await rename_names_with(side.admin, case.sql("@t"), old, new)
