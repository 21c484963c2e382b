"""How a notebook comes to its database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from invoicing.db import Database
from invoicing.db.migrations import current_revision
from invoicing.db.refusal import UNDEFINED_TABLE
from invoicing.errors import SchemaMissingError
from invoicing.postgres import database_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def open_database(url: str | URL | None = None) -> Database:
    """Return the database at `url`, else at DATABASE_URL, else the embedded server's.

    The embedded server is started if need be, in a thread, so that the kernel stays responsive.
    Close it in the notebook's last cell: `await database.dispose()`.

    Raises:
        SchemaMissingError: no migration has run there; it says what to run.
        DatabaseUnavailableError: it cannot be reached.
    """
    database = Database(await asyncio.to_thread(database_url) if url is None else url)
    if await current_revision(database) is None:
        await database.dispose()
        raise SchemaMissingError(UNDEFINED_TABLE, f"{database.shown_url} has no tables of ours")
    return database
