"""What others run, and have run, that names the old column: sessions now, and statistics.

Both are searched for the two names as words first, and what is found is parsed (`statement`). A
text that the server has cut off is judged by its words alone, and says so.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from invoicing.toolkit.rename.dependents import word
from invoicing.toolkit.rename.names import MARK
from invoicing.toolkit.rename.workload.statement import names_column
from invoicing.toolkit.rename.workload.statement_names import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession

_SHOWN = 120
# Relations that share a name with some that has such a column.
_OTHERS = """
WITH such AS (
    SELECT DISTINCT c.relname FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    WHERE a.attname = $1 AND NOT a.attisdropped)
SELECT c.relname AS name, n.nspname AS schema, EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attname = $1 AND NOT a.attisdropped) AS has
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname IN (SELECT relname FROM such) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_RUNNING = """
SELECT * FROM (
    SELECT pid, coalesce(nullif(application_name, ''), 'no application_name') AS application,
        query, octet_length(query)
            >= pg_size_bytes(current_setting('track_activity_query_size')) - 1 AS cut
    FROM pg_catalog.pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND state = 'active' AND strpos(query, $3) = 0) AS a
WHERE query ~* $1 AND (cut OR query ~* $2)
"""
_STATEMENTS = """
SELECT queryid::text, sum(calls)::bigint AS calls, min(query) AS query
FROM {view} WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND query ~* $1 AND query ~* $2 AND strpos(query, $3) = 0
    AND query ~* $4
GROUP BY queryid
"""


# What is asked for, not what the engine and its like change: after comments and parentheses.
_VERBS = (
    r"^(\s|--[^\n]*\n|/\*.*\*/|\()*"
    r"(with|select|insert|update|delete|merge|copy|table|values|declare|prepare)\M"
)


class Running(NamedTuple):
    """A statement that a session runs now; `digest` names its text."""

    pid: int
    application: str
    query: str
    cut: bool
    digest: str


class Workload:
    """Looks at what others run; each text is parsed once."""

    def __init__(self, session: RenameSession, meaning: Meaning) -> None:
        self._session = session
        self._meaning = meaning
        self._judged: dict[str, bool] = {}

    @classmethod
    async def of(cls, session: RenameSession) -> Workload:
        """Return it, with what the catalog says of columns of that name."""
        names = session.names
        others: dict[str, dict[str, bool]] = {}
        for row in await session.connection.fetch(_OTHERS, names.old):
            others.setdefault(row["name"], {})[row["schema"]] = row["has"]
        tables = frozenset({names.table, session.table.base or names.table})
        return cls(session, Meaning(names.schema, tables, names.old, others))

    async def running(self) -> list[Running]:
        """Return what other sessions run at this moment."""
        rows = await self._session.connection.fetch(_RUNNING, *self._words())
        return [
            Running(**row, digest=sha256(row["query"].encode()).hexdigest()[:8])
            for row in rows
            if row["cut"] or self._names_it(row["query"])
        ]

    async def statements(self, view: str | None) -> dict[str, tuple[int, str]]:
        """Return how often each statement that names the column has run, by its queryid."""
        if view is None:
            return {}
        try:
            rows = await self._session.connection.fetch(
                _STATEMENTS.format(view=view), *self._words(), _VERBS
            )
        except asyncpg.ObjectNotInPrerequisiteStateError:
            return {}  # the extension is there, but was not loaded when the server started
        return {
            row["queryid"]: (row["calls"], shown(row["query"]))
            for row in rows
            if self._names_it(row["query"])
        }

    def _words(self) -> Iterable[str]:
        names = self._session.names
        return word(names.old), word(names.table), MARK

    def _names_it(self, query: str) -> bool:
        if query not in self._judged:
            self._judged[query] = names_column(query, self._meaning)
        return self._judged[query]


async def statistics_view(connection: Connection) -> tuple[str | None, bool]:
    """Return the view of pg_stat_statements, if there is one, and whether we see all of it."""
    row = await connection.fetchrow(
        "SELECT extnamespace::regnamespace::text || '.pg_stat_statements',"
        " pg_has_role('pg_read_all_stats', 'USAGE') FROM pg_extension"
        " WHERE extname = 'pg_stat_statements'"
    )
    return (None, False) if row is None else (row[0], row[1])


def shown(query: str) -> str:
    """Return the beginning of a statement, on one line."""
    return " ".join(query.split())[:_SHOWN]
