"""Pause, resume and throttle a backfill by buttons, whoever runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from invoicing.errors import UsageError
from invoicing.toolkit.rename import Phase
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from invoicing.notebook.callbacks import Callbacks
    from invoicing.toolkit.rename import LiveSettings, Rename, Status

# Phases in which there is, or will be, a backfill to set something for.
_OPEN = frozenset({Phase.EXPANDING, Phase.EXPANDED, Phase.BACKFILLING})
_FIELDS = {
    "batch_size": "Rows in a batch",
    "pause": "Rest after a batch, s",
    "target": "A batch may take, s",
    "max_replica_lag": "A replica may lag, s",
}


class SpeedControls:
    """Buttons and fields beside those of the phases.

    Args:
        rename: whose backfill.
        callbacks: run what a click begins.
        look: awaited after each change, to show it.
    """

    def __init__(
        self, rename: Rename, callbacks: Callbacks, look: Callable[[], Awaitable[None]]
    ) -> None:
        self._rename, self._callbacks, self._look = rename, callbacks, look
        wide = {"description_width": "initial"}
        self.fields = {
            name: ipywidgets.Text(
                description=label, placeholder="as it is", style=wide, layout={"width": "240px"}
            )
            for name, label in _FIELDS.items()
        }
        self.buttons = {
            name: ipywidgets.Button(description=label, disabled=True)
            for name, label in {
                "pause": "Pause",
                "resume": "Resume",
                "throttle": "Throttle",
                "reset": "Full speed",
            }.items()
        }
        actions = {
            "pause": rename.pause,
            "resume": rename.resume,
            "throttle": self._throttle,
            "reset": lambda: rename.throttle(reset=True),
        }
        for name, action in actions.items():
            self.buttons[name].on_click(self._clicked(name, action))
        layout = {"flex_flow": "row wrap"}
        parts = [*self.buttons.values(), *self.fields.values()]
        self.widget = ipywidgets.HBox(parts, layout=layout)

    def offer(self, status: Status | None) -> None:
        """Let what can be set now be set; None for nothing, while that is not known."""
        there = status is not None and status.phase in _OPEN
        paused = status is not None and status.paused
        for name, button in self.buttons.items():
            button.disabled = not there or (name == "pause" and paused)
        self.buttons["resume"].disabled = not there or not paused
        self.buttons["resume"].button_style = "primary" if there and paused else ""
        for field in self.fields.values():
            field.disabled = not there
        if status is not None:
            self.widget.layout.display = "" if there else "none"

    def _clicked(
        self, name: str, action: Callable[[], Awaitable[LiveSettings]]
    ) -> Callable[[object], None]:
        async def work() -> None:
            try:
                settings = visible(str(await action())) or "as its own options say"
                self._callbacks.tell(f"The backfill: {settings}. It is read within a second")
            finally:
                await self._look()

        def clicked(_: object) -> None:
            self.buttons[name].disabled = True
            self._callbacks.start(work())

        return clicked

    async def _throttle(self) -> LiveSettings:
        given: dict[str, Any] = {
            name: _number(field) for name, field in self.fields.items() if field.value.strip()
        }
        if not given:
            message = "nothing to set: fill in one of the fields beside Throttle"
            raise UsageError(message)
        rows = given.pop("batch_size", None)
        if rows is not None and not rows.is_integer():
            message = f"{_FIELDS['batch_size']}: {rows:g} is no whole number. Nothing was set"
            raise UsageError(message)
        settings = await self._rename.throttle(
            **given, batch_size=None if rows is None else int(rows)
        )
        for field in self.fields.values():
            field.value = ""
        return settings


def _number(field: ipywidgets.Text) -> float:
    try:
        number = float(field.value.replace(",", ""))
    except ValueError:
        number = float("nan")
    if not 0 <= number < float("inf"):
        message = f"{field.description}: {visible(field.value)!r} is not a number. Nothing was set"
        raise UsageError(message)
    return number
