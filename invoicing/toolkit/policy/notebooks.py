"""A notebook's code cells as Python: without IPython's magics, and with its lines in their places.

What a cell hands to another program (`%%bash`, `%%sql`) is no Python and is left out.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from importlib import import_module
from typing import Any

from invoicing.toolkit.policy.errors import NotebookError

# Their body is Python; what another cell magic is given is checked if it can be read as Python.
IN_PYTHON = {"time", "timeit", "capture", "prun", "memit", "mprun", "px", "snakeviz", "debug"}
ELSEWHERE = {
    "bash", "sh", "script", "cmd", "system", "sx", "!", "sql", "bigquery", "html", "HTML", "svg",
    "SVG", "js", "javascript", "latex", "markdown", "perl", "ruby", "R", "julia", "cython", "pypy",
    "python2", "writefile", "file",
}  # fmt: skip
CELL_MAGIC = re.compile(r"\s*%%(!|[\w.]+)")
TIMED = re.compile(r"(\s*)%(?:time|timeit(?:\s+-[nrtcpqo]\S*(?:\s+\d+)?)*)\s+(?=\S)")
SPECIAL = re.compile(r"\s*[%!?]|[^#]*\?\s*$")


def code_cells(content: bytes) -> list[str]:
    """Return the code of a notebook's cells.

    Raises:
        NotebookError: it is none; the message says why.
    """
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotebookError(str(error)) from None
    if not isinstance(notebook, dict):
        raise NotebookError("it holds no object")
    if _language(notebook) not in {"python", "ipython"}:
        return []
    # Before version 4 of the format, cells stood in worksheets.
    sheets = notebook.get("worksheets", ()) if "cells" not in notebook else ()
    held = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    cells = [cell for sheet in held or [notebook.get("cells")] for cell in _list(sheet, "cells")]
    return [_source(cell) for cell in cells if _kind(cell) == "code"]


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        place = metadata.get(part) if isinstance(metadata, dict) else None
        if isinstance(place, dict) and isinstance(place.get(key), str):
            return str(place[key]).lower()
    return "python"


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        reason = f"{what} is no list"
        raise NotebookError(reason)
    return value


def _kind(cell: object) -> object:
    if not isinstance(cell, dict):
        raise NotebookError("one of its cells is no object")
    return cell.get("cell_type")


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, str):
        return source
    lines = _list(source, "the source of a cell")
    if not all(isinstance(line, str) for line in lines):
        raise NotebookError("the source of a cell is no text")
    return "".join(lines)


def without_magics(text: str) -> list[str]:
    """Return what a cell's Python may be, the likeliest first; it is the first that parses.

    A `%` or `!` at a line's begin may also go on from the line above, so the cell comes as it is
    before its magics are taken out; IPython's own reading is asked last, as it costs an import.
    """
    head = CELL_MAGIC.match(text)
    if head is not None:
        if head[1] in ELSEWHERE:
            return [""]
        _, _, body = text[head.start(1) :].partition("\n")
        lines = text.count("\n", 0, head.start(1)) + 1
        wanted = ["\n" * lines + body, *without_magics("\n" * lines + body)]
        return wanted if head[1] in IN_PYTHON else [*wanted, ""]
    if not any(map(SPECIAL.match, text.splitlines())) and "%" not in text and "!" not in text:
        return [text]
    return [text, _commented(text), *_by_ipython(text)]


def _commented(text: str) -> str:
    """Return a cell with the lines that begin as a magic does as comments."""
    shown = []
    goes_on = False
    for line in text.splitlines():
        timed = TIMED.sub(r"\1", line)
        if timed != line and not goes_on:
            shown.append(timed)
            continue
        special = goes_on or SPECIAL.match(line) is not None
        goes_on = special and line.endswith("\\")
        indent = line[: len(line) - len(line.lstrip())]
        # `pass` keeps a block of nothing but magics one.
        shown.append(f"{indent}pass  # {line.strip().rstrip(chr(92))}" if special else line)
    return "\n".join(shown)


def _by_ipython(text: str) -> list[str]:
    changed: str | None = None
    # It is not there, or cannot read this: then it is not used.
    with suppress(Exception):
        manager = import_module("IPython.core.inputtransformer2").TransformerManager()
        changed = manager.transform_cell(text)
    if changed is None:
        return []
    begins = len(text) - len(text.lstrip("\n"))
    lines = ["\n"] * begins + changed.splitlines(keepends=True)
    # A magic of several lines has become one.
    for number, line in enumerate(text.splitlines()):
        if line.endswith("\\") and number < len(lines) and "get_ipython()" in lines[number]:
            lines.insert(number + 1, "\n")
    return ["".join(lines)]
