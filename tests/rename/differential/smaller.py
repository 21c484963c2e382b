"""An example that differs, made as small as it can be: what it does not need is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.rename.differential.judge import DifferenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.rename.differential.case import Case

_NOTHING = {"settings": {}, "changes": (), "operator": "", "role": ""}


def smaller(case: Case, kind: str, judge: Callable[[Case], None]) -> Case:
    """Return the smallest example with a difference of the same kind."""
    found = True
    while found:
        found = False
        for candidate in _candidates(case):
            if _kind(candidate, judge) == kind:
                case, found = candidate, True
                break
    return case


def _candidates(case: Case) -> Iterator[Case]:
    """Return what lacks one thing, the largest things first."""
    for name, nothing in _NOTHING.items():
        if getattr(case, name) != nothing:
            yield replace(case, **{name: nothing})
    for window, work in case.work.items():
        if work:
            yield replace(case, work=case.work | {window: ()})
    count = len(case.parts)
    for size in (8, 4, 2, 1):
        for first in range(count - size, 1, -size):
            yield replace(case, parts=case.parts[:first] + case.parts[first + size :])
    for window, work in case.work.items():
        for place in range(len(work) if len(work) > 1 else 0):
            rest = work[:place] + work[place + 1 :]
            yield replace(case, work=case.work | {window: rest})


def _kind(case: Case, judge: Callable[[Case], None]) -> str | None:
    try:
        judge(case)
    except DifferenceError as error:
        return error.kind
    return None
