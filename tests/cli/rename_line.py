"""`invoicing rename` on one database: in this process, or at a terminal of its own."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
import time
from io import StringIO
from typing import TYPE_CHECKING

from tests.cli.here import MAIN, run_here
from tests.rename.faults import connect

if TYPE_CHECKING:
    from typing import Self

    from sqlalchemy.engine import URL

# Ctrl-C is for those whose terminal it is.
OURS = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
# A shell that runs pytest in the background has it ignore Ctrl-C, and children inherit that.
HEED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
NAMES = ["invoice", "amt", "amount_cents"]
ROWS = 3_000


def environment(url: URL) -> dict[str, str]:
    text = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return os.environ | {"DATABASE_URL": text, "COLUMNS": "300"}


class Keyboard(StringIO):
    """What is typed at a terminal; None where there is no terminal."""

    def __init__(self, typed: str | None) -> None:
        super().__init__(typed)
        self._typed = typed

    def isatty(self) -> bool:
        return self._typed is not None


class CommandLine:
    """Runs `invoicing` on one database, in this process: that saves the time the imports take."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def __call__(
        self, *arguments: str, typed: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run_here(environment(self.url), *arguments, stdin=Keyboard(typed))

    def rename(
        self, verb: str, *options: str, typed: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self("rename", verb, *NAMES, *options, typed=typed)

    def phase(self) -> str:
        return json.loads(self.rename("status", "--json").stdout)["phase"]

    def fetch(self, query: str) -> list[tuple]:
        async def ask() -> list[tuple]:
            connection = await connect(self.url)
            rows = [tuple(row) for row in await connection.fetch(query)]
            await connection.close()
            return rows

        return asyncio.run(ask())


def hinted(text: str) -> list[str]:
    """Return the arguments of the last command that was named."""
    (*_, line) = re.findall(r"(?<!\w)invoicing (rename .+?)\)?$", text, re.MULTILINE)
    return shlex.split(line)


class Terminal:
    """A command at a terminal: what it writes can be waited for, and answered."""

    def __init__(self, url: URL, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", OURS + HEED + MAIN, "rename", *arguments],
            env=environment(url) | {"TERM": "xterm", "COLUMNS": "200"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def wait_for(self, text: str) -> None:
        """Read until `text` is there, and leave what comes after it for the next call."""
        deadline = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            assert self._read(), self.shown
        self.shown = self.shown.split(text, 1)[1]

    def type(self, text: str) -> None:
        """Type it, as from the keyboard."""
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self._read():
            pass
        return self._process.wait(60)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 60)
        try:
            text = os.read(self._ours, 65536).decode(errors="replace") if ready else ""
        except OSError:  # the other side is closed
            return False
        self.shown += text
        return bool(text)
