"""What a click begins: run in the notebook's own loop, with its failure shown beside the button.

What a widget's callback prints or raises is lost, and it may be called in another thread's loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import ipywidgets
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import explain
from invoicing.errors import InvoicingError
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Callbacks:
    """Runs what widgets begin, and shows in one line what went wrong.

    Made where a loop runs: the notebook's.

    Attributes:
        message: the line, to stand beside the buttons.
    """

    def __init__(self) -> None:
        self.message = ipywidgets.HTML()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin `work` and return at once; from any thread."""

        def schedule() -> None:
            task = self._loop.create_task(self.reported(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(schedule)

    async def reported(self, work: Coroutine[None, None, None]) -> None:
        """Await `work`; what it raises becomes the message."""
        try:
            await work
        except InvoicingError as error:
            self._fail(str(error))
        except DBAPIError as error:
            self._fail(str(explain(error)))
        except Exception as error:  # noqa: BLE001 -- shown, for nothing else will
            first_line = next(iter(str(error).splitlines()), "")
            self._fail(f"{type(error).__name__}: {first_line}")

    def tell(self, text: str) -> None:
        """Let the message be `text`."""
        self.message.value = _shown(text)

    def _fail(self, text: str) -> None:
        self.message.value = f'<span style="color: var(--jp-error-color1)">{_shown(text)}</span>'

    async def end(self) -> None:
        """Cancel what is still at work, and wait for its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _shown(text: str) -> str:
    return escape(text.replace("\n", " "), quote=False)
