"""Apply the fixes of findings to a program while it runs, and run it until nothing is left."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import greenlet
from sqlalchemy import event, inspect
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Session

from invoicing.toolkit.profiling import record_queries
from invoicing.toolkit.profiling.findings.bulk_fix import BulkFix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from sqlalchemy.orm import ORMExecuteState

    from invoicing.toolkit.profiling import Finding, Fix
    from tests.profiling.corpus.cases import Case, Place

ROUNDS = 4


@dataclass
class Loop:
    """What became of a program whose fixes were applied, round by round.

    Attributes:
        rounds: the findings of each run; the first is of the program as it is.
        fixes: all that were applied.
        answers: what each run returned, as plain values.
        error: what the program raised with its fixes.
    """

    rounds: list[list[Finding]] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)
    error: str | None = None

    @property
    def left(self) -> list[Finding]:
        """Findings of the last run that name an option."""
        return [finding for finding in self.rounds[-1] if options_of(finding)]

    @property
    def same(self) -> bool:
        """Whether every run returned what the first did."""
        return not self.error and all(answer == self.answers[0] for answer in self.answers)

    @property
    def in_their_place(self) -> set[tuple[str, str | None]]:
        """What was found after fixes, and was not before."""
        before, *after = ({(each.slug, each.relationship) for each in run} for run in self.rounds)
        return set().union(*after) - before


def options_of(finding: Finding) -> list[Fix]:
    """Return its fixes that are applied to the program's own statement."""
    return [fix for fix in finding.fixes if not isinstance(fix, BulkFix) and fix.at]


async def closed_loop(case: Case, place: Place) -> Loop:
    """Run a program, apply what its findings name, and run it again, until they name nothing."""
    loop = Loop()
    while len(loop.rounds) <= ROUNDS:
        try:
            with applied(loop.fixes):
                findings, answer = await recorded(case, place)
        except Exception as error:  # noqa: BLE001 -- whatever a fix makes it raise
            loop.error = f"{type(error).__name__}: {error}"
            return loop
        loop.rounds.append(findings)
        loop.answers.append(answer)
        new = [fix for each in findings for fix in options_of(each) if fix not in loop.fixes]
        if not new:
            break
        loop.fixes += new
    return loop


async def recorded(case: Case, place: Place) -> tuple[list[Finding], object]:
    """Return what is found in one run, and its answer."""
    target = None if case.outside else place.engine
    async with record_queries(target, explain=case.explain) as recorder:
        answer = await case.run(place)
    if case.after is not None:
        case.after(answer)
    return recorder.findings, plain(answer)


@contextmanager
def applied(fixes: Iterable[Fix]) -> Iterator[None]:
    """Add each option to the statement at its line, for as long as this lasts."""

    def add(state: ORMExecuteState) -> None:
        if state.is_relationship_load or state.is_column_load or not fixes:
            return
        lines = {(frame.f_code.co_filename, frame.f_lineno) for frame in frames()}
        for fix in fixes:
            if fix.at is not None and (fix.at.file, fix.at.line) in lines:
                state.statement = fix.applied_to(state.statement)

    event.listen(Session, "do_orm_execute", add)
    try:
        yield
    finally:
        event.remove(Session, "do_orm_execute", add)


def frames() -> Iterator[FrameType]:
    """Yield what is running, in this greenlet and in those that wait for it."""
    current: Any = greenlet.getcurrent()
    frame = sys._getframe(1)
    while True:
        while frame is not None:
            yield frame
            frame = frame.f_back
        current = current.parent
        if current is None:
            return
        frame = current.gr_frame


def plain(answer: Any) -> object:
    """Return an answer as values that can be compared: objects by their class and key."""
    if isinstance(answer, dict):
        return {repr(plain(key)): plain(value) for key, value in answer.items()}
    if isinstance(answer, (set, frozenset)):
        return sorted(repr(plain(value)) for value in answer)
    if isinstance(answer, (list, tuple)):
        # Without ORDER BY any order is right, and loaders differ in it.
        return sorted((plain(value) for value in answer), key=repr)
    try:
        identity = inspect(answer).identity
    except (NoInspectionAvailable, AttributeError):
        return repr(answer) if isinstance(answer, (str, int, float, bytes)) else str(type(answer))
    return type(answer).__name__, identity
