"""Ask before something is done that a reader of a notebook should decide."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import ipywidgets
from IPython.core.getipython import get_ipython
from IPython.display import display

from invoicing.notebook.waiting import interruptible
from invoicing.toolkit.rename.consequences import is_typed
from invoicing.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Callable

YES_OR_NO = ("Yes, continue", "No")


def is_attended() -> bool:
    """Tell whether a person can click: none can in a kernel run by nbval, nbclient or papermill."""
    kernel = getattr(get_ipython(), "kernel", None)
    # What a front end sends with each cell: whether it could show a prompt.
    return bool(getattr(kernel, "_allow_stdin", False))


class Question:
    """A question with two buttons; with `typed`, only who has typed that text can say yes.

    Args:
        question: what to ask.
        typed: a text to type first, such as the name of what would be lost.
        answers: what stands on the two buttons.
    """

    def __init__(
        self, question: str, typed: str | None = None, answers: tuple[str, str] = YES_OR_NO
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[bool] = self._loop.create_future()
        self.typed = typed
        self.text = ipywidgets.Text(placeholder=f"type {visible(typed or '')}")
        self.yes = ipywidgets.Button(description=answers[0], button_style="primary")
        self.no = ipywidgets.Button(description=answers[1])
        self.message = ipywidgets.HTML(escape(question, quote=False))
        row = [self.yes, self.no] if typed is None else [self.text, self.yes, self.no]
        self.widget = ipywidgets.VBox([self.message, ipywidgets.HBox(row)])
        self.yes.disabled = typed is not None
        self.text.observe(self._compare, names="value")
        self.yes.on_click(self._settle(answer=True))
        self.no.on_click(self._settle(answer=False))

    async def answer(self) -> bool:
        """Wait for a click, and return whether it was yes."""
        async with interruptible():
            return await self.answered()

    async def answered(self) -> bool:
        """Wait for a click where no cell waits, so that there is nothing to interrupt."""
        answer = await self._answer
        for part in (self.text, self.yes, self.no):
            part.disabled = True
        chosen = self.yes.description if answer else self.no.description
        self.message.value = f"{self.message.value} &ndash; <b>{escape(chosen)}</b>"
        return answer

    def _compare(self, _: object) -> None:
        self.yes.disabled = not self._may_be_yes

    @property
    def _may_be_yes(self) -> bool:
        return self.typed is None or is_typed(self.text.value, self.typed)

    def withdraw(self) -> None:
        """Let the answer be no: the question does not arise any more."""
        if not self._answer.done():
            self._answer.set_result(False)

    def _settle(self, *, answer: bool) -> Callable[[object], None]:
        def settle() -> None:
            if not self._answer.done() and (not answer or self._may_be_yes):
                self._answer.set_result(answer)

        def clicked(_: object) -> None:
            # A callback may run in another thread's loop, and the cell waits in its own.
            self._loop.call_soon_threadsafe(settle)

        return clicked


async def confirm(
    question: str,
    *,
    unattended: bool | str,
    typed: str | None = None,
    answers: tuple[str, str] = YES_OR_NO,
) -> bool:
    """Ask `question` by two buttons and return the answer; ask nothing where no person can click.

    Args:
        question: what to ask.
        unattended: the answer where no person can click: a parameter of the notebook. Where there
            is a text to be typed, only that text is a yes.
        typed: a text that has to be typed before yes can be said.
        answers: what stands on the two buttons; the first one is yes.
    """
    if not is_attended():
        if typed is None:
            return bool(unattended)
        if isinstance(unattended, str) and is_typed(unattended, typed):
            return True
        why = f"this run cannot ask, and {visible(typed)} was not named"
        print(f"{visible(question)} No: {why}. Nothing was changed.")
        return False
    asked = Question(question, typed, answers)
    display(asked.widget)  # type: ignore[no-untyped-call]
    return await asked.answer()
