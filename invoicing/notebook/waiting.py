"""Wait in a cell so that interrupting the kernel works, and stops the work where it may stop.

A kernel notices an interrupt only when its event loop wakes, which a long wait for the server does
not do: it would go on for minutes after the click. A small task that wakes the loop five times a
second prevents that.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Result = TypeVar("Result")
_TICK = 0.2


@asynccontextmanager
async def interruptible() -> AsyncIterator[None]:
    """Let an interrupt of the kernel arrive within the block in well under a second."""
    ticker = asyncio.create_task(_tick())
    try:
        yield
    finally:
        ticker.cancel()


async def until_stopped(work: Awaitable[Result], stop: Callable[[], None]) -> Result:
    """Return what `work` returns; an interrupt calls `stop` and waits until `work` has ended.

    So the work ends where it may end (between two batches, say) and what it has written is whole.
    Whoever cancels a second time does not wait: `work` is then cancelled where it is.

    Raises:
        CancelledError: after the interrupt, when `work` has ended.
    """
    task = asyncio.ensure_future(work)
    async with interruptible():
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise
            stop()
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
            raise


async def _tick() -> None:
    while True:  # noqa: ASYNC110 -- waking is all it does
        await asyncio.sleep(_TICK)
