"""The staging tables: checked rows on the server, what is wrong with them, and the upsert.

Everything here is temporary and of one transaction: when it ends, by whatever cause, nothing of
it is left. The checks that need other rows (duplicates, references) run on the server as set
operations, so that memory here does not grow with the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.db.copying import unless_lost
from invoicing.load.errors import LoadInProgressError
from invoicing.load.inputs import PART
from invoicing.load.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    import asyncpg
    from asyncpg.cursor import CursorFactory

    from invoicing.load.kinds import FileKind

# Any fixed number: it tells loads from other users of advisory locks.
LOAD_LOCK = 0x6C6F6164
# Behind pgbouncer the driver has a time limit for each command; a load takes what it takes.
NO_LIMIT = 1e9
LINES_OF_A_PART = PART
# Of the kinds and parts that one file is read as: $1 and $2.
_PROBLEMS = (
    "load_problem JOIN unnest($1::text[], $2::bigint[]) AS part (kind, number)"
    f" ON part.kind = load_problem.kind AND part.number = line / {LINES_OF_A_PART}"
)
PROBLEM_COLUMNS = ("kind", "line", "rule", "field", "message", "id", "parent")


class Staging:
    """The temporary tables of one load, on a connection that is in a transaction.

    Args:
        connection: the driver's.
        distributed: whether the tables are on another node, which temporary ones are not: what a
            statement needs of either is then brought to the other first.
    """

    def __init__(self, connection: asyncpg.Connection, *, distributed: bool = False) -> None:
        self.connection = connection
        self.distributed = distributed

    async def execute(self, statement: str, *arguments: object) -> int:
        """Run a statement; return how many rows it touched."""
        tag = await self.connection.execute(statement, *arguments, timeout=NO_LIMIT)
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def create(self, columns: Mapping[str, Mapping[str, str]]) -> None:
        """Take the lock of loads and make a staging table for each kind, read or not.

        Args:
            columns: the columns and types of each kind that is read.

        Raises:
            LoadInProgressError: another load holds the lock.
        """
        if not await self.value("SELECT pg_try_advisory_xact_lock($1)", LOAD_LOCK):
            raise LoadInProgressError(
                await self.value(
                    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
                    " AND (classid::bigint << 32 | objid::bigint) = $1 AND database ="
                    " (SELECT oid FROM pg_database WHERE datname = current_database())",
                    LOAD_LOCK,
                )
            )
        for kind in KINDS:
            types = columns.get(kind.name, {"id": "uuid"})
            present = "".join(f", {name} {type_}" for name, type_ in types.items())
            await self.execute(
                f"CREATE TEMP TABLE {kind.staging} (line bigint{present}) ON COMMIT DROP"
            )
        await self.execute(
            "CREATE TEMP TABLE load_problem (kind text, line bigint, rule text, field text,"
            " message text, id uuid, parent uuid) ON COMMIT DROP"
        )

    async def copy(
        self,
        table: str,
        columns: Sequence[str],
        rows: AsyncIterator[tuple[Any, ...]] | Iterable[tuple[Any, ...]],
    ) -> None:
        """Stream rows into a temporary table in one COPY."""
        copying = self.connection.copy_records_to_table(
            table, schema_name="pg_temp", columns=columns, records=rows, timeout=NO_LIMIT
        )
        await unless_lost(self.connection, copying)
        await self.execute(f"ANALYZE pg_temp.{table}")

    async def check_duplicates(self, kind: FileKind, field: str, from_line: int = 0) -> None:
        """Note ids that are there again; the first row stands."""
        parent = kind.parent_column or "NULL::uuid"
        await self.execute(
            f"""
            INSERT INTO load_problem (kind, line, rule, field, message, parent)
            SELECT $1, line, 'duplicate-id', $2,
                format('is also on line %s', first % {LINES_OF_A_PART}), {parent}
            FROM {kind.staging}
            JOIN (SELECT id, min(line) AS first FROM {kind.staging}
                  GROUP BY id HAVING count(*) > 1) AS twice USING (id)
            WHERE line <> first AND line >= $3
            """,
            kind.name,
            field,
            from_line,
        )

    async def check(self, kind: FileKind, fields: Mapping[str, str], parent_path: str) -> None:
        """Note missing references, and take all bad rows out of the staging.

        The parents must have been checked before.
        """
        if kind.parent is not None:
            await self._check_references(kind, kind.parent, fields, parent_path)
        # Corrected, the rejected row would change the good one later.
        said = "is also on line %s, which is rejected: correct both"
        parent = kind.parent_column or "NULL::uuid"
        await self.note_others(kind, fields["id"], "duplicate-id", said, parent=parent)
        await self.execute(
            f"""
            DELETE FROM {kind.staging} AS staged USING load_problem AS problem
            WHERE problem.kind = $1 AND problem.line = staged.line
            """,
            kind.name,
        )
        # Their ids are kept, so that what refers to them is rejected for that reason.
        await self.execute("ANALYZE pg_temp.load_problem")

    async def note_others(
        self, kind: FileKind, field: str, rule: str, said: str, *, parent: str = "NULL::uuid"
    ) -> None:
        """Note good rows whose id a rejected row has; `said` has a `%s` for that one's line."""
        await self.execute(
            f"""
            INSERT INTO load_problem (kind, line, rule, field, message, id, parent)
            SELECT $1, staged.line, $2, $3, format($4, bad.line % {LINES_OF_A_PART}), id, {parent}
            FROM {kind.staging} AS staged
            JOIN (SELECT id, min(line) AS line FROM load_problem
                  WHERE kind = $1 AND id IS NOT NULL GROUP BY id) AS bad USING (id)
            WHERE NOT EXISTS (SELECT FROM load_problem AS noted
                              WHERE noted.kind = $1 AND noted.line = staged.line)
            """,
            kind.name,
            rule,
            field,
            said,
        )

    async def _check_references(
        self, kind: FileKind, parent: FileKind, fields: Mapping[str, str], parent_path: str
    ) -> None:
        """Note rows whose parent was rejected, or is neither in the files nor in the database."""
        there = await self.known(
            parent.table, ["id"], f"SELECT {kind.parent_column} FROM {kind.staging}"
        )
        await self.execute(
            f"""
            INSERT INTO load_problem (kind, line, rule, field, message, id)
            SELECT $1, staged.line,
                CASE WHEN rejected.id IS NULL THEN $4 ELSE $5 END,
                $6,
                CASE WHEN rejected.id IS NULL THEN $7
                     ELSE format('was rejected on line %s of %s',
                                 rejected.line % {LINES_OF_A_PART}, $3::text) END,
                staged.id
            FROM {kind.staging} AS staged
            LEFT JOIN (SELECT id, min(line) AS line FROM load_problem
                       WHERE kind = $2 AND id IS NOT NULL GROUP BY id) AS rejected
                ON rejected.id = staged.{kind.parent_column}
            WHERE NOT EXISTS (SELECT FROM {parent.staging} AS parent
                              WHERE parent.id = staged.{kind.parent_column})
            AND (rejected.id IS NOT NULL
                 OR NOT EXISTS (SELECT FROM {there} AS parent
                                WHERE parent.id = staged.{kind.parent_column}))
            """,
            kind.name,
            parent.name,
            parent_path,
            f"missing-{parent.singular}",
            f"rejected-{parent.singular}",
            fields[kind.parent_column or ""],
            f"matches no {parent.singular} of the files or of the database",
        )

    async def known(self, table: str, columns: Sequence[str], ids: str, *, key: str = "id") -> str:
        """Return where to read the rows of a table whose `key` a query selects.

        That is the table itself; of one on another node a copy of those rows.
        """
        if not self.distributed:
            return table
        copied = f"load_known_{table}"
        await self.execute(f"DROP TABLE IF EXISTS {copied}")
        await self.execute(
            f"CREATE TEMP TABLE {copied} ON COMMIT DROP AS"
            f" SELECT {', '.join(columns)} FROM {table} WHERE {key} IN ({ids})"
        )
        return copied

    async def count_rejected(self, kind: FileKind, part: int) -> int:
        """Return how many rows of a file are bad."""
        query = (
            "SELECT count(DISTINCT line) FROM load_problem"
            f" WHERE kind = $1 AND line / {LINES_OF_A_PART} = $2"
        )
        return await self.value(query, kind.name, part) or 0

    async def count_bad_lines(self, parts: Sequence[tuple[str, int]]) -> int:
        """Return how many lines of a file are bad, whatever they are read as."""
        query = f"SELECT count(DISTINCT line % {LINES_OF_A_PART}) FROM {_PROBLEMS}"
        return await self.value(query, *zip(*parts, strict=True)) or 0

    async def reasons(self) -> dict[str, int]:
        """Return how many times each rule was broken, the most frequent first."""
        rows = await self.connection.fetch(
            "SELECT rule, count(*) FROM load_problem GROUP BY rule ORDER BY count(*) DESC, rule",
            timeout=NO_LIMIT,
        )
        return {row["rule"]: row["count"] for row in rows}

    def problems(self, parts: Sequence[tuple[str, int]], limit: int | None) -> CursorFactory:
        """Return a cursor over the bad rows of a file: line, fields and messages, by line.

        Args:
            parts: the kinds and parts that the file is read as.
            limit: how many rows; all of them when None.
        """
        return self.connection.cursor(
            "SELECT line, array_agg(field ORDER BY field, message) AS fields,"
            " array_agg(message ORDER BY field, message) AS messages"
            f" FROM (SELECT DISTINCT line % {LINES_OF_A_PART} AS line, field, message"
            f" FROM {_PROBLEMS}) AS problem GROUP BY line ORDER BY line LIMIT $3",
            *zip(*parts, strict=True),
            limit,
            prefetch=1000,
            timeout=NO_LIMIT,
        )

    async def upsert(self, kind: FileKind, columns: Sequence[str]) -> tuple[int, int]:
        """Write the staged rows to their table; return how many were inserted and updated.

        Rows that the database holds just so are not touched. An empty created_at, which a table
        cannot hold, means now for a new row and no change for one that is there.
        """
        first, staging = "", kind.staging
        if self.distributed:
            first = f"WITH there AS MATERIALIZED (SELECT * FROM {kind.staging})"
            staging = "there"
        new = {name: _staged(name, "now()") for name in columns}
        changed = {name: _staged(name, f"kept.{name}") for name in columns if name != "id"}
        assigned = ", ".join(f"{name} = {value}" for name, value in changed.items())
        updated = await self.execute(
            f"""
            {first} UPDATE {kind.table} AS kept SET {assigned}
            FROM {staging} AS staged
            WHERE staged.id = kept.id
            AND ({", ".join(f"kept.{name}" for name in changed)})
                IS DISTINCT FROM ({", ".join(changed.values())})
            """
        )
        insert = f"""
            INSERT INTO {kind.table} ({", ".join(new)})
            SELECT {", ".join(new.values())} FROM {staging} AS staged
            -- No anti join: of an empty table the planner would scan what this statement has
            -- written so far, for each row.
            ON CONFLICT (id) DO NOTHING
        """
        if not self.distributed:
            return await self.execute(insert), updated
        # Citus reports rows that were there already as inserted.
        counted = f"{first}, new AS ({insert} RETURNING id) SELECT count(*) FROM new"
        return await self.value(counted) or 0, updated

    async def value(self, query: str, *arguments: object) -> int | None:
        """Return the one value of a query."""
        value: int | None = await self.connection.fetchval(query, *arguments, timeout=NO_LIMIT)
        return value


def _staged(name: str, when_empty: str) -> str:
    return (
        f"coalesce(staged.created_at, {when_empty})" if name == "created_at" else f"staged.{name}"
    )
