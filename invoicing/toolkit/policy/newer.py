"""Read syntax that the running Python does not know, by the newest interpreter of this machine.

It parses in a process of its own, which runs nothing of the text, and hands the tree back in plain
values; what the running Python has no node for becomes the nearest that it has: a `type` statement
an assignment, a template string a formatted one.
"""

from __future__ import annotations

import ast
import atexit
import marshal
import os
import re
import struct
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

# Stands for a node among plain values: its name, its place, its fields.
PROGRAM = r"""
import ast, io, marshal, struct, sys, tokenize, warnings
warnings.simplefilter("ignore")
def plain(node):
    if isinstance(node, ast.AST):
        place = tuple(getattr(node, name, 0) or 0 for name in
                      ("lineno", "col_offset", "end_lineno", "end_col_offset"))
        fields = {name: plain(getattr(node, name, None)) for name in node._fields}
        return ("node", type(node).__name__, place, fields)
    return [plain(item) for item in node] if isinstance(node, list) else node
def read(text):
    try:
        tree = plain(ast.parse(text))
        words = tokenize.generate_tokens(io.StringIO(text).readline)
        return tree, [(w.string, w.start) for w in words if w.type == tokenize.COMMENT]
    except SyntaxError as error:
        return error.msg, error.lineno or 1
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error), 1
while head := sys.stdin.buffer.read(4):
    answer = marshal.dumps(read(marshal.loads(sys.stdin.buffer.read(*struct.unpack("I", head)))), 2)
    sys.stdout.buffer.write(struct.pack("I", len(answer)) + answer)
    sys.stdout.buffer.flush()
"""
NAMED = re.compile(r"python3\.(\d+)(?:\.exe)?")
PLACE = ("lineno", "col_offset", "end_lineno", "end_col_offset")
OTHER_NODES = {"TemplateStr": "JoinedStr", "Interpolation": "FormattedValue", "TryStar": "Try"}


Comment = tuple[str, tuple[int, int]]


class Read(NamedTuple):
    """A text that was read.

    Attributes:
        tree: its syntax, in nodes of the running Python.
        comments: each with its line and column.
        by_newest: whether the newest Python of this machine read it, not the running one.
    """

    tree: ast.Module
    comments: list[Comment]
    by_newest: bool = False


class NewerSyntaxError(SyntaxError):
    """A text that no interpreter of this machine can read."""


def read_by_newest(text: str, error: SyntaxError) -> Read:
    """Read what the running Python could not.

    Args:
        text: what is to be read.
        error: why it could not be.

    Raises:
        NewerSyntaxError: the newest Python cannot either, or there is none that is newer.
    """
    newest = newest_python()
    running = ".".join(map(str, sys.version_info[:2]))
    if newest is None:
        message = f"{error.msg} (read by Python {running}; no newer one is here to ask)"
        raise NewerSyntaxError(message, (None, error.lineno, error.offset, None))
    minor, path = newest
    answer = _answer(path, text)
    if answer is None:
        message = f"{error.msg} (read by Python {running}; {path} gave no answer)"
        raise NewerSyntaxError(message, (None, error.lineno, error.offset, None))
    tree, more = answer
    if isinstance(tree, str):
        line = more if isinstance(more, int) else 1
        raise NewerSyntaxError(f"{tree} (read by Python 3.{minor})", (None, line, None, None))
    return Read(cast("ast.Module", _node(tree)), cast("list[Comment]", more), by_newest=True)


@cache
def newest_python() -> tuple[int, str] | None:
    """Return the minor version and the path of the newest Python here that is newer than this."""
    home = Path(os.environ.get("HOME") or os.environ.get("USERPROFILE") or "/nonexistent")
    kept = [home / ".pyenv/versions", home / ".local/share/uv/python", Path("/opt")]
    places = [folder for place in kept for folder in place.glob("*3.*/bin")]
    places += [Path(folder) for folder in os.get_exec_path() if folder]
    found = [
        (int(match[1]), str(file))
        for place in places
        for file in place.glob("python3.[0-9]*")
        if (match := NAMED.fullmatch(file.name)) and int(match[1]) > sys.version_info[1]
    ]
    # A name on PATH may be a shim that leads nowhere: each has to answer.
    found.sort(key=lambda each: -each[0])
    return next((each for each in found if _answer(each[1], "x = 1") is not None), None)


def _answer(path: str, text: str) -> tuple[object, object] | None:
    try:
        process = _process(path, os.getpid())
        if process.stdin is None or process.stdout is None:
            return None
        asked = marshal.dumps(text, 2)
        process.stdin.write(struct.pack("I", len(asked)) + asked)
        process.stdin.flush()
        (size,) = struct.unpack("I", process.stdout.read(4))
        answer: tuple[object, object] = marshal.loads(process.stdout.read(size))  # noqa: S302 -- of our own program
    except (OSError, ValueError, EOFError, struct.error):
        return None
    return answer


@cache
def _process(path: str, _reader: int) -> subprocess.Popen[bytes]:
    # One for each process that reads: what is forked does not share its pipes.
    command = [path, "-I", "-S", "-X", "utf8", "-c", PROGRAM]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # what was not sent has no reader any more
                pipe.close()


def _node(value: object) -> object:
    if isinstance(value, list):
        return [_node(item) for item in value]
    if not (isinstance(value, tuple) and value[:1] == ("node",)):
        return value
    _, name, place, given = value
    fields = {key: _node(item) for key, item in given.items()}
    if name == "TypeAlias":
        name = "Assign"
        fields = {"targets": [fields["name"]], "value": fields["value"], "type_comment": None}
    kind: type[ast.AST] = getattr(ast, name, None) or getattr(ast, OTHER_NODES.get(name, "Pass"))
    node = kind(**{key: item for key, item in fields.items() if key in kind._fields})
    for attribute, number in zip(PLACE, place, strict=True):
        setattr(node, attribute, number)
    return node
