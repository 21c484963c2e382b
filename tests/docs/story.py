"""A page of the docs as a story: run from its first block to its last, in a folder of its own.

- A block with a title (``` ```python title="models.py" ```) is a file, written as it stands.
- A `console` block has commands behind `$ `, and what they print below them.
- Any other `python` block is run, with `await` as in a notebook; names stay from one to the next.

What a command prints is held to the page; what differs from run to run (times, sizes, ids) is
compared by its form.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cli.here import run_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
# What a shell would do more with than to part the words.
SHELL = re.compile(r"[|&;<>$`*?~]")
# What differs from run to run, and by what it is compared.
VOLATILE = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(\+\d\d(:?\d\d)?| UTC)?", "MOMENT"),
    (r'"(pid|dead_rows|table_bytes|index_bytes|old_write_age|rate|eta)": [^,\n]+', r'"\1": N'),
    (r"[\d,.]+ ?(ms|s|KB|MB|GB|kB|bytes)\b", "AMOUNT"),
    # A run that takes less than a second has no rate.
    (r"AMOUNT, \d[\d,.]* (rows )?a second", "AMOUNT"),
    (r"\d[\d,.]* rows (a second|/s)", "RATE"),
    (r"\bin [\d.]+s\b", "in TIME"),
    (r"[0-9a-f]{10,}", "KEY"),
    (r"dead rows +\d+", "dead rows"),
    (r"[ \u2500-\u257f]+", " "),
)


class Command(NamedTuple):
    """A command of a page, and what the page says it prints."""

    line: str
    shown: str


def commands_of(block: str) -> Iterator[Command]:
    """Yield the commands of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield Command(line, shown)


def same(text: str, other: str) -> bool:
    """Tell whether two outputs differ in nothing but what differs from run to run."""
    return _formed(text) == _formed(other)


def _formed(text: str) -> str:
    for pattern, form in VOLATILE:
        text = re.sub(pattern, form, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())


class Story:
    """One page, run in `folder` on the database at `url`."""

    def __init__(self, page: Path, folder: Path, url: URL) -> None:
        self.page = page
        self._folder = folder
        self._names: dict[str, Any] = {"__name__": "story"}
        self._environment = {
            **os.environ,
            "DATABASE_URL": url.set(drivername="postgresql").render_as_string(hide_password=False),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "INVOICING_HOME": str(folder / ".invoicing"),
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
        }

    async def run(self) -> str:
        """Run it, and return the page as it would have to be."""
        text = self.page.read_text(encoding="utf-8")
        new = ""
        end = 0
        for block in BLOCK.finditer(text):
            language, title, body = block.groups()
            new += text[end : block.start(3)]
            new += self._console(body) if language == "console" else body
            end = block.end(3)
            if title is not None:
                self._write(title, body)
            elif language == "python":
                await self._python(body)
        return new + text[end:]

    def _write(self, title: str, body: str) -> None:
        path = self._folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")

    def _console(self, body: str) -> str:
        new = ""
        for command in commands_of(body):
            said = self._shell(command.line)
            new += f"$ {command.line}\n"
            new += command.shown if same(command.shown, said) else said
        return new

    def _shell(self, line: str) -> str:
        program, *arguments = shlex.split(line)
        if program == "invoicing" and not SHELL.search(line):
            run = run_apart(self._environment, *arguments, cwd=self._folder)
        else:
            run = subprocess.run(
                ["/bin/sh", "-c", line],
                cwd=self._folder,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
            )
        assert run.returncode in {0, 1}, f"{line}\n{run.stdout}{run.stderr}"
        assert "Traceback" not in run.stdout + run.stderr, f"{line}\n{run.stdout}{run.stderr}"
        said = run.stdout.replace(str(self._folder), ".")
        return "".join(f"{row.rstrip()}\n" for row in said.splitlines())

    async def _python(self, body: str) -> None:
        code = compile(body, self.page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, self._names)
        if inspect.iscoroutine(result):
            await result
