"""Which commands start Python: what such a program sends to a database is not seen from here.

By the interpreter's name, or by the first line of a script; what a program starts in turn is not
looked at.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

_INTERPRETER = re.compile(r"(?:python|pypy)[0-9.]*w?(?:\.exe)?", re.IGNORECASE)
_FIRST_LINE = 200


def python_program(arguments: object, *, shell: bool = False) -> str | None:
    """Return a short name of the Python program that a command starts; None for any other.

    Args:
        arguments: as `subprocess.Popen` takes them.
        shell: whether a shell reads them, which may start several.
    """
    words = _words(arguments)
    for place, word in enumerate(words):
        if word == sys.executable or _INTERPRETER.fullmatch(Path(word).name):
            rest = words[place + 1 :]
            module = rest[1:2] if rest[:1] == ["-m"] else []
            scripts = [Path(each).name for each in rest if each.endswith(".py")]
            return next(iter([*module, *scripts]), Path(word).name)
        if _is_script(word):
            return Path(word).name
        if not shell:
            break
    return None


def _words(arguments: object) -> list[str]:
    if isinstance(arguments, str | bytes | os.PathLike):
        text = os.fsdecode(arguments)
        try:
            return shlex.split(text)
        except ValueError:  # a quote that is not closed: the shell will say so
            return text.split()
    return [os.fsdecode(each) for each in arguments]  # type: ignore[attr-defined]


def _is_script(word: str) -> bool:
    """Tell whether a word is a program on PATH whose first line names an interpreter of Python."""
    path = shutil.which(word)
    if path is None:
        return False
    try:
        with Path(path).open("rb") as file:
            start = file.readline(_FIRST_LINE)
    except OSError:
        return False
    return start.startswith(b"#!") and b"python" in start
