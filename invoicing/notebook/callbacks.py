"""What a click begins: run in the notebook's own loop, with its failure shown beside the button.

What a widget's callback prints or raises is lost, and it may be called in another thread's loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import ipywidgets
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import explain
from invoicing.errors import ConnectionLostError, DatabaseUnavailableError, InvoicingError
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Callbacks:
    """Runs what widgets begin, and shows in one line what went wrong.

    Made where a loop runs: the notebook's.

    Attributes:
        message: the line, to stand beside the buttons.

    Args:
        spoken: whether a screen reader says a message when it changes.
    """

    def __init__(self, *, spoken: bool = False) -> None:
        self._spoken = spoken
        self.message = ipywidgets.HTML()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin `work` and return at once; from any thread. After the end it is not begun."""

        def schedule() -> None:
            if self._ended:
                work.close()
                return
            task = self._loop.create_task(self.reported(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(schedule)

    async def reported(self, work: Coroutine[None, None, None]) -> None:
        """Await `work`; what it raises becomes the message."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 -- shown, for nothing else will
            self.fail(reason_of(error))

    def tell(self, text: str) -> None:
        """Let the message be `text`."""
        shown = _shown(text)
        self.message.value = f'<span role="status">{shown}</span>' if self._spoken else shown

    def fail(self, text: str) -> None:
        """Let the message be what went wrong."""
        role = ' role="alert"' if self._spoken else ""
        style = "color: var(--jp-error-color1)"
        self.message.value = f'<span{role} style="{style}">{_shown(text)}</span>'

    async def end(self) -> None:
        """Cancel what is at work, and wait for its end; what is clicked later does nothing."""
        self._ended = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def is_away(error: BaseException) -> bool:
    """Tell whether the database was not reached: what failed may be tried again."""
    known = explain(error) if isinstance(error, DBAPIError) else error
    return isinstance(known, (DatabaseUnavailableError, ConnectionLostError))


def reason_of(error: BaseException) -> str:
    """Return in one line what went wrong."""
    if isinstance(error, InvoicingError):
        return str(error)
    if isinstance(error, DBAPIError):
        return str(explain(error))
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line}"


def _shown(text: str) -> str:
    return escape(text.replace("\n", " "), quote=False)
