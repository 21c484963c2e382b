"""Pick an account by a search box, in a notebook that is open in a browser."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import ipywidgets

from invoicing.notebook.callbacks import Callbacks
from invoicing.services import count_accounts, list_accounts
from invoicing.visible import plural, visible

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from invoicing.db import Database
    from invoicing.services import AccountSummary

SHOWN = 20


class AccountPicker:
    """A search box and a list of accounts; `show` is awaited with the id of the one picked.

    What `show` displays appears below the list, and what it raises beside it, in one line: what a
    widget's callback prints or raises is otherwise lost.

    Args:
        database: where to search.
        show: called with the account's id; returns what to display, or a list of it.
    """

    def __init__(self, database: Database, show: Callable[[UUID], Awaitable[Any]]) -> None:
        self._database = database
        self._show = show
        self._callbacks = Callbacks()
        self.message = self._callbacks.message
        self._advice = ""
        self.search = ipywidgets.Text(placeholder="part of a name", description="Search")
        self.accounts = ipywidgets.Dropdown(description="Account", layout={"width": "40em"})
        self.output = ipywidgets.Output()
        self.widget = ipywidgets.VBox(
            [ipywidgets.HBox([self.search, self.accounts]), self.message, self.output]
        )
        self.search.observe(lambda _: self._callbacks.start(self._find()), names="value")
        self.accounts.observe(lambda _: self._callbacks.start(self._display()), names="value")

    async def open(self) -> ipywidgets.VBox:
        """Fill the list and return the widget to show."""
        await self._callbacks.reported(self._find())
        return self.widget

    async def _find(self) -> None:
        search = self.search.value or None
        async with self._database.read_only() as session:
            found = await list_accounts(session, search=search, limit=SHOWN)
            total = await count_accounts(session, search=search)
        # The first is shown at once, which must not pass for the only match.
        undecided = bool(search) and total > 1
        self._advice = advice(len(found), total) if undecided or not found else ""
        self._callbacks.tell(self._advice)
        names = Counter(account.name for account in found)
        self.accounts.options = [
            (account_label(account, alone=names[account.name] == 1), account.id)
            for account in found
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
        self._callbacks.tell(self._advice)
        # Replaced as a whole: an output that is written to from a task would mix two answers.
        self.output.outputs = ()
        for output in shown if isinstance(shown, (list, tuple)) else [shown]:
            self.output.append_display_data(output)


def advice(shown: int, total: int) -> str:
    """Return what to say of a search that found `total` accounts, `shown` of which are listed."""
    if not total:
        return "no account has such a name"
    left = f", {shown} of them are listed" if shown < total else ""
    return f"{total:,} accounts have such a name{left}; check which is picked"


def account_label(account: AccountSummary, *, alone: bool) -> str:
    """Return what tells an account apart in the list; of two with one name, the id too."""
    name = visible(account.name) if alone else f"{visible(account.name)}, {account.id}"
    return f"{name} ({plural(account.invoices, 'invoice')})"
