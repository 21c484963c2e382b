"""Find the program's own lines that a statement comes from, through greenlets and awaits.

SQLAlchemy's asyncio runs its synchronous half in a greenlet, whose frames end at its own bottom;
the frames of the coroutine that awaits it are its parent's. A coroutine's frames lead up through
everything that awaits it, to its task. What a task was made from is not on its stack: where a
session's coroutine is itself the task, as in `gather(session.execute(...))`, the line at which the
recording task waits stands for it.
"""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from greenlet import getcurrent

from invoicing.toolkit.profiling.statement import Caller

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable
    from types import CodeType, FrameType

    Line = tuple[CodeType, int]
    # The own lines, the session's operations, and where the recording's task waits for another.
    CallerLines = tuple[list[Line], list[str], list[Line]]

# The transaction boundary is no more the caller than SQLAlchemy is.
SKIPPED_MODULES = (
    "invoicing.toolkit.profiling",
    "invoicing.db",
    "sqlalchemy",
    "asyncpg",
    "greenlet",
)
SKIPPED, ORM, OWN, OTHERS, LOOP = range(5)
# Always there: the finder's, the recording's, the listener's, and SQLAlchemy's of any execution.
FRAMES_BELOW = 6
WAYS_KEPT = 1000
# What the frames of the ORM tell, by the qualified names of its functions. The loaders' classes got
# their underscore in 2.1.
OPERATIONS = {
    "Session.get": "get",
    "Session.get_one": "get",
    "Session.merge": "merge",
    "Session.refresh": "refresh",
    "Session.flush": "flush",
    "Session.delete": "delete",
    "Session._autoflush": "autoflush",
    "Session.commit": "commit",
    "_SelectInLoader._load_for_path": "selectin",
    "SelectInLoader._load_for_path": "selectin",
    "Mapper._load_subclass_via_in.<locals>.do_load": "selectin",
    "_SubqueryLoader._SubqCollections._load": "subquery",
    "SubqueryLoader._SubqCollections._load": "subquery",
    "_ImmediateLoader._load_for_path": "immediate",
    "ImmediateLoader._load_for_path": "immediate",
}


class Found(NamedTuple):
    """What has been seen on the way up a stack."""

    own: list[Line]
    others: list[Line]
    operations: list[str]


class CallerFinder:
    """Walk a stack as far as needed, deciding once for each file whose it is.

    Args:
        skip: modules (with all below them) whose lines are not the caller's.
        depth: how many of the program's own lines to name.
        opener: the code that opened the recording: nothing beyond it is looked at.
        owner: the task that opened the recording, if any.
    """

    def __init__(
        self,
        skip: tuple[str, ...],
        depth: int,
        opener: CodeType | None,
        owner: Task[Any] | None,
    ) -> None:
        self._skip = SKIPPED_MODULES + skip
        self._depth = depth
        self._opener = opener
        self._owner = owner
        self._kinds = _known_kinds(self._skip)
        self._cells: dict[str, int | None] = {}
        self._ways: dict[str, tuple[int, CodeType, CodeType]] = {}
        self._callers: dict[tuple[str, int], Caller] = {}

    def find(self, text: str) -> CallerLines:
        """Return the own lines above, and the session's operations below the first of them.

        It has to be called by a listener to `before_cursor_execute`; `text` is the statement's.
        """
        found = Found([], [], [])
        greenlet = getcurrent()
        if greenlet.parent is None or not self._comes_a_known_way(text):
            first = sys._getframe(FRAMES_BELOW)
            if self._walk(first, found):
                return found.own, found.operations, self._awaited(found.own)
            if greenlet.parent is not None and not any(found):
                self._remember_way(text, first)
        while (greenlet := greenlet.parent) is not None:
            if self._walk(greenlet.gr_frame, found):
                break
        return (
            found.own or self._stand_in(found.others),
            found.operations,
            self._awaited(found.own),
        )

    def _awaited(self, own: list[Line]) -> list[Line]:
        # What the recording's own task sends comes from below what opened it.
        if not own or len(own) == self._depth or own[-1][0] is self._opener:
            return []
        return own_line_awaited(self._owner, self._kinds, self._learn)

    def _comes_a_known_way(self, text: str) -> bool:
        # A statement that is again as deep in its greenlet, with the same two functions at the
        # bottom, comes through the same others: they need not be looked at one by one.
        way = self._ways.get(text)
        if way is None:
            return False
        depth, last, above_last = way
        try:
            frame = sys._getframe(depth + 1)
        except ValueError:
            return False
        return (
            frame.f_back is None
            and frame.f_code is last
            and sys._getframe(depth).f_code is above_last
        )

    def _remember_way(self, text: str, frame: FrameType) -> None:
        depth, above = FRAMES_BELOW, frame
        while frame.f_back is not None:
            above, frame, depth = frame, frame.f_back, depth + 1
        if len(self._ways) < WAYS_KEPT:
            self._ways[text] = (depth, frame.f_code, above.f_code)

    def _walk(self, frame: FrameType | None, found: Found) -> bool:
        kind_of, opener, own = self._kinds.get, self._opener, found.own
        while frame is not None:
            code = frame.f_code
            kind = kind_of(code.co_filename)
            if kind is None:
                kind = self._learn(frame)
            if kind == SKIPPED:
                pass
            elif kind == OWN:
                own.append((code, frame.f_lineno))
                if code is opener or len(own) == self._depth:
                    return True
            elif kind == ORM:
                if code.co_qualname in OPERATIONS and not own:
                    found.operations.append(OPERATIONS[code.co_qualname])
            elif kind == LOOP:
                # Below is who runs the event loop, which is not who made this task.
                return True
            elif kind == OTHERS:
                found.others.append((code, frame.f_lineno))
            frame = frame.f_back
        return False

    def named(
        self, lines: CallerLines
    ) -> tuple[tuple[Caller, ...], tuple[str, ...], Caller | None]:
        """Return what `find` found in a form to be kept and shown."""
        stack: list[Caller] = []
        for line in lines[0]:
            caller = self._caller(*line)
            # A comprehension has a frame of its own, on the same line.
            if not stack or stack[-1] is not caller:
                stack.append(caller)
        return tuple(stack), tuple(lines[1]), self._caller(*lines[2][0]) if lines[2] else None

    def _stand_in(self, others: list[Line]) -> list[Line]:
        waiting = own_line_awaited(self._owner, self._kinds, self._learn)
        return waiting or others[:1]

    def _caller(self, code: CodeType, line: int) -> Caller:
        file = code.co_filename
        caller = self._callers.get((file, line))
        if caller is None:
            # A comprehension is a function of its own, which is not what its author calls it.
            function = code.co_qualname
            for inner in ("listcomp", "genexpr", "dictcomp", "setcomp", "lambda"):
                function = function.removesuffix(f".<locals>.<{inner}>")
            if file not in self._cells:
                self._cells[file] = _cell_number(file)
            caller = Caller(file, line, function, self._cells[file])
            self._callers[file, line] = caller
        return caller

    def _learn(self, frame: FrameType) -> int:
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))
        kind = _kind(file, module, self._skip)
        self._kinds[file] = kind
        return kind


def own_line_awaited(
    task: Task[Any] | None, kinds: dict[str, int], learn: Callable[[FrameType], int]
) -> list[Line]:
    """Return the innermost own line at which `task` waits, in a list; an empty one for none."""
    found: list[Line] = []
    awaited: Any = task.get_coro() if task is not None and not task.done() else None
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        if frame is None:
            break
        kind = kinds.get(frame.f_code.co_filename)
        if (learn(frame) if kind is None else kind) == OWN:
            found = [(frame.f_code, frame.f_lineno)]
        awaited = awaited.cr_await
    return found


def _kind(file: str, module: str, skip: tuple[str, ...]) -> int:
    if module.startswith("sqlalchemy.orm."):
        return ORM
    if module == "asyncio.events":
        return LOOP
    if any(module == name or module.startswith(f"{name}.") for name in skip):
        return SKIPPED
    if file.startswith("<"):
        # `python -c`, the prompt, doctest; but also what dataclasses and importlib generate.
        return OWN if module == "__main__" or file.startswith("<doctest") else SKIPPED
    if "site-packages" in file or "dist-packages" in file:
        return OTHERS
    return SKIPPED if file.startswith(_standard_library()) else OWN


@cache
def _known_kinds(skip: tuple[str, ...]) -> dict[str, int]:
    # Shared by all recordings that skip the same: a file is looked at once in a program's life.
    del skip
    return {}


@cache
def _standard_library() -> tuple[str, ...]:
    paths = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    # Python may have been started through a symbolic link.
    paths |= {str(Path(path).resolve()) for path in paths}
    return tuple(path.rstrip("/") + "/" for path in paths)


def _cell_number(file: str) -> int | None:
    # Asked of IPython only where something else has imported it: then this may be its kernel.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return None
    _, name = shell.compile.format_code_name(file) or ("", "")
    digits = name.removeprefix("In[").removesuffix("]")
    return int(digits) if name.startswith("In[") and digits.isdigit() else None
