"""COPY through the driver itself, which SQLAlchemy has no words for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

Result = TypeVar("Result")


async def unless_lost(
    connection: asyncpg.Connection, copying: Coroutine[Any, Any, Result]
) -> Result:
    """Await a COPY of `connection`, and raise when the connection is lost meanwhile.

    asyncpg itself waits for ever when the server goes away while it was behind with reading.

    Raises:
        asyncpg.ConnectionDoesNotExistError: the connection was lost.
    """
    sending = asyncio.ensure_future(copying)
    lost = asyncio.Event()

    def stop(_connection: object) -> None:
        lost.set()
        sending.cancel()

    connection.add_termination_listener(stop)
    try:
        return await sending
    except asyncio.CancelledError:
        if not lost.is_set():
            sending.cancel()
            raise
        message = "the server closed the connection"
        raise asyncpg.ConnectionDoesNotExistError(message) from None
    finally:
        connection.remove_termination_listener(stop)
