"""`invoicing` in this process, which saves the time the imports take, or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, TextIO
from unittest.mock import patch

from invoicing.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
    """Run a command in a process of its own."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=check,
        timeout=300,
    )
