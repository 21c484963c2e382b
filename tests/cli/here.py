"""`invoicing` in this process, which saves the time the imports take, or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TextIO
from unittest.mock import patch

from invoicing.cli.main import main
from tests.cli.forked import run_forked

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIN = "from invoicing.cli.main import main; main()"
PROGRAM = (sys.executable, "-c", MAIN)


def run_here(
    environment: Mapping[str, str], *arguments: str, stdin: TextIO | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment, and return how it ended."""
    command = ["invoicing", *arguments]
    code, out, err = 0, StringIO(), StringIO()
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", command),
        patch.object(sys, "stdin", stdin or sys.stdin),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def run_apart(
    environment: Mapping[str, str],
    *arguments: object,
    cwd: Path | None = None,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own.

    Raises:
        subprocess.CalledProcessError: it failed, and `check` says that it may not.
    """
    command = ["invoicing", *map(str, arguments)]
    with TemporaryFile() as out, TemporaryFile() as err, Path(os.devnull).open("rb") as nothing:
        streams = [nothing.fileno(), out.fileno(), err.fileno()]
        code = run_forked(environment, command[1:], cwd or Path.cwd(), streams)
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
    run = subprocess.CompletedProcess(command, code, *said)
    if check:
        run.check_returncode()
    return run
