"""Who has a practice database open: known by a lock that lives as long as its connection.

The lock is kept on the server's own database, so that it outlasts the practice database being
dropped and made anew, and is gone with a kernel that was killed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.db.url import beside
from invoicing.errors import InvoicingError

if TYPE_CHECKING:
    from sqlalchemy import TextClause
    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncConnection

_KEY = "hashtextextended('invoicing practice ' || CAST(:name AS text), 0)"
_JOIN = text(f"SELECT pg_try_advisory_lock_shared({_KEY})")
_OWN = text(f"SELECT pg_try_advisory_lock({_KEY})")
_LEAVE = text(f"SELECT pg_advisory_unlock_shared({_KEY})")
_DISOWN = text(f"SELECT pg_advisory_unlock({_KEY})")
_HOLDERS = text(f"""
SELECT DISTINCT l.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'HH24:MI')
FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = {_KEY}
""")  # noqa: S608 -- the key is a constant
_APPLICATION = "invoicing practice owner"


class PracticeShare:
    """A share in the practice database of a URL; whoever has the only one owns it.

    Args:
        url: of the practice database, which need not be there yet.
    """

    def __init__(self, url: URL) -> None:
        self._name = url.database
        server = Database(beside(url, "postgres"))
        settings = server.settings.model_copy(update={"application_name": _APPLICATION})
        self._server = server.with_settings(settings)
        self._connection: AsyncConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.release()

    async def join(self) -> bool:
        """Take a share beside others; False while another session owns it alone."""
        return bool(await self._ask(_JOIN))

    async def own(self) -> bool:
        """Own it alone; False while any other session has a share."""
        try:
            return bool(await self._ask(_OWN))
        except (DBAPIError, InvoicingError):
            # The server was started again, and with the connection the share has gone.
            await self.release()
            return bool(await self._ask(_OWN))

    async def disown(self) -> None:
        """Own it no longer; a share that was taken before or meanwhile is kept."""
        await self._ask(_DISOWN)

    async def leave(self) -> bool:
        """Give the share back, and return whether it was the last one, which then owns it."""
        if await self.own():
            return True
        await self._ask(_LEAVE)
        # Another session that leaves at the same moment has seen ours.
        return await self.own()

    async def holders(self) -> str:
        """Return the other sessions that have a share, to be named in a sentence."""
        connection = await self._connected()
        rows = await connection.execute(_HOLDERS, {"name": self._name})
        return ", ".join(f"pid {pid}, since {since or '?'} UTC" for pid, since in rows)

    async def release(self) -> None:
        """Let go of everything."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError, OSError):
                await connection.close()
        await self._server.dispose()

    async def _ask(self, question: TextClause) -> object:
        connection = await self._connected()
        return await connection.scalar(question, {"name": self._name})

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            engine = self._server.engine.execution_options(isolation_level="AUTOCOMMIT")
            self._connection = await engine.connect()
        return self._connection
