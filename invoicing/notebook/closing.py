"""The end of a notebook whose widgets are still needed: closed by a click, not by Run All."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from invoicing.notebook.callbacks import Callbacks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def closing_button(close: Callable[[], Awaitable[str]], *, practice: bool) -> ipywidgets.VBox:
    """Return a button that closes the notebook once, and says what became of what it had open.

    Args:
        close: what to await; returns what became of the practice databases.
        practice: whether there are any.
    """
    callbacks = Callbacks()
    label = "Close and drop the practice databases" if practice else "Close the connections"
    button = ipywidgets.Button(description=label, layout={"width": "auto"})

    async def work() -> None:
        callbacks.tell("Closing ...")
        try:
            became = await close()
        except BaseException:
            button.disabled = False
            raise
        callbacks.tell(f"Closed. {became}{'. ' if became else ''}To begin again, run all cells")

    def clicked(_: object) -> None:
        button.disabled = True
        callbacks.start(work())

    button.on_click(clicked)
    return ipywidgets.VBox([button, callbacks.message])
