"""The connections of a rename: the driver's own, for statements that no transaction may surround.

What the driver raises becomes an error that says what happened and what to do (`explained`).
"""

from __future__ import annotations

import errno
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg
from asyncpg import Connection
from sqlalchemy.exc import DBAPIError

from invoicing.db.session import Database
from invoicing.errors import RenameFailedError, RenameInterruptedError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from invoicing.rename.model import Target

__all__ = ["Connection", "Pool", "connected", "explained", "is_lost", "shown"]
APPLICATION = "invoicing rename"
# Seconds to say goodbye to a server that may be gone.
_PATIENCE = 5.0
# What the driver raises. A connection that dies between two messages confuses it: InternalClient.
_TROUBLE = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
# The server ended our session, or is going down, or is not up yet.
_LOST = ("08", "57P01", "57P02", "57P03")
# Each where this server knows it. One session may run for hours, and another idle for as long; a
# connection without a byte for minutes is forgotten by firewalls on its way.
_SETTINGS = """
SELECT set_config(name, v.value, false) FROM (VALUES ('statement_timeout', '0'),
    ('transaction_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
    ('idle_session_timeout', '0'), ('tcp_keepalives_idle', '60'), ('row_security', 'off'),
    ('default_tablespace', '')
) AS v (name, value) JOIN pg_catalog.pg_settings USING (name)
"""
_MEND = "Mend that, then run the same command again"
_ADVICE = {
    "42501": "Ask the table's owner, or a superuser, for the privilege; then run it again",
    "53100": "Make room on the disk, then run the same command again: it goes on from there",
    "53200": "The server has no memory left; run the same command again later",
    "53300": "The server has no connection left; use fewer workers, or raise max_connections",
    "25006": "This is a replica, or the session is read-only: connect to the primary",
    "57014": "Somebody cancelled it; run the same command again: it goes on from there",
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
    async with Database(database.url, own) as private:
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
                await driver.fetch(_SETTINGS)
                with suppress(asyncpg.InvalidParameterValueError):  # not on every platform
                    await driver.execute("SET client_connection_check_interval = '500ms'")
                yield driver
            finally:
                # By ourselves first: what the pool cannot close, it logs with a traceback.
                with suppress(*_TROUBLE):
                    await driver.close(timeout=_PATIENCE)
                await connection.invalidate()


@contextmanager
def explained(target: Target, statement: str = "") -> Iterator[None]:
    """Turn what the driver raises into an error of ours, told apart by its SQLSTATE."""
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
    if isinstance(error, asyncpg.InternalClientError):
        # Its own words are about its insides.
        reason = "the connection was lost"
    if is_lost(error):
        return RenameInterruptedError(str(target), reason)
    known = _ADVICE.get(str(sqlstate), "").replace("{plan}", target.command("plan"))
    advice = known or getattr(error, "hint", None) or _MEND
    if isinstance(error, asyncpg.DependentObjectsStillExistError):
        # The server's own hint is CASCADE, which drops what somebody still uses.
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
    return line if len(line) <= 80 else line[:77] + "..."  # noqa: PLR2004 -- a line of text
