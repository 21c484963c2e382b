"""Where the connection of a project's own driver is, for connections of ours that are made alike.

A rename runs on asyncpg. What another driver was given in its URL, query, `connect_args`,
environment, creator or events is all in the connection that it has made: libpq keeps each
parameter and the password that was used, pg8000 its socket. So that is what is read.
"""

from __future__ import annotations

import ssl
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sqlalchemy.engine import URL

from invoicing.db.url import DRIVER, parse_url
from invoicing.errors import UsageError

if TYPE_CHECKING:
    from socket import socket

    from sqlalchemy import Connection

# asyncpg speaks UTF-8 whatever the other driver does; the password itself is given, and what a
# service says is there by name.
_NOT_CARRIED = frozenset({"client_encoding", "passfile", "password", "service", "servicefile"})
_PARTS = frozenset({"user", "dbname", "host", "port"})
_SOCKET = ".s.PGSQL."


class _Pg8000Connection(Protocol):
    _usock: socket
    user: str | bytes
    password: str | bytes | None


class ConnectionAddress(NamedTuple):
    """What to open a connection by.

    Attributes:
        url: a URL that `parse_url` has returned.
        keywords: more for `asyncpg.connect`.
    """

    url: URL
    keywords: dict[str, Any]


def place_of(connection: Connection) -> ConnectionAddress:
    """Return where a migration's connection is.

    Raises:
        UsageError: it is there in a way that asyncpg cannot follow, or by an unknown driver.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.driver == "pg8000":
        database = connection.exec_driver_sql("SELECT pg_catalog.current_database()").scalar_one()
        return _of_pg8000(driver, database)
    info: Any = getattr(driver, "info", None)
    if hasattr(info, "get_parameters"):  # psycopg 3
        return _of_libpq(info.get_parameters(), info.password)
    if hasattr(info, "dsn_parameters"):  # psycopg2
        return _of_libpq(info.dsn_parameters, info.password)
    message = (
        f"cannot rename on a connection of {connection.dialect.driver}. Nothing was changed. Let "
        "env.py make its engine with asyncpg, psycopg, psycopg2 or pg8000"
    )
    raise UsageError(message)


def _of_libpq(given: dict[str, str], password: str | None) -> ConnectionAddress:
    query = {name: value for name, value in given.items() if value and name not in _NOT_CARRIED}
    login = {name: query.pop(name, "") for name in _PARTS}
    query |= {name: login[name] for name in ("host", "port") if login[name]}
    if query.get("sslmode") == "verify-full" and "host" in query:
        # psycopg looks addresses up by itself, and asyncpg verifies what it connects to.
        query.pop("hostaddr", None)
    # Not by our driver's name: then it is checked that asyncpg can do what each parameter asks for.
    scheme, name = "postgresql", login["dbname"]
    url = URL.create(scheme, login["user"], password or None, database=name, query=query)
    try:
        return ConnectionAddress(parse_url(url), {})
    except UsageError as error:
        # It says whose parameter it is: nothing here came from a variable.
        raise UsageError(str(error).replace("DATABASE_URL", "the migration's connection")) from None


def _of_pg8000(driver: _Pg8000Connection, database: str) -> ConnectionAddress:
    wire = driver._usock  # noqa: SLF001 -- it keeps its host nowhere else
    peer = wire.getpeername()
    user, password = (
        value.decode() if isinstance(value, bytes) else value
        for value in (driver.user, driver.password)
    )
    keywords: dict[str, Any] = {}
    if isinstance(peer, str):
        path = PurePosixPath(peer)
        query = {"host": str(path.parent), "port": path.name.removeprefix(_SOCKET)}
        url = URL.create(DRIVER, user, password, database=database, query=query)
    else:
        host, port = peer[:2]
        query = {"sslmode": "disable"}
        if isinstance(wire, ssl.SSLSocket):
            # A certificate is checked against the name that was connected to, not an address.
            host = wire.server_hostname or host
            query = {"sslmode": "require"}
            keywords["ssl"] = wire.context
        url = URL.create(DRIVER, user, password, host, port, database, query)
    return ConnectionAddress(parse_url(url), keywords)
