"""`%%queries`: what a notebook's cell asks of its databases.

    %load_ext invoicing

    %%queries
    dashboard = await get_account_dashboard(session, account_id)

prints the cell's own output, then its statements and findings; the recording is `queries` in the
cells after it. A cell magic would be handed the cell as text, and could not run an `await` in it.
So the first line becomes a call that begins to record, the others stay what and where they are,
and the recording ends with the cell.
"""

from __future__ import annotations

import shlex
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any, NoReturn

from invoicing.toolkit.profiling.errors import QueriesMagicError
from invoicing.toolkit.profiling.recorder import Recorder, record_queries

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MAGIC = "%%queries"
NAME = "_invoicing_queries"


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise QueriesMagicError(message)


def load(shell: InteractiveShell) -> None:
    """Make `%%queries` known to a shell."""
    if NAME not in shell.user_ns_hidden:
        extension = QueriesMagic(shell)
        shell.user_ns[NAME] = shell.user_ns_hidden[NAME] = extension
        # Before IPython's own transformation, which would hand the cell over as text.
        shell.input_transformer_manager.cleanup_transforms.insert(0, begin_recording)
        shell.events.register("post_run_cell", extension.end)


def unload(shell: InteractiveShell) -> None:
    """Take it away again."""
    extension = shell.user_ns_hidden.pop(NAME, None)
    if extension is not None:
        shell.input_transformer_manager.cleanup_transforms.remove(begin_recording)
        shell.events.unregister("post_run_cell", extension.end)
        shell.user_ns.pop(NAME, None)


def begin_recording(lines: list[str]) -> list[str]:
    """Replace the magic's line by a call; every other line keeps its number."""
    first = next((place for place, line in enumerate(lines) if line.strip()), None)
    if first is None or lines[first].split(maxsplit=1)[0] != MAGIC:
        return lines
    arguments = lines[first].split(maxsplit=1)[1:] or [""]
    return [*lines[:first], f"{NAME}.begin({arguments[0].strip()!r})\n", *lines[first + 1 :]]


class QueriesMagic:
    """Record the cells that ask for it, one after the other."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._recorder: Recorder | None = None

    def begin(self, line: str) -> None:
        """Record until the cell ends.

        Raises:
            QueriesMagicError: the line is not understood.
        """
        parser = _Parser(prog=MAGIC, add_help=False)
        parser.add_argument("--allow", action="append", default=[])
        parser.add_argument("--parameters", action="store_true")
        chosen = parser.parse_args(shlex.split(line))
        self._recorder = record_queries(
            allow=chosen.allow, parameters=chosen.parameters, everywhere=True
        )
        # Not `with`: the cell's own lines follow, and the last of them may be an expression.
        self._recorder.__enter__()

    def end(self, _result: object = None) -> None:
        """Show what was recorded, whether the cell has failed or not."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        recorder.__exit__()
        self._shell.user_ns["queries"] = recorder
        self._display(recorder)

    def _display(self, recorder: Recorder) -> None:
        from IPython.display import display

        show: Any = display
        show(recorder)
