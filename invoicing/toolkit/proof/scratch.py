"""Databases of a proof's own: made beside those that are there, copied, and dropped at its end."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from sqlalchemy import text

from invoicing.db import Database
from invoicing.db.databases import quoted_name, run_on_server
from invoicing.db.url import beside
from invoicing.toolkit.proof.shared import SharedObjects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

Result = TypeVar("Result")
LIMITS = "SET statement_timeout = '2min'; SET lock_timeout = '10s'; SET client_min_messages = error"


class ProofDatabases:
    """The databases of one proof.

    Attributes:
        server: any URL of the server.
        shared: what its revisions have made that all databases of the server share.
    """

    def __init__(self, server: URL) -> None:
        self.server = server
        self.prefix = f"proof_{uuid4().hex[:8]}"
        self.numbers = itertools.count()
        self.names: list[URL] = []
        self.shared = SharedObjects()

    async def make(self) -> URL:
        """Return a new database, empty."""
        return await self._create("TEMPLATE template0")

    async def copy(self, source: URL) -> URL:
        """Return a copy of a database; nothing may be connected to it."""
        return await self._create(f"TEMPLATE {quoted_name(source)}")

    async def _create(self, how: str) -> URL:
        url = beside(self.server, f"{self.prefix}_{next(self.numbers)}")
        await run_on_server(url, f"CREATE DATABASE {quoted_name(url)} {how}")
        self.names.append(url)
        return url

    async def keep(self, *kept: URL | None) -> None:
        """Drop the other databases."""
        for url in [name for name in self.names if name not in kept]:
            await run_on_server(url, f"DROP DATABASE IF EXISTS {quoted_name(url)} WITH (FORCE)")
            self.names.remove(url)

    async def drop_roles(self, *kept: str) -> list[str]:
        """Drop the roles of revisions; return those that stay, each with the reason."""
        left = []
        for role in sorted(self.shared.roles.difference(kept)):
            name = quoted_name(self.server.set(database=role))
            try:
                await run_on_server(self.server, f"DROP ROLE IF EXISTS {name}")
            except Exception as error:  # noqa: BLE001 -- said, with what to run
                reason = next(iter(str(error).splitlines()), "")
                left.append(f"role {role} stays on the server ({reason}). Run: DROP ROLE {name}")
        self.shared.roles.intersection_update(kept)
        return left


@asynccontextmanager
async def scratch(server: URL) -> AsyncIterator[ProofDatabases]:
    """Yield a place for databases; those that are left are dropped at the end, and roles."""
    place = ProofDatabases(server)
    try:
        yield place
    finally:
        await place.keep()
        await place.drop_roles()


async def within(url: URL, work: Callable[[Connection], Result]) -> Result:
    """Do something by a connection of its own, and close it."""
    async with Database(url) as database, database.engine.connect() as connection:
        for limit in LIMITS.split("; "):
            await connection.execute(text(limit))
        await connection.commit()
        return await connection.run_sync(work)
