"""Count what really goes over the wire: a proxy between a client and PostgreSQL.

A round trip ends with the server's ReadyForQuery, which it sends once for each Sync ('S') and for
each simple Query ('Q') message of the client (PostgreSQL documentation, "Message Flow").
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

ENDS_ROUND_TRIP = frozenset(b"SQ")


@dataclass
class Wire:
    """A proxy's `url`, and what the client has sent through it since the last `reset()`."""

    url: URL
    messages: list[str] = field(default_factory=list)

    @property
    def round_trips(self) -> int:
        return sum(ord(message[0]) in ENDS_ROUND_TRIP for message in self.messages)

    def reset(self) -> None:
        self.messages.clear()


def recorded_statements(engine: AsyncEngine) -> list[str]:
    """Return a list that grows by each statement that the engine sends from now on."""
    statements: list[str] = []
    event.listen(
        engine.sync_engine,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: statements.append(statement),
    )
    return statements


@asynccontextmanager
async def counted_wire(server: URL) -> AsyncIterator[Wire]:
    """Yield a proxy to `server` that counts the messages of its clients."""
    with tempfile.TemporaryDirectory(prefix="wire") as folder:
        wire = Wire(server.set(host=None, port=None, query={"host": folder}))
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.current_task())
            up_reader, up_writer = await connect(server)
            try:
                await asyncio.gather(
                    forward_client(reader, up_writer, wire), forward(up_reader, writer)
                )
            finally:
                writer.close()
                up_writer.close()

        listener = await asyncio.start_unix_server(serve, str(Path(folder) / ".s.PGSQL.5432"))
        try:
            yield wire
        finally:
            listener.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def connect(server: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = server.query.get("port") or server.port or 5432
    host = server.query.get("host") or server.host or "localhost"
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, int(port))


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def forward_client(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire
) -> None:
    try:
        # The start-up message alone has no type byte.
        length = await reader.readexactly(4)
        writer.write(length + await reader.readexactly(int.from_bytes(length) - 4))
        while True:
            header = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(header[1:]) - 4)
            wire.messages.append(f"{chr(header[0])} {body[:200].decode(errors='replace')}")
            writer.write(header + body)
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()
