"""The connections of a rename: the driver's own, for statements that no transaction may surround.

What the driver raises becomes an error that says what happened and what to do (`explained`).
"""

from __future__ import annotations

import errno
import re
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg
from asyncpg import Connection
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from invoicing.errors import UsageError
from invoicing.toolkit.rename.errors import RenameFailedError, RenameInterruptedError
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import AdaptedConnection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from invoicing.db.session import Database
    from invoicing.toolkit.rename.model import Target

__all__ = [
    "Connection",
    "Pool",
    "connected",
    "connects_patiently",
    "explained",
    "is_lost",
    "lift_transaction_timeout",
    "pinned",
    "shown",
    "use_client_path",
    "write",
]
APPLICATION = "invoicing rename"
# Seconds to say goodbye to a server that may be gone.
_PATIENCE = 5.0
_LINE = 80
# What the driver raises. A connection that dies between two messages confuses it: InternalClient.
_TROUBLE = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
# The server ended our session (by a timeout, too), or is going down, or is not up yet.
_LOST = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04")
_HAS_TRANSACTION_TIMEOUT = 17
# What a database, an account, a URL or PGOPTIONS may have set to anything, as pg_dump pins it: what
# statements mean, how the catalog is printed, and how long a session may take. One session may run
# for hours, and another idle for as long; a connection without a byte for minutes is forgotten by
# firewalls on its way. A temporary table's name comes last, so that it can hide nothing.
_PATH = "pg_catalog, pg_temp"
_PINNED = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "array_nulls": "on",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "check_function_bodies": "on",
    "client_min_messages": "notice",
    "default_table_access_method": "heap",
    "default_tablespace": "",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "exit_on_error": "off",
    "extra_float_digits": "3",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "lc_monetary": "C",
    "lock_timeout": "0",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "session_replication_role": "origin",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "tcp_keepalives_idle": "60",
    "transaction_timeout": "0",
    "transform_null_equals": "off",
    "xmloption": "content",
}
# Each where this server knows it; one that stands as it has to may need a right to be set.
_PIN = """
SELECT set_config(s.name, v.value, $3) FROM unnest($1::text[], $2::text[]) AS v (name, value)
JOIN pg_settings AS s ON s.name = v.name WHERE s.setting <> v.value
"""
# From before the first statement: SQLAlchemy looks around in each new connection.
# Without what not every server knows.
_AT_ONCE = {
    name: "0" for name in _PINNED if name.endswith("timeout") and name != "transaction_timeout"
}
# What a client's names mean: kept for the name of the table, and for what runs code of theirs. And
# of Citus, which does not list all of its settings: our triggers in a distributed schema, what is
# SET LOCAL on its node, and our own schema on no node of its own.
_KEEP = """
SELECT pg_catalog.set_config('invoicing.schemas', $1, $2),
    (SELECT pg_catalog.concat(pg_catalog.set_config('citus.enable_unsafe_triggers', 'on', $2),
            pg_catalog.set_config('citus.propagate_set_commands', 'local', $2),
            pg_catalog.set_config('citus.enable_schema_based_sharding', 'off', $2))
        FROM pg_catalog.pg_extension WHERE extname = 'citus')
"""
_CLIENT_PATH = """
SELECT set_config('search_path', concat_ws(', ', 'pg_catalog', (SELECT string_agg(quote_ident(s),
    ', ' ORDER BY place) FROM unnest(current_setting('invoicing.schemas')::name[])
    WITH ORDINALITY AS u (s, place) WHERE s <> 'pg_catalog' AND s !~ '^pg_temp'), 'pg_temp'), $1)
"""
# Where an error came up, innermost first: an event trigger, a check, an expression's function.
_FUNCTION = re.compile(r"function (?!inline_code_block|\"?invoicing_rename)(\S+)")
_IN_BLOCK = re.compile(r'SQL statement "(.*)"\nPL/pgSQL function inline_code_block')
_FIX = "Fix that, then run the same command again"
_ADVICE = {
    "42501": "Ask its owner for the privilege (of the rename's own tables: the owner of the schema "
    "invoicing_rename), or a superuser; then run it again",
    "53100": "Free disk space, then run the same command again: it goes on from there",
    "53200": "The server has no memory left; run the same command again later",
    "53300": "The server has no connection left; use fewer workers, or raise max_connections",
    "25006": "This is a replica, or the session is read-only: connect to the primary, and unset "
    "INVOICING_READ_ONLY",
    "57014": "It was cancelled; run the same command again: it goes on from there",
    "42P01": "The table is not there any more. Run: {plan}",
    "42703": "The column is not there any more. Run: {plan}",
}


@asynccontextmanager
async def connected(database: Database, connections: int) -> AsyncIterator[Pool]:
    """Yield a pool of `connections` sessions that wait for no statement timeout.

    Raises:
        UsageError: the database is behind pgbouncer, where a session cannot hold a lock.
    """
    settings = database.settings
    if settings.pgbouncer:
        message = (
            "cannot rename through pgbouncer in transaction mode: a session's lock and settings do "
            "not last there. Give the server's own URL: --url, or unset INVOICING_PGBOUNCER"
        )
        raise UsageError(message)
    own = settings.model_copy(
        update={"application_name": APPLICATION, "pool_size": connections, "lock_timeout": 0.0}
    )
    async with database.with_settings(own) as private:
        private.pinned = _AT_ONCE
        connects_patiently(private.engine)
        yield Pool(private)


class Pool:
    """Gives out the driver's connections, each to one user at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yield a connection outside a transaction, closed at the end whatever it was set to."""
        async with self._database.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver: Connection = raw.driver_connection
            try:
                await _pin(driver, local=False)
                if self._database.settings.read_only:
                    await driver.execute("SET default_transaction_read_only = on")
                with suppress(asyncpg.InvalidParameterValueError):  # not on every platform
                    await driver.execute("SET client_connection_check_interval = '500ms'")
                yield driver
            finally:
                # By ourselves first: what the pool cannot close, it logs with a traceback.
                with suppress(*_TROUBLE):
                    await driver.close(timeout=_PATIENCE)
                await connection.invalidate()


def connects_patiently(engine: AsyncEngine) -> None:
    """Let each new connection have no transaction_timeout, even while SQLAlchemy looks around."""
    pool = engine.sync_engine.pool
    if not event.contains(pool, "connect", _lift_first):
        event.listen(pool, "connect", _lift_first, insert=True)


def _lift_first(dbapi_connection: AdaptedConnection, _record: object) -> None:
    dbapi_connection.run_async(lift_transaction_timeout)


async def lift_transaction_timeout(connection: Connection) -> None:
    """Let transactions last as long as they have to, from before the first of them begins."""
    if connection.get_server_version().major >= _HAS_TRANSACTION_TIMEOUT:
        await connection.execute("SET SESSION transaction_timeout = 0")


@asynccontextmanager
async def pinned(connection: Connection) -> AsyncIterator[None]:
    """Read one snapshot, with settings that are pinned, on a connection that others use as well."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await _pin(connection, local=True)
        yield


async def _pin(connection: Connection, *, local: bool) -> None:
    schemas = await connection.fetchval("SELECT pg_catalog.current_schemas(true)::pg_catalog.text")
    await connection.execute(f"SET {'LOCAL' if local else 'SESSION'} search_path = {_PATH}")
    await connection.fetch(_KEEP, schemas, local)
    # What only reads needs no right, and keeps the limits that its owner has set.
    kept = ("timeout", "replication_role") if local else ()
    names = [name for name in _PINNED if not name.endswith(kept)]
    await connection.fetch(_PIN, names, [_PINNED[name] for name in names], local)


async def use_client_path(connection: Connection, *, local: bool) -> None:
    """Let names be looked up where the client's are, after PostgreSQL's own.

    For statements that run code of the database's own (triggers, checks, expressions of indexes),
    which may name tables without their schemas; the statement itself has to name everything in
    full.
    """
    await connection.fetch(_CLIENT_PATH, local)


async def write(connection: Connection, *statements: str) -> None:
    """Run statements that may run code of the database's own: event triggers, checks, indexes.

    A transaction that they fail in has no path any more; the session has its own again.
    """
    local = connection.is_in_transaction()
    await use_client_path(connection, local=local)
    back = f"SET {'LOCAL' if local else 'SESSION'} search_path = {_PATH}"
    try:
        for statement in statements:
            await connection.execute(statement)
    except asyncpg.PostgresError as error:
        # Which of them it was: `explanation` shows it.
        error.add_note(statement)
        if not local:
            await connection.execute(back)
        raise
    await connection.execute(back)


@contextmanager
def explained(target: Target, statement: str = "") -> Iterator[None]:
    """Turn what the driver raises into an error of ours, by its SQLSTATE."""
    try:
        yield
    except _TROUBLE as error:
        raise explanation(error, target, statement) from None
    except DBAPIError as error:
        # The engine asks a few things itself when it connects for the first time.
        cause = getattr(error.orig, "__cause__", None) or error
        raise explanation(cause, target, statement) from None


def explanation(
    error: BaseException, target: Target, statement: str = ""
) -> RenameFailedError | RenameInterruptedError:
    """Return the error of ours that says what `error` means."""
    sqlstate = getattr(error, "sqlstate", None)
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    if isinstance(error, asyncpg.InternalClientError) or "cannot call" in reason:
        # Its own words are about its insides; what the server said came before.
        before = error.__context__
        said = str(before) if isinstance(before, asyncpg.PostgresError) else ""
        reason = said or "the connection was lost"
    if is_lost(error):
        return RenameInterruptedError(str(target), reason)
    known = _ADVICE.get(str(sqlstate), "").replace("{plan}", target.command("plan"))
    advice = known or getattr(error, "hint", None) or _FIX
    context = str(getattr(error, "context", None) or "")
    inner = _IN_BLOCK.search(context)
    statement = inner[1] if inner else next(iter(getattr(error, "__notes__", ())), statement)
    if raiser := _FUNCTION.search(context):
        # What is missing there, or was raised there, is not what was renamed.
        advice = f"It came from the database's own function {visible(raiser[1])}. {_FIX}"
    if isinstance(error, asyncpg.DependentObjectsStillExistError):
        # The server's own hint is CASCADE, which drops what is still used.
        users = "; ".join(str(error.detail).splitlines())
        advice = f"{users}. Let it use the other name, then run the same command again"
    return RenameFailedError(str(target), shown(statement), sqlstate, reason, advice)


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection is gone."""
    if isinstance(error, OSError):
        return error.errno != errno.ENOSPC
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return True
    return str(getattr(error, "sqlstate", None)).startswith(_LOST)


def shown(statement: str) -> str:
    """Return a statement's first words, on one line."""
    line = " ".join(statement.split())
    return line if len(line) <= _LINE else line[: _LINE - 3] + "..."
