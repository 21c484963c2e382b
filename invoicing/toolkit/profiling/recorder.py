"""`record_queries`: what a block of code asks of its database."""

from __future__ import annotations

import asyncio
import logging
from inspect import currentframe
from typing import TYPE_CHECKING, Self

from sqlalchemy import Engine

from invoicing.toolkit.profiling.capture.capture import Capture
from invoicing.toolkit.profiling.capture.events import HERE, listen, stop_listening, unrecorded
from invoicing.toolkit.profiling.capture.explain import explain, explain_async
from invoicing.toolkit.profiling.capture.stack import CallerFinder
from invoicing.toolkit.profiling.capture.targets import engines_of
from invoicing.toolkit.profiling.errors import (
    ExplainError,
    RecorderInUseError,
    TooManyStatementsError,
    UnknownFindingError,
)
from invoicing.toolkit.profiling.findings.registry import SLUGS
from invoicing.toolkit.profiling.findings.thresholds import Thresholds
from invoicing.toolkit.profiling.recorded import Recorded
from invoicing.toolkit.profiling.sampling import Sampler
from invoicing.toolkit.profiling.tables import frame_of, html_of, lines_of, shown_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult

    from invoicing.toolkit.profiling.capture.explain import PlanQuestion, QueryPlan

_log = logging.getLogger(__name__)


class Recorder(Recorded):
    """The statements of a block of code; make one with `record_queries`.

    Attributes:
        lost: how often the recorder itself failed; the program did not notice, the first time is
            in the log.
        plans: with `explain`, the plan of each shape's first statement, by its number.
    """

    def __init__(
        self,
        target: object,
        thresholds: Thresholds,
        allow: tuple[str, ...],
        *,
        everywhere: bool,
        stack: tuple[tuple[str, ...], int],
        kept: dict[str, bool],
        sampler: Sampler | None = None,
    ) -> None:
        self.plans: dict[int, QueryPlan] = {}
        self.thresholds = thresholds
        self.allow = allow
        for slug in self.allow:
            if slug not in SLUGS:
                raise UnknownFindingError(slug, SLUGS)
        self._everywhere = everywhere
        self.lost = 0
        self._engines = engines_of(target)
        self._stack = stack
        self._kept = kept
        self._sampler = sampler
        self._capture = self._new_capture(None)
        self._open = False

    def assert_max_statements(self, limit: int) -> None:
        """Check that at most `limit` statements were sent.

        Raises:
            TooManyStatementsError: more were; it is an AssertionError too, and lists them.
        """
        __tracebackhide__ = True
        if len(self.statements) > limit:
            findings = [str(finding) for finding in self.findings]
            raise TooManyStatementsError(limit, lines_of(self.statements), findings)

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each statement; what is not known is missing."""
        return frame_of(self.statements)

    def _lose(self) -> None:
        # Said once, where logs are read: a warning might be an error to the program.
        self.lost += 1
        if self.lost == 1:
            _log.warning("a statement was not recorded completely", exc_info=True)

    def __len__(self) -> int:
        return self._capture.count

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return text_of(self)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        return shown_of(self, options.max_width)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __enter__(self) -> Self:
        engines = [engine for engine in self._engines if isinstance(engine, Engine)]
        if self._kept["explain"] and any(engine.dialect.is_async for engine in engines):
            raise ExplainError
        return self._enter(currentframe())

    def _enter(self, entered: FrameType | None) -> Self:
        if self._open:
            raise RecorderInUseError
        self._capture = self._new_capture(entered and entered.f_back)
        self.lost = 0
        self.plans = {}
        self._is_over, self._kept_judgement = False, None
        listen(self._capture, self._engines, everywhere=self._everywhere)
        self._open = True
        HERE.set((*HERE.get(), self._capture))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._open = False
        # Not by a token: a fixture may be left in another context than it was entered in.
        capture = self._capture
        HERE.set(tuple(other for other in HERE.get() if other is not capture))
        stop_listening(capture)
        with unrecorded():
            self.plans = explain(self._questions(is_async=False))
        self._is_over = True

    async def __aenter__(self) -> Self:
        return self._enter(currentframe())

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__()
        self._kept_judgement = None
        with unrecorded():
            self.plans |= await explain_async(self._questions(is_async=True))

    def _questions(self, *, is_async: bool) -> list[PlanQuestion]:
        questions = self._capture.questions
        return [question for question in questions if question.engine.dialect.is_async is is_async]

    def _new_capture(self, frame: FrameType | None) -> Capture:
        try:
            owner = asyncio.current_task()
        except RuntimeError:
            owner = None
        finder = CallerFinder(*self._stack, frame and frame.f_code, owner)
        takes = self._sampler.takes if self._sampler is not None else None
        return Capture(finder, **self._kept, takes=takes, lose=self._lose)


def record_queries(  # noqa: PLR0913 -- each by its name, and none needed
    target: object = None,
    *,
    parameters: bool = False,
    skip: tuple[str, ...] = (),
    depth: int = 5,
    everywhere: bool = False,
    wire: bool = True,
    thresholds: Thresholds | None = None,
    allow: Iterable[str] = (),
    explain: bool = False,
    sample: float | None = None,
) -> Recorder:
    """Record the statements of a block of code.

    Use it as `async with record_queries(engine) as recorder:`; a plain `with` does as well.

    What belongs to the block is what its task does, the tasks it starts (`gather`, `create_task`),
    `asyncio.to_thread` and what it submits to a `ThreadPoolExecutor`; a thread made by hand does
    not, nor a task that was there before. Two
    blocks in two tasks do not mix; nested blocks both record.

    Args:
        target: whose statements: an engine, connection, session, sessionmaker (all of them async
            or not) or a Database; every engine's if None.
        parameters: whether to keep values, of parameters that have a name which sounds harmless.
        skip: modules whose lines are never the caller's, with all that is below them.
        depth: how many of the caller's own lines to keep for each statement.
        everywhere: record every task and thread, instead of this block's.
        wire: whether to count requests and bytes, where the driver lets itself be listened to.
        thresholds: from which size on something is a finding.
        allow: slugs of findings to leave out; a comment `# profile: allow SLUG -- why` leaves out
            one at its line.
        explain: whether to ask PostgreSQL afterwards, on another connection, how it answered each
            shape of what was read; each runs once more for that. See `Recorder.plans`.
        sample: a share of the units of work to record, by chance: 0.1 is every tenth. What is left
            out costs next to nothing, and what a finding takes several units to see is rarer.

    Raises:
        SampleError: `sample` is no share.
        ProfilingTargetError: `target` leads to no engine.
        UnknownFindingError: `allow` has a slug that is none.
    """
    return Recorder(
        target,
        thresholds or Thresholds(),
        tuple(allow),
        everywhere=everywhere,
        stack=(skip, depth),
        kept={"parameters": parameters, "wire": wire, "explain": explain},
        sampler=None if sample is None else Sampler(sample),
    )
