"""Pick an account by a search box, in a notebook that is open in a browser."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import ipywidgets

from invoicing.errors import InvoicingError
from invoicing.services import list_accounts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from invoicing.db import Database

SHOWN = 20


class AccountPicker:
    """A search box and a list of accounts; `show` is awaited with the id of the one picked.

    What `show` displays appears below the list, and what it raises beside it, in one line: what a
    widget's callback prints or raises is otherwise lost.

    Args:
        database: where to search.
        show: called with the account's id; returns what to display.
    """

    def __init__(self, database: Database, show: Callable[[UUID], Awaitable[Any]]) -> None:
        self._database = database
        self._show = show
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.search = ipywidgets.Text(placeholder="part of a name", description="Search")
        self.accounts = ipywidgets.Dropdown(description="Account", layout={"width": "40em"})
        self.message = ipywidgets.Label()
        self.output = ipywidgets.Output()
        self.widget = ipywidgets.VBox(
            [ipywidgets.HBox([self.search, self.accounts]), self.message, self.output]
        )
        self.search.observe(lambda _: self._start(self._find()), names="value")
        self.accounts.observe(lambda _: self._start(self._display()), names="value")

    async def open(self) -> ipywidgets.VBox:
        """Fill the list and return the widget to show."""
        await self._guarded(self._find())
        return self.widget

    def _start(self, work: Awaitable[None]) -> None:
        # A callback may run in another thread's loop; the work belongs to the notebook's own.
        def schedule() -> None:
            task = self._loop.create_task(self._guarded(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(schedule)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except InvoicingError as error:
            self.message.value = str(error)
        except Exception as error:  # noqa: BLE001 -- shown, for nobody else will
            first_line = next(iter(str(error).splitlines()), "")
            self.message.value = f"{type(error).__name__}: {first_line}"

    async def _find(self) -> None:
        async with self._database.read_only() as session:
            found = await list_accounts(session, search=self.search.value or None, limit=SHOWN)
        self.message.value = "" if found else "no account has such a name"
        self.accounts.options = [
            (f"{account.name} ({account.invoices:,} invoices)", account.id) for account in found
        ]
        self.accounts.index = 0 if found else None

    async def _display(self) -> None:
        picked = self.accounts.value
        if picked is None:
            self.output.outputs = ()
            return
        shown = await self._show(picked)
        if picked != self.accounts.value:
            return  # another one was picked meanwhile, and is shown or will be
        self.message.value = ""
        # Replaced as a whole: an output that is written to from a task would mix two answers.
        self.output.outputs = ()
        self.output.append_display_data(shown)
