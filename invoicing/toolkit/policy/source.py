"""Read the files to be checked; what cannot be read is said, and the others still are.

Nothing is imported or run.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from invoicing.toolkit.policy.files import module_name, relative_path, why_unreadable
from invoicing.toolkit.policy.finding import Problem
from invoicing.toolkit.policy.newer import Comment, Read, read_by_newest
from invoicing.toolkit.policy.notebooks import code_cells, without_magics
from invoicing.toolkit.policy.spans import lines_of, statements_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_Read = TypeVar("_Read")
SUPPRESSION = re.compile(r"#\s*policy:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)(?:\s+--\s*(\S.*))?")


@dataclass(frozen=True)
class Suppression:
    """A comment that allows a rule to be broken by the statement beside or below it.

    Attributes:
        line: where it stands.
        applies_to: the lines it is for.
        slugs: the rules.
        reason: why; None where none is given.
    """

    line: int
    applies_to: range
    slugs: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True)
class SourceFile:
    """A file, parsed.

    Attributes:
        path: relative to the root, with slashes.
        module: its dotted name.
        text: its text.
        tree: its syntax.
        suppressions: its comments for the gate.
        by_newest: whether the newest Python of this machine has read it.
    """

    path: str
    module: str
    text: str
    tree: ast.Module
    suppressions: tuple[Suppression, ...]
    by_newest: bool = False


class Sources(NamedTuple):
    """What could be read of a file, a notebook's cells as one each, and what could not.

    Attributes:
        files: the file, or the cells.
        problems: what could not be read.
        asked_newest: whether the newest Python of this machine was asked.
    """

    files: list[SourceFile]
    problems: list[Problem]
    asked_newest: bool = False


def read_sources(path: Path, root: Path, given: bytes | None = None) -> Sources:
    """Read a file.

    Args:
        path: the file.
        root: the project's folder.
        given: what to read in place of what the file holds.
    """
    shown = relative_path(path, root)
    why = why_unreadable(path) if given is None else None
    if why is not None:
        return Sources([], [Problem(shown, 1, why)])

    def reading() -> Sources:
        content = path.read_bytes() if given is None else given
        if path.suffix == ".ipynb":
            return _cells(content, path.stem, shown)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = io.TextIOWrapper(io.BytesIO(content), encoding).read()
        file = _parse(shown, module_name(path, root), text)
        return Sources([file], [], file.by_newest)

    read = _or_problem(shown, reading)
    return Sources([], [read]) if isinstance(read, Problem) else read


def _or_problem(shown: str, reading: Callable[[], _Read]) -> _Read | Problem:
    """Read something; whatever it raises is what is wrong with it."""
    try:
        return reading()
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is said
        return _problem(shown, error)


def _problem(shown: str, error: Exception) -> Problem:
    if isinstance(error, SyntaxError):
        return Problem(shown, error.lineno or 1, f"syntax error: {error.msg}")
    if isinstance(error, RecursionError):
        return Problem(shown, 1, "it is nested too deeply")
    if isinstance(error, OSError):
        return Problem(shown, 1, error.strerror or str(error))
    return Problem(shown, 1, str(error) or type(error).__name__)


def parse(text: str, *, newest: bool = True) -> Read:
    """Parse a text by the running Python, or by a newer one where that knows more.

    Args:
        text: Python.
        newest: whether a newer one is asked at all.

    Raises:
        SyntaxError: no interpreter here can read it.
        ValueError: it holds null bytes.
        RecursionError: it is nested too deeply.
    """
    with warnings.catch_warnings():
        # An invalid escape in a string is no rule's business.
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            if not newest:
                raise
            return read_by_newest(text, error)
    return Read(tree, list(_comments(text)))


def _parse(path: str, module: str, text: str, *, newest: bool = True) -> SourceFile:
    read = parse(text, newest=newest)
    suppressions = tuple(_suppressions(text, read))
    return SourceFile(path, module, text, read.tree, suppressions, read.by_newest)


def _cells(content: bytes, module: str, shown: str) -> Sources:
    # One module: a later cell knows what an earlier one has imported.
    files: list[SourceFile] = []
    problems: list[Problem] = []
    imports: list[ast.stmt] = []
    for number, text in enumerate(code_cells(content), 1):
        cell = _cell(f"{shown}[{number}]", module, text)
        if isinstance(cell, Problem):
            problems.append(cell)
            continue
        own = [node for node in cell.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        cell.tree.body[:0] = imports
        imports += own
        files.append(cell)
    return Sources(files, problems, any(file.by_newest for file in files))


def _cell(path: str, module: str, text: str) -> SourceFile | Problem:
    problems = []
    readings = without_magics(text)
    for newest in (False, True):
        for python in readings:
            read = _or_problem(path, partial(_parse, path, module, python, newest=newest))
            if not isinstance(read, Problem):
                return read
            problems.append(read)
    # The reading that went furthest says most.
    return max(problems, key=lambda problem: problem.line)


def _comments(text: str) -> Iterator[Comment]:
    """Return the comments, where one may be for the gate; a string that looks like one is none."""
    if "policy:" not in text:
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string, token.start


def _suppressions(text: str, read: Read) -> Iterator[Suppression]:
    found = [(SUPPRESSION.search(comment), *place) for comment, place in read.comments]
    statements = statements_of(read.tree) if any(match for match, *_ in found) else []
    # As the tokenizer counts them: a form feed ends no line.
    lines = re.split(r"\r\n|\r|\n", text)
    for match, line, column in found:
        if match:
            slugs = tuple(re.split(r"\s*,\s*", match[1]))
            applies = lines_of(line, column, lines, statements)
            yield Suppression(line, applies, slugs, match[2])
