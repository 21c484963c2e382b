"""Show how far a long command has got, on stderr: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from invoicing.cli.output import errors
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECONDS_BETWEEN_LINES = 5.0


class ProgressStep(NamedTuple):
    """Where a command stands.

    Attributes:
        label: what is being done; another label begins another bar or line.
        done: how much of it; rows, where `total` is not known.
        total: of how much; None while it is unknown.
        note: anything more, such as a rate.
    """

    label: str
    done: int
    total: int | None = None
    note: str = ""


@contextmanager
def shown_progress() -> Iterator[Callable[[ProgressStep], None]]:
    """Yield a function that shows a step; call it as often as you like."""
    if not errors.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[share]}", markup=False),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        yield _Bars(progress)


class _Bars:
    """A bar for each label."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, step: ProgressStep) -> None:
        if step.label not in self._bars:
            self._stop_pulsing()
            self._bars[step.label] = self._progress.add_task(step.label, share="", note="")
        self._progress.update(
            self._bars[step.label],
            completed=step.done,
            total=step.total,
            share=_share(step),
            note=visible(step.note),
        )

    def _stop_pulsing(self) -> None:
        # A bar without a total never fills by itself; the step after it says that it has ended.
        for task in self._progress.tasks:
            if task.total is None:
                self._progress.update(task.id, total=task.completed)


class _Lines:
    """A line when a label is new, and every few seconds."""

    def __init__(self) -> None:
        self._label = ""
        self._next = 0.0

    def __call__(self, step: ProgressStep) -> None:
        if step.label == self._label and time.monotonic() < self._next:
            return
        self._label = step.label
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        text = f"{step.label}: {_share(step)}" + (f"; {step.note}" if step.note else "")
        errors.print(visible(text))


def _share(step: ProgressStep) -> str:
    return f"{step.done:,} rows" if step.total is None else f"{step.done:,} of {step.total:,}"
