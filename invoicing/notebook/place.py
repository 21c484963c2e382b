"""Which database a notebook is about to change, and whether that is production."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from sqlalchemy import text

from invoicing.visible import visible

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.db import Database

_WHERE = text(
    "SELECT current_database(), current_user, current_setting('server_version'),"
    " current_setting('cluster_name')"
)


@dataclass(frozen=True)
class DatabasePlace:
    """A database as the server itself names it; a password is no part of it.

    Attributes:
        database, user, version, cluster: what the server says.
        server: the host or socket, and the port.
        production: whether one of the names matches a pattern of `INVOICING_PRODUCTION`.
    """

    database: str
    user: str
    version: str
    cluster: str
    server: str
    production: bool

    def __str__(self) -> str:
        """Return it for a sentence."""
        where = f"database {self.database} on {self.server}"
        return visible(f"{where} as {self.user}, PostgreSQL {self.version}")


async def find_place(database: Database) -> DatabasePlace:
    """Ask the server where it is."""
    async with database.read_only() as session:
        # policy: allow query-outside-services -- it asks the server where it is, no table
        name, user, version, cluster = (await session.execute(_WHERE)).one()
    hosts = _hosts(database.url)
    names = [name, cluster, *hosts, *(f"{host}/{name}" for host in hosts)]
    production = is_production(database.settings.production, names)
    return DatabasePlace(name, user, version.split()[0], cluster, _server(database.url), production)


def is_production(patterns: str, names: list[str]) -> bool:
    """Tell whether a name matches one of the patterns, `*prod*,db1.example.com` for instance."""
    wanted = [pattern.strip().lower() for pattern in patterns.split(",")]
    return any(
        fnmatch(name.lower(), pattern) for name in names if name for pattern in wanted if pattern
    )


def _hosts(url: URL) -> list[str]:
    hosts = url.query.get("host") or url.host or ()
    return [hosts] if isinstance(hosts, str) else list(hosts)


def _server(url: URL) -> str:
    port = url.port or url.query.get("port")
    shown = [f"socket {name}" if name.startswith("/") else f"host {name}" for name in _hosts(url)]
    return (", ".join(shown) or "the local socket") + (f", port {port}" if port else "")
