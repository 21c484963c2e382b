"""Engines and sessions, made on demand, and the one place where a transaction begins and ends.

Two kinds of session, because they cost differently on the wire:

- `Database.transaction()` begins, commits when its block ends and rolls back when it raises.
- `Database.read_only()` runs each statement in AUTOCOMMIT: no BEGIN, no ROLLBACK, so that one
  statement is one round trip. The server itself refuses a write, and ends what takes too long.

Behind pgbouncer in transaction mode (`INVOICING_PGBOUNCER=true`) a connection's settings do not
last, so there a read-only session is a `BEGIN READ ONLY` transaction (two more round trips) and
the time limit is the driver's.
"""

from __future__ import annotations

import asyncio
import select
from contextlib import asynccontextmanager
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import NullPool

from invoicing.db.connecting import connect
from invoicing.db.errors import SchemaNotFoundError
from invoicing.db.pool import FairPool
from invoicing.db.standby import Standby
from invoicing.db.url import hosts_of, parse_url, quoted, sets_schema, shown_url
from invoicing.errors import DatabaseUnavailableError, UsageError
from invoicing.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sqlalchemy.engine import URL
    from sqlalchemy.engine.interfaces import DBAPIConnection

__all__ = ["AsyncSession", "Database"]
_SCHEMA = """
SELECT current_user::text AS role,
    (SELECT pg_catalog.has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace
        WHERE nspname = $1::text) AS usable,
    (SELECT min(nspname::text) FROM pg_catalog.pg_namespace
        WHERE lower(nspname) = lower(btrim($1::text, ' "'))) AS similar,
    -- Else Citus takes no trigger into a distributed schema, and what is SET LOCAL stays here.
    (SELECT set_config('citus.enable_unsafe_triggers', 'on', false)
            || set_config('citus.propagate_set_commands', 'local', false)
        FROM pg_catalog.pg_extension WHERE extname = 'citus') AS citus
"""


class Database:
    """One database: its engines, its sessions, its transaction boundary.

    Nothing connects until the first statement. Use it as an async context manager, or call
    `dispose()`, so that no connection outlives the event loop it was made in.

    Args:
        url: any PostgreSQL URL; the driver is set to asyncpg.
        settings: pool, timeouts and application name; read from the environment if not given.
        read_url: a hot standby's, which read-only sessions read while it is recent enough.

    Raises:
        UsageError: a URL is not one of PostgreSQL.
    """

    read_url: URL | None = None
    # Server settings of every connection, whatever the URL says; not behind pgbouncer.
    pinned: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        url: str | URL,
        settings: Settings | None = None,
        *,
        read_url: str | URL | None = None,
    ) -> None:
        self.url = parse_url(url)
        if read_url is not None:
            self.read_url = parse_url(read_url)
        self.settings = settings if settings is not None else Settings.read()

    @classmethod
    def routed(cls, url: str | URL, settings: Settings | None = None) -> Self:
        """Return the database, with reads from a standby where the environment names one.

        That is DATABASE_READ_URL; or, of several hosts in `url` without `target_session_attrs`,
        whichever is a standby: the others' sessions then go to the primary among them.
        """
        settings = settings if settings is not None else Settings.read()
        url = parse_url(url)
        if settings.database_read_url is not None:
            read_url = _parse_read_url(settings.database_read_url.get_secret_value())
            return cls(url, settings, read_url=read_url)
        if len(hosts_of(url)) == 1 or "target_session_attrs" in url.query:
            return cls(url, settings)
        primary, standby = (
            url.update_query_dict({"target_session_attrs": wanted})
            for wanted in ("primary", "standby")
        )
        return cls(primary, settings, read_url=standby)

    def __repr__(self) -> str:
        return f"Database({self.shown_url!r})"

    @property
    def shown_url(self) -> str:
        """The URL as it may be shown: its password is masked."""
        return shown_url(self.url)

    @cached_property
    def engine(self) -> AsyncEngine:
        """The engine of writing sessions; one that idles in a transaction for a minute is ended."""
        return self._engine(
            self.url,
            lock_timeout=self.settings.lock_timeout,
            idle_in_transaction_session_timeout=60,
        )

    @cached_property
    def read_only_engine(self) -> AsyncEngine:
        """The engine of read-only sessions: AUTOCOMMIT, and writes refused by the server."""
        return self._read_only_engine(self.url)

    @cached_property
    def standby(self) -> Standby | None:
        """What is known of the standby to read from; None if there is none."""
        if self.read_url is None:
            return None
        return Standby(self.read_only_engine, self._standby_engine, self.settings.max_staleness)

    def with_settings(self, settings: Settings) -> Database:
        """Return the same database with other settings, and engines of its own.

        The application name is that of the settings, whatever name the URL gives.
        """
        url = self.url.update_query_dict({"application_name": settings.application_name})
        return Database(url, settings, read_url=self.read_url)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Yield a session in one transaction: commit at the end, roll back on any exception."""
        async with self._writing() as session, session.begin():
            yield session
        if self.standby is not None:
            self.standby.wrote()

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[AsyncSession]:
        """Yield a session that can only read; one statement is one round trip.

        It reads the standby, if there is one that holds all that this object's transactions have
        written, and is at most `max_staleness` behind; else the primary.
        """
        session = await self._read_from_standby() or self._reading()
        try:
            yield session
        except BaseException:
            # A cancelled caller must not cut short the return of its connection to the pool.
            await asyncio.shield(session.close())
            raise
        # Nothing is in flight here: closing without the task that a shield makes saves a tenth.
        await session.close()

    async def server_version(self) -> str:
        """Return the server's version: `18.6`."""
        async with self.read_only() as session:
            version = await session.scalar(text("SHOW server_version"))
        return str(version).split()[0]

    async def dispose(self) -> None:
        """Close every pooled connection; the next session opens new ones."""
        self.__dict__.pop("standby", None)
        for engine, sessions in (
            ("engine", "_writing"),
            ("read_only_engine", "_reading"),
            ("_standby_engine", "_reading_standby"),
        ):
            self.__dict__.pop(sessions, None)
            if engine in self.__dict__:
                await self.__dict__.pop(engine).dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.dispose()

    # Made once: async_sessionmaker makes a class, which takes longer than a session does.
    # expire_on_commit would make the first read after a commit a lazy load, which raises.
    @cached_property
    def _writing(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(self.engine, expire_on_commit=False)

    @cached_property
    def _reading(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(self.read_only_engine, expire_on_commit=False)

    @cached_property
    def _standby_engine(self) -> AsyncEngine:
        return self._read_only_engine(self.read_url or self.url)

    @cached_property
    def _reading_standby(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(self._standby_engine, expire_on_commit=False)

    async def _read_from_standby(self) -> AsyncSession | None:
        """Return a session that has a connection to the standby; None where it may not be read."""
        if self.standby is None or not await self.standby.is_recent():
            return None
        session = self._reading_standby()
        try:
            await session.connection()
        except DatabaseUnavailableError:
            await session.close()
            self.standby.failed()
            return None
        return session

    def _read_only_engine(self, url: URL) -> AsyncEngine:
        if self.settings.pgbouncer:
            return self._engine(url).execution_options(postgresql_readonly=True)
        engine = self._engine(
            url,
            default_transaction_read_only="on",
            statement_timeout=self.settings.statement_timeout,
            # Compiling a plan costs more than these short statements gain by it.
            jit="off",
        )
        return engine.execution_options(isolation_level="AUTOCOMMIT")

    def _engine(self, url: URL, **server_settings: str | float) -> AsyncEngine:
        if self.settings.pgbouncer:
            engine = self._pgbouncer_engine(url)
            read_only = self.settings.read_only
            return engine.execution_options(postgresql_readonly=True) if read_only else engine
        if self.settings.read_only:
            server_settings["default_transaction_read_only"] = "on"
        settings = {
            name: value if isinstance(value, str) else f"{round(value * 1000)}ms"
            for name, value in server_settings.items()
        }
        engine = create_async_engine(
            url,
            connect_args={"async_creator_fn": partial(self._connect, url, settings, {})},
            poolclass=FairPool,
            pool_size=self.settings.pool_size,
            max_overflow=self.settings.pool_size,
            pool_timeout=self.settings.pool_timeout,
            pool_recycle=1800,
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "checkout", _refuse_closed_connection)
        return engine

    async def _connect(
        self,
        url: URL,
        settings: dict[str, str],
        keywords: dict[str, Any],
        **_what_the_dialect_makes_of_the_url: object,
    ) -> asyncpg.Connection:
        settings = {"application_name": self.settings.application_name} | settings
        keywords = {"timeout": self.settings.connect_timeout} | keywords
        schema = None if sets_schema(url) else self.settings.database_schema
        if schema is not None:
            settings["search_path"] = quoted(schema)
        try:
            connection = await connect(url, settings, self.pinned, **keywords)
            if schema is not None:
                await _refuse_missing(connection, schema, url)
        except (
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.TargetServerAttributeNotMatched,
        ) as error:
            # "from None": the driver's own traceback carries its arguments, the password too.
            raise DatabaseUnavailableError(shown_url(url), _first_line(error)) from None
        return connection

    def _pgbouncer_engine(self, url: URL) -> AsyncEngine:
        if self.settings.database_schema is not None:
            path = quoted(self.settings.database_schema)
            message = (
                "INVOICING_SCHEMA cannot be kept through pgbouncer: a connection's settings do not "
                "last there. Nothing was changed. Unset it, and give the schema an entry in "
                f"pgbouncer's [databases]: connect_query='SET search_path = {path}'"
            )
            raise UsageError(message)
        # pgbouncer gives each transaction another server connection: it pools, so we do not, and
        # a prepared statement's name must not be met twice on one of them.
        keywords = {
            "command_timeout": self.settings.statement_timeout or None,
            "statement_cache_size": 0,
        }
        return create_async_engine(
            url,
            connect_args={
                "async_creator_fn": partial(self._connect, url, {}, keywords),
                "prepared_statement_cache_size": 0,
                "prepared_statement_name_func": lambda: f"__invoicing_{uuid4()}__",
            },
            poolclass=NullPool,
            hide_parameters=True,
        )


async def _refuse_missing(connection: asyncpg.Connection, schema: str, url: URL) -> None:
    """Refuse a schema in which names would not be found: the server says nothing of it.

    Raises:
        SchemaNotFoundError: it is not there, or this account may not use it.
    """
    try:
        row = await connection.fetchrow(_SCHEMA, schema)
    except BaseException:
        # Whoever asked for it may have been cancelled: nothing else knows the connection.
        connection.terminate()
        raise
    if not row["usable"]:
        await connection.close()
        raise SchemaNotFoundError(
            schema,
            shown_url(url),
            similar=row["similar"],
            exists=row["usable"] is not None,
            role=row["role"],
        )


def _parse_read_url(text: str) -> URL:
    try:
        return parse_url(text)
    except UsageError as error:
        message = str(error).replace("DATABASE_URL", "DATABASE_READ_URL")
        raise UsageError(message) from None


def _first_line(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return "the server did not answer in time"
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _refuse_closed_connection(
    dbapi_connection: DBAPIConnection,
    _record: object,
    _proxy: object,
) -> None:
    """Let the pool replace a connection the server has closed, without asking the server.

    asyncpg notices the end of its socket by itself, and the system knows before the event loop
    does, so this costs no round trip, as `pool_pre_ping` would.
    """
    connection = dbapi_connection.driver_connection
    if connection.is_closed() or _has_unread(connection):
        message = "the server has closed this connection"
        raise DisconnectionError(message)


def _has_unread(connection: asyncpg.Connection) -> bool:
    """Tell whether something arrived on an idle connection: its end, or what announces it."""
    transport = connection._transport  # noqa: SLF001 -- the driver has no public way to its socket
    if transport.is_closing():
        return True
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
