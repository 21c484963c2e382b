"""A block whose changes are only tried."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from invoicing.toolkit.rename.connection.pool import Connection


@asynccontextmanager
async def undone(connection: Connection) -> AsyncIterator[None]:
    """Roll back whatever the block has done."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        if not connection.is_closed():
            await transaction.rollback()
