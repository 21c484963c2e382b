"""The two consoles, and how a command opens the database."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from invoicing.db.session import Database
from invoicing.postgres import database_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# A pipe or a log has no width of its own; a table cut at 80 columns would lose its figures.
console = Console(width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True, soft_wrap=True)


@asynccontextmanager
async def open_database() -> AsyncIterator[Database]:
    """Yield the database that DATABASE_URL names, or the embedded one, started if need be."""
    async with Database(database_url()) as database:
        yield database
