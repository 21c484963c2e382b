"""The table that a migration means, on connections that the migration's own engine opens.

A migration's connection may have a search path, a role or a schema map of its own, which no other
connection of its engine has; and an engine knows more than its URL says (`connect_args`, a creator,
events). So the table is looked up once, on that connection, and the rename's own connections are
opened as the engine opens them, or for another driver than asyncpg to where its connection is (see
`alembic.drivers`); they get the same path and role, and must be where that table is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool

from invoicing.db.session import Database
from invoicing.errors import UsageError
from invoicing.settings import Settings
from invoicing.toolkit.rename.alembic.drivers import place_of
from invoicing.toolkit.rename.connection.pool import connects_patiently

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy import URL, AdaptedConnection, Connection

    from invoicing.toolkit.rename.alembic.drivers import ConnectionAddress

# A server has one start time, to the microsecond; any account may ask for it.
_PLACE = (
    "pg_catalog.current_database()::text AS database,"
    " pg_catalog.pg_postmaster_start_time()::text AS server"
)
_TABLE = text(f"""
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, current_user::text AS role, {_PLACE},
    pg_catalog.current_setting('search_path') AS path
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = :table AND n.nspname = coalesce(CAST(:schema AS text), (
    SELECT s.name FROM unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS s (name, place)
    JOIN pg_catalog.pg_namespace AS sn ON sn.nspname = s.name
    JOIN pg_catalog.pg_class AS sc ON sc.relnamespace = sn.oid AND sc.relname = c.relname
    ORDER BY s.place LIMIT 1))
""")
_SAME = f"""
SELECT pg_catalog.set_config('role', $2, false), pg_catalog.set_config('lock_timeout', '0', false),
    pg_catalog.set_config('search_path', $3, false), {_PLACE},
    (SELECT n.nspname::text FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace WHERE c.oid = $1::bigint) AS schema
"""


@dataclass(frozen=True)
class MigrationTable:
    """The table as the migration's connection finds it.

    Attributes:
        role: whom the connection acts as.
        server: when the server was started, which tells it from any other.
        path: the connection's search path, for what code of the database's own names.
    """

    name: str
    oid: int
    schema: str
    role: str
    database: str
    server: str
    path: str


def find_table(connection: Connection, name: str, schema: str | None) -> MigrationTable:
    """Return the table that a migration means by `name`.

    Raises:
        UsageError: its connection finds none.
    """
    schemas: dict[str | None, str | None] = (
        connection.get_execution_options().get("schema_translate_map") or {}
    )
    schema = schemas.get(schema, schema)
    row = connection.execute(_TABLE, {"table": name, "schema": schema}).one_or_none()
    if row is None:
        path = connection.scalar(text("SELECT pg_catalog.current_schemas(true)::text"))
        where = f"schema {schema}" if schema else f"the search path {path}"
        message = (
            f"there is no table {name} in {where} of the migration's connection. Nothing was "
            "changed. Name its schema in the revision: schema=..."
        )
        raise UsageError(message)
    return MigrationTable(name, row.oid, row.schema, row.role, row.database, row.server, row.path)


class MigrationDatabase(Database):
    """The database of a migration: every connection is opened as its engine opens its own.

    Args:
        engine: the engine of the migration's connection.
        table: where each connection has to be; the first one has to see it.
        place: where that connection is; None on asyncpg, whose engine is asked.
        settings: as those of any `Database`.
    """

    def __init__(
        self,
        engine: Engine,
        table: MigrationTable,
        place: ConnectionAddress | None,
        settings: Settings | None = None,
    ) -> None:
        # As it is: an engine with a creator needs no host, nor anything else, in its URL.
        self.url = engine.url if place is None else place.url
        self.settings = settings if settings is not None else Settings.read()
        self._theirs = engine
        self._place = place
        self._table = table
        # Filled once the table was seen: a view may take its place later, and go again.
        self._seen: set[int] = set()

    @classmethod
    def of(cls, connection: Connection, table: MigrationTable) -> MigrationDatabase:
        """Return the database of a migration's connection.

        Raises:
            UsageError: asyncpg cannot connect as that connection's driver has.
        """
        place = None if connection.dialect.driver == "asyncpg" else place_of(connection)
        return cls(connection.engine, table, place)

    def with_settings(self, settings: Settings) -> Database:
        """Return the same database with other settings."""
        place = self._place
        if place is not None:
            named = {"application_name": settings.application_name}
            place = place._replace(url=place.url.update_query_dict(named))
        other = MigrationDatabase(self._theirs, self._table, place, settings)
        other._seen = self._seen
        return other

    @cached_property
    def engine(self) -> AsyncEngine:
        """The engine of writing sessions."""
        theirs = self._theirs
        if self._place is not None:
            engine = self._engine(self.url)
        else:
            # Their pool may be too small, and may have one connection only.
            pool = NullPool(
                theirs.pool._creator,  # noqa: SLF001 -- no other way to open one outside the pool
                dialect=theirs.dialect,
                _dispatch=theirs.pool.dispatch,
            )
            engine = AsyncEngine(Engine(pool, theirs.dialect, theirs.url, hide_parameters=True))
        connects_patiently(engine)
        event.listen(engine.sync_engine.pool, "connect", self._prepare)
        return engine

    @cached_property
    def read_only_engine(self) -> AsyncEngine:
        """The engine of read-only sessions."""
        return self.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def dispose(self) -> None:
        """Close every connection."""
        self.__dict__.pop("read_only_engine", None)
        await super().dispose()

    async def _connect(
        self, url: URL, settings: dict[str, str], keywords: dict[str, Any], **more: object
    ) -> asyncpg.Connection:
        carried = {} if self._place is None else self._place.keywords
        return await super()._connect(url, settings, keywords | carried, **more)

    def _prepare(self, dbapi_connection: AdaptedConnection, _record: object) -> None:
        dbapi_connection.run_async(self._check)

    async def _check(self, driver: asyncpg.Connection) -> None:
        """Act as the migration does, and refuse to work anywhere else.

        Raises:
            UsageError: the connection is elsewhere, or does not see the table.
        """
        table = self._table
        row = await driver.fetchrow(_SAME, table.oid, table.role, table.path)
        mine = (table.database, table.server)
        if (row["database"], row["server"]) != mine:
            message = (
                f"the migration's connection is on database {table.database} of a server that was "
                f"started at {table.server}, but its engine opens connections on database "
                f"{row['database']} of a server that was started at {row['server']}. Nothing was "
                "changed. Let both name the same server and database"
            )
            raise UsageError(message)
        if not self._seen and row["schema"] != table.schema:
            message = (
                f"the migration's connection finds table {table.schema}.{table.name} (oid "
                f"{table.oid}), but other connections of its engine do not see it. Nothing was "
                "changed. Commit what made the table, or rename it in a migration after that"
            )
            raise UsageError(message)
        self._seen.add(table.oid)
