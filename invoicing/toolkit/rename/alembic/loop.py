"""Where the rename's coroutines run: in the migration's loop, or in one of its own in a thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from sqlalchemy.util import await_only

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sqlalchemy import Connection

_PATIENCE = 0.5


def run(connection: Connection, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `work` to its end: on an async engine in its loop, for a sync one in a thread.

    A thread, because a sync migration may be run where a loop runs already (a notebook). Ctrl-C
    cancels what runs in it, and waits until that has let go of its locks; a second one does not.
    """
    if connection.dialect.is_async:
        await_only(work())
        return
    done: Future[None] = Future()
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()

    async def noted() -> None:
        task = asyncio.current_task()
        if task is not None:
            begun.set_result((asyncio.get_running_loop(), task))
        await work()

    def body() -> None:
        try:
            done.set_result(asyncio.run(noted()))
        except BaseException as error:  # noqa: BLE001 -- it is raised where the migration is
            done.set_exception(error)

    Thread(target=body, name="invoicing rename", daemon=True).start()
    try:
        # Again and again: not on every platform does Ctrl-C end a wait.
        while not done.done():
            wait([done], timeout=_PATIENCE)
    except KeyboardInterrupt:
        loop, task = begun.result()
        # It may have ended by itself at the same moment.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)
        done.exception()
        raise
    done.result()
