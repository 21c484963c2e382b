"""Run a program as Python would, and record what it asks of its databases."""

from __future__ import annotations

import runpy
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.errors import ProgramMissingError
from invoicing.toolkit.profiling.recorder import Recorder, record_queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.toolkit.profiling.findings.thresholds import Thresholds

INTERRUPTED = 130


@dataclass(frozen=True)
class ProgramRun:
    """A program that has been run.

    Attributes:
        program: as it was named.
        exit_code: the program's own.
        recorder: what it asked.
    """

    program: str
    exit_code: int
    recorder: Recorder


def run_program(
    program: str,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    thresholds: Thresholds | None = None,
    allow: Iterable[str] = (),
) -> ProgramRun:
    """Run a script, or a module (`python -m`), in this process, as `__main__`.

    What it raises is printed as Python prints it. A program that ends by `os._exit` or by a signal
    takes the recording with it.

    Raises:
        ProgramMissingError: there is no such script or module.
    """
    if not module and not Path(program).is_file():
        raise ProgramMissingError(program, "script")
    recorder = record_queries(everywhere=True, thresholds=thresholds, allow=allow)
    before = sys.argv, sys.path[:], sys.modules.get("__main__")
    # As Python does: the script's folder first, or the current one for a module.
    sys.path.insert(0, str(Path.cwd() if module else Path(program).resolve().parent))
    sys.argv = [program, *arguments]
    try:
        with recorder:
            exit_code = _run(program, module=module)
    finally:
        sys.argv, sys.path[:] = before[:2]
        if before[2] is not None:
            sys.modules["__main__"] = before[2]
    return ProgramRun(program, exit_code, recorder)


def _run(program: str, *, module: bool) -> int:
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
