"""How far something has got: a bar that moves where a person watches, else one line at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
from IPython.display import display

from invoicing.notebook.confirm import is_attended
from invoicing.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


class ProgressDisplay:
    """A bar with facts beside it, between `with` and its end.

    It is a widget, whose last state outlives a reload of the page. Without anybody watching nothing
    moves: one line is printed at the end, with counts and no times, the same in every run.

    Args:
        title: what is being done.
        unit: what is counted.

    Attributes:
        ending: what to print at the end instead of the counts, where they differ from run to run.
    """

    def __init__(self, title: str, unit: str = "rows") -> None:
        self.title = title
        self.unit = unit
        self.done, self.total = 0, 0
        self.ending = ""
        self.bar = ipywidgets.FloatProgress(description=title, layout={"width": "100%"})
        self.facts = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([self.bar, self.facts])
        self._attended = is_attended()

    def __enter__(self) -> Self:
        if self._attended:
            display(self.widget)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self.bar.bar_style = "success" if kind is None else "danger"
        if not self._attended:
            print(visible(f"{self.title}: {self.ending or self.counts}"))

    @property
    def counts(self) -> str:
        """How many of how many."""
        return f"{self.done:,} of {self.total:,} {self.unit}"

    def show(self, done: int, total: int, facts: Mapping[str, str] | None = None) -> None:
        """Show that `done` of `total` are done, with `facts` beside the bar in their order."""
        self.done, self.total = done, total
        self.bar.max = max(total, 1)
        self.bar.value = done
        shown = {"done": self.counts} | dict(facts or {})
        self.facts.value = " &middot; ".join(
            f"{escape(name)} <b>{escape(value)}</b>" for name, value in shown.items()
        )
