"""A pool of connections that serves its waiters in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

from invoicing.db.errors import PoolExhaustedError

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry


class FairPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, in which a connection that comes free goes to whoever waits longest.

    Its own queue gives it to whichever task asks next, so that among busy tasks some wait for ever.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._turns = _Turns(self.size() + self._max_overflow)

    def _do_get(self) -> ConnectionPoolEntry:
        if not self._turns.take_now():
            waiting = self._turns.waiting
            try:
                await_only(self._turns.wait(self._timeout))
            except TimeoutError:
                size = self.size()
                raise PoolExhaustedError(
                    size + self._max_overflow, waiting, self._timeout, size
                ) from None
        try:
            return super()._do_get()
        except BaseException:
            self._turns.give()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            self._turns.give()


class _Turns:
    """So many places; whoever finds none free waits in a line."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._line)

    def take_now(self) -> bool:
        """Take a place if one is free and no task waits for it."""
        if self._free < 1 or self._line:
            return False
        self._free -= 1
        return True

    async def wait(self, seconds: float) -> None:
        """Take a place when it is our turn."""
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.give()
            else:
                with suppress(ValueError):  # on its way to us: the next one gets it
                    self._line.remove(turn)
            raise

    def give(self) -> None:
        """Give a place back, from any thread: a lost session's comes from the garbage collector."""
        while self._line:
            turn = self._line.popleft()
            with suppress(RuntimeError):  # its loop is closed
                turn.get_loop().call_soon_threadsafe(self._hand_over, turn)
                return
        self._free += 1

    def _hand_over(self, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self.give()
        else:
            turn.set_result(None)
