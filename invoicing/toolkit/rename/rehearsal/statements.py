"""What production runs, as `pg_stat_statements` has it, planned by the server after each phase.

Nothing of it is run. A text whose constants were replaced by parameters cannot always be read again
(`interval $1`): what the server does not plan before the rename is not judged, and is named where
the table's name is in it.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from invoicing.toolkit.rename.names import MARK
from invoicing.toolkit.rename.rehearsal.report import StatementChange
from invoicing.toolkit.rename.workload.statement import reads_catalogs_only
from invoicing.toolkit.rename.workload.workload import shown, statistics_view

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from invoicing.toolkit.rename.connection.pool import Connection

_SINCE = "min(stats_since)"
_SINCE_BEFORE_17 = "(SELECT stats_reset FROM {schema}.pg_stat_statements_info)"
_READ = r"""
SELECT s.queryid::text AS queryid, min(s.query) AS query, sum(s.calls)::bigint AS calls,
    array_agg(DISTINCT coalesce(r.rolname::text, s.userid::text)) AS users,
    extract(epoch FROM now() - {since})::float8 / 86400 AS days,
    -- Where its users' sessions look for a name; the last is the database's own.
    (SELECT array_agg(DISTINCT coalesce(substr(c, 13), '')) FROM pg_db_role_setting AS d,
        unnest(d.setconfig) AS c WHERE d.setrole = ANY (array_agg(s.userid))
        AND c LIKE 'search_path=%') AS paths
FROM {view} AS s LEFT JOIN pg_roles AS r ON r.oid = s.userid
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND s.query ~* '^(\s|--[^\n]*\n|/\*.*\*/|\()*'
        '(with|select|insert|update|delete|merge|table|values)\M'
    AND strpos(s.query, $1) = 0
GROUP BY s.queryid ORDER BY calls DESC
"""
_HAS_SINCE = """
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::text::regclass
    AND attname = 'stats_since')
"""
# A constant of that spelling is no longer one when a parameter stands in its place.
_TYPED = re.compile(r"\b(interval|date|time|timetz|timestamp|timestamptz)\s+(\$\d+)", re.IGNORECASE)
_CATALOG = re.compile(r"\b(pg_|information_schema)")
_GENERIC_PLAN = 16
_NOT = "the statements of production were not looked at"


class ProductionStatement(NamedTuple):
    """One statement of production."""

    queryid: str
    query: str
    calls: int
    users: list[str]
    days: float | None
    paths: list[str] | None


class Planned(NamedTuple):
    """What the server says of a statement: why it does not take it, or its result's columns."""

    failure: str
    columns: tuple[tuple[str, str], ...] = ()


class ProductionWorkload(NamedTuple):
    """The statements of production; `why` they are not known where there are none."""

    statements: list[ProductionStatement]
    why: str = ""
    blind: bool = False


async def read_workload(connection: Connection) -> ProductionWorkload:
    """Return what production runs in this database."""
    view, may_read = await statistics_view(connection)
    if view is None:
        return ProductionWorkload([], f"pg_stat_statements is not installed: {_NOT}")
    if not may_read:
        role = await connection.fetchval("SELECT quote_ident(current_user)")
        grant = f"GRANT pg_read_all_stats TO {role}"
        why = f"{_NOT}: this account sees no statements but its own. Run, as a superuser: {grant}"
        return ProductionWorkload([], why, blind=True)
    # Its own version decides, not the server's.
    since_each = await connection.fetchval(_HAS_SINCE, view)
    schema = view.rpartition(".")[0]
    info = await connection.fetchval("SELECT to_regclass($1)", f"{schema}.pg_stat_statements_info")
    before = _SINCE_BEFORE_17.format(schema=schema) if info else "NULL::timestamptz"
    since = _SINCE if since_each else before
    try:
        rows = await connection.fetch(_READ.format(view=view, since=since), MARK)
    except asyncpg.ObjectNotInPrerequisiteStateError:
        return ProductionWorkload([], f"pg_stat_statements is not loaded: {_NOT}")
    return ProductionWorkload([ProductionStatement(**row) for row in rows])


class StatementLooks:
    """Plans the same statements after each phase, and compares with before.

    Attributes:
        unjudged: statements that the server does not plan even before, and that name the table.
    """

    def __init__(self, statements: Sequence[ProductionStatement], table: tuple[str, str]) -> None:
        self._statements, self._table = statements, table
        self._named = re.compile(rf"(?<!\w){re.escape(table[1])}(?!\w)", re.IGNORECASE)
        self._before: dict[str, Planned] = {}
        self._changes: dict[str, StatementChange] = {}
        self._twin: dict[str, Planned] = {}
        self.unjudged: list[str] = []

    async def before(self, connection: Connection) -> None:
        """Plan everything while nothing is renamed."""
        planned = await _plan_all(connection, self._statements)
        for statement in self._statements:
            found = planned[statement.queryid]
            if not found.failure:
                # What is about catalogs cannot change, and is no statement of production's.
                if not self._reads_catalogs(statement.query):
                    self._before[statement.queryid] = found
            elif self._may_name_it(statement.query):
                self.unjudged.append(f'"{shown(statement.query)}": {found.failure}')

    def _may_name_it(self, query: str) -> bool:
        return self._named.search(query) is not None and not self._reads_catalogs(query)

    def _reads_catalogs(self, query: str) -> bool:
        return _CATALOG.search(query) is not None and reads_catalogs_only(query, *self._table)

    async def on_twin(self, connection: Connection) -> None:
        """Plan everything where PostgreSQL has renamed the column."""
        self._twin = await _plan_all(connection, self._judged)

    async def after(self, connection: Connection, phase: str) -> None:
        """Plan everything after a phase; the first change of each statement is kept."""
        for queryid, planned in (await _plan_all(connection, self._judged)).items():
            before = self._before[queryid]
            known = self._changes.get(queryid)
            if planned == before or (known and (known.fails or not planned.failure)):
                continue
            statement = next(item for item in self._judged if item.queryid == queryid)
            self._changes[queryid] = self._change(statement, phase, before, planned)

    @property
    def changes(self) -> list[StatementChange]:
        """Return what changes, most called first."""
        return sorted(self._changes.values(), key=lambda change: -change.calls)

    @property
    def judged(self) -> int:
        """Return how many statements are judged."""
        return len(self._before)

    @property
    def _judged(self) -> list[ProductionStatement]:
        return [item for item in self._statements if item.queryid in self._before]

    def _change(
        self, statement: ProductionStatement, phase: str, before: Planned, after: Planned
    ) -> StatementChange:
        days = statement.days
        return StatementChange(
            phase=phase,
            queryid=statement.queryid,
            users=sorted(statement.users),
            calls=statement.calls,
            calls_a_day=statement.calls / max(days, 1 / 24) if days is not None else None,
            query=statement.query,
            change=after.failure or _columns_change(before.columns, after.columns),
            fails=bool(after.failure),
            on_twin=self._twin.get(statement.queryid) != before,
        )


def _columns_change(before: tuple[tuple[str, str], ...], after: tuple[tuple[str, str], ...]) -> str:
    more = [name for name, kind in after if (name, kind) not in before]
    fewer = [name for name, kind in before if (name, kind) not in after]
    other = [f"{name} as {kind}" for name, kind in after if name in more and name in fewer]
    more, fewer = [n for n in more if n not in fewer], [n for n in fewer if n not in more]
    said = [f"adds {', '.join(more)}"] if more else []
    said += [f"lacks {', '.join(fewer)}"] if fewer else []
    said += [f"has {', '.join(other)}"] if other else []
    said = said or ["has its columns in another order"]
    return (
        f"its result {' and '.join(said)}; a session that has it prepared gets SQLSTATE 0A000"
        " (cached plan must not change result type) until it prepares it anew"
    )


async def _plan_all(
    connection: Connection, statements: Sequence[ProductionStatement]
) -> dict[str, Planned]:
    found = {}
    for statement in statements:
        async with _path(connection, statement.paths):
            found[statement.queryid] = await _plan(connection, statement.query)
    return found


@asynccontextmanager
async def _path(connection: Connection, paths: list[str] | None) -> AsyncIterator[None]:
    """Look for names where the statement's user does; of several users' the first is taken."""
    if paths:
        await connection.execute(f"SET search_path = {paths[0]}")
    try:
        yield
    finally:
        if paths:
            await connection.execute("RESET search_path")


async def _plan(connection: Connection, text: str) -> Planned:
    query = _TYPED.sub(r"\2::\1", text)
    try:
        prepared = await connection.prepare(query, name="")
        columns = tuple((item.name, item.type.name) for item in prepared.get_attributes())
        await _explain(connection, query, len(prepared.get_parameters()))
    # The driver's InternalClientError: a result of a type that it cannot read, as anyarray.
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        state = getattr(error, "sqlstate", None)
        said = next(iter(str(error).splitlines()), "")
        return Planned(f"fails with SQLSTATE {state}: {said}" if state else f"fails: {said}")
    return Planned("", columns)


async def _explain(connection: Connection, query: str, parameters: int) -> None:
    """Let the server plan it: what ON CONFLICT needs, say, is looked for only then."""
    if connection.get_server_version().major >= _GENERIC_PLAN:
        await connection.execute(f"EXPLAIN (GENERIC_PLAN) {query}")
        return
    await connection.execute(f"PREPARE rehearsed AS {query}")
    try:
        nulls = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        await connection.execute(f"EXPLAIN EXECUTE rehearsed{nulls}")
    finally:
        await connection.execute("DEALLOCATE rehearsed")
