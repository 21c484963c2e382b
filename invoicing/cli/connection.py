"""How a command opens the database."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from invoicing.db.session import Database
from invoicing.toolkit.postgres import database_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def open_database() -> AsyncIterator[Database]:
    """Yield the database that DATABASE_URL names, or the embedded one, started if need be.

    Read-only sessions read from a standby, where the environment names one.
    """
    async with Database.routed(database_url()) as database:
        yield database
