"""Run a program as Python would, and record what it asks of its databases."""

from __future__ import annotations

import atexit
import runpy
import subprocess
import sys
import traceback
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial, wraps
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.profiling.errors import ProgramMissingError
from invoicing.toolkit.profiling.python_programs import python_program
from invoicing.toolkit.profiling.recorder import Recorder, record_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from invoicing.toolkit.profiling.findings.thresholds import Thresholds

INTERRUPTED = 130
_MULTIPROCESSING = "multiprocessing"


@dataclass(frozen=True)
class ProgramRun:
    """A program that has been run.

    Attributes:
        program: as it was named.
        exit_code: the program's own.
        recorder: what it asked.
        started: what started each process that it started: `multiprocessing`, or the name of
            a Python program.
    """

    program: str
    exit_code: int
    recorder: Recorder
    started: tuple[str, ...] = ()

    @property
    def not_recorded(self) -> tuple[str, ...]:
        """What of the program is missing in the recording."""
        counts = Counter(self.started)
        missing = []
        if pooled := counts.pop(_MULTIPROCESSING, 0):
            missing.append(_missing(pooled, "process", "processes", "by multiprocessing"))
        if counts:
            names = ", ".join(counts)
            missing.append(
                _missing(counts.total(), "Python program", "Python programs", f"({names})")
            )
        if not self.recorder.statements:
            missing.append(
                "No statement of SQLAlchemy was seen: what a program sends by a driver alone, such "
                "as sqlite3 or psycopg, is not recorded"
            )
        return tuple(missing)


def _missing(count: int, single: str, several: str, how: str) -> str:
    were = f"{single} was" if count == 1 else f"{several} were"
    sent = "what they sent is not recorded, and nothing is known of its waste"
    return f"{count:,} {were} started {how}: {sent}"


def run_program(
    program: str,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    thresholds: Thresholds | None = None,
    allow: Iterable[str] = (),
    explain: bool = False,
) -> ProgramRun:
    """Run a script, or a module (`python -m`), in this process, as `__main__`.

    What it raises is printed as Python prints it. What it registers with `atexit` runs before this
    returns, and is recorded; the processes that it starts are noted. A program that ends by
    `os._exit` or by a signal takes the recording with it.

    Raises:
        ProgramMissingError: there is no such script or module.
    """
    if not module and not Path(program).is_file():
        raise ProgramMissingError(program, "script")
    recorder = record_queries(everywhere=True, thresholds=thresholds, allow=allow, explain=explain)
    started: list[str] = []
    before = sys.argv, sys.path[:], sys.modules.get("__main__")
    # As Python does: the script's folder first, or the current one for a module.
    sys.path.insert(0, str(Path.cwd() if module else Path(program).resolve().parent))
    sys.argv = [program, *arguments]
    try:
        with recorder, _noting_processes(started):
            exit_code = _run(program, module=module)
    finally:
        sys.argv, sys.path[:] = before[:2]
        if before[2] is not None:
            sys.modules["__main__"] = before[2]
    return ProgramRun(program, exit_code, recorder, tuple(started))


@contextmanager
def _noting_processes(started: list[str]) -> Iterator[None]:
    def note_program(args: object = (), *_: object, **options: object) -> None:
        # Whatever is wrong with a command, Popen itself says.
        with suppress(OSError, TypeError, ValueError):
            name = python_program(args, shell=bool(options.get("shell")))
            started.extend([name] if name is not None else [])

    with (
        _calling_first(BaseProcess, "start", lambda: started.append(_MULTIPROCESSING)),
        _calling_first(subprocess.Popen, "__init__", note_program),
    ):
        yield


@contextmanager
def _calling_first(owner: type, name: str, first: Callable[..., object]) -> Iterator[None]:
    """Call something before a method, with the method's arguments."""
    original = getattr(owner, name)

    @wraps(original)
    def call(self: object, *args: object, **options: object) -> object:
        first(*args, **options)
        return original(self, *args, **options)

    setattr(owner, name, call)
    try:
        yield
    finally:
        setattr(owner, name, original)


class _ExitHandlers:
    """What a program registers with `atexit`, kept to be run where it is recorded."""

    def __init__(self) -> None:
        self._kept: list[tuple[Callable[..., object], Callable[[], object]]] = []
        self._before = atexit.register, atexit.unregister

    def __enter__(self) -> None:
        atexit.register = self._register  # type: ignore[assignment]
        atexit.unregister = self._unregister

    def _register(
        self, function: Callable[..., object], /, *args: Any, **options: Any
    ) -> Callable[..., object]:
        self._kept.append((function, partial(function, *args, **options)))
        return function

    def _unregister(self, function: Callable[..., object]) -> None:
        self._kept = [kept for kept in self._kept if kept[0] != function]
        self._before[1](function)

    def __exit__(self, *exc_info: object) -> None:
        try:
            # One of them may register another.
            while self._kept:
                _, call = self._kept.pop()
                try:
                    call()
                except Exception as error:  # noqa: BLE001 -- as Python does: the others run too
                    _print(error)
        finally:
            atexit.register, atexit.unregister = self._before


def _run(program: str, *, module: bool) -> int:
    with _ExitHandlers():
        return _run_main(program, module=module)


def _run_main(program: str, *, module: bool) -> int:
    try:
        if module:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program, run_name="__main__")
    except SystemExit as error:
        return _code(error.code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ImportError as error:
        if module and error.name in {None, program, program.partition(".")[0]}:
            raise ProgramMissingError(program, "module") from None
        _print(error)
        return 1
    except Exception as error:  # noqa: BLE001 -- whatever a program raises
        _print(error)
        return 1
    return 0


def _code(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    # As Python does with a message.
    sys.stderr.write(f"{code}\n")
    return 1


def _print(error: BaseException) -> None:
    # Without the frames of this module and of runpy, which the program knows nothing of.
    frame = error.__traceback__
    while frame is not None and _is_ours(frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    traceback.print_exception(type(error), error, frame)


def _is_ours(file: str) -> bool:
    return file == __file__ or file.startswith("<frozen runpy") or file.endswith("runpy.py")
