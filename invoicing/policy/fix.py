"""Mend what can safely be mended: the edits that findings bring."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from invoicing.policy.model import Edit, Finding


def fix(root: Path, findings: list[Finding]) -> tuple[int, list[str]]:
    """Change the files, and return how many findings are mended and in which files.

    A file that would not parse afterwards is left as it is; so is a notebook.
    """
    by_path: dict[str, list[Finding]] = defaultdict(list)
    for one in findings:
        if one.edits and not one.path.partition("[")[2]:
            by_path[one.path].append(one)
    mended, files = 0, []
    for name, found in by_path.items():
        path = root / name
        before = path.read_bytes()
        after = _applied(before, [edit for one in found for edit in one.edits])
        try:
            ast.parse(after)
        except (SyntaxError, ValueError):
            continue
        path.write_bytes(after)
        mended += len(found)
        files.append(name)
    return mended, files


def _applied(text: bytes, edits: list[Edit]) -> bytes:
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    # From the end, so that the places before stay right.
    for edit in sorted(set(edits), reverse=True):
        begin = starts[edit.line - 1] + edit.column
        end = starts[edit.end_line - 1] + edit.end_column
        text = text[:begin] + edit.text.encode() + text[end:]
    return text
