"""The lines that differ from a commit, as git says: findings elsewhere are not this change's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.errors import DiffBaseError
from invoicing.toolkit.policy.finding import file_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding

HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")
# As git writes a name with a quote, a backslash or a control character.
ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
LETTERS = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13}
UNQUOTED = ("-c", "core.quotePath=off")
SECONDS = 60.0


def on_changed_lines(
    root: Path, base: str, findings: Iterable[PolicyFinding]
) -> Iterator[PolicyFinding]:
    """Return the findings on lines that are not as they were where the branch began.

    A cell of a notebook has no line in its file: any change of the notebook counts.

    Args:
        root: what the paths of findings begin from.
        base: a commit, such as `origin/main`; what counts is where it and HEAD part.
        findings: what a check has found.

    Raises:
        DiffBaseError: git is not there, or cannot compare.
    """
    changed = changed_lines(root, base)
    for finding in findings:
        path = file_of(finding.path)
        lines = changed.get((root / path).resolve(), ())
        if lines and (path != finding.path or any(finding.line in each for each in lines)):
            yield finding


def changed_lines(root: Path, base: str) -> dict[Path, list[range]]:
    """Return each file that differs, with the lines that do."""
    top = Path(_git(root, base, "rev-parse", "--show-toplevel").removesuffix("\n"))
    begin = _git(root, base, "merge-base", "--end-of-options", base, "HEAD").strip()
    # `diff-index`, for a person's settings of `diff` (colours, context, external programs) count
    # for `git diff`. It sees what is not committed; untracked files are listed below.
    options = (
        *("--patch", "--no-color", "--unified=0", "--no-ext-diff", "--no-textconv"),
        *("--find-renames", "--dst-prefix=b/"),
    )
    changed: dict[Path, list[range]] = {}
    path, is_header = top, False
    # A line of the file may hold any other end of a line, or look like a header.
    for line in _git(top, base, "diff-index", *options, begin, "--").split("\n"):
        hunk = HUNK.match(line)
        if line.startswith("diff --git "):
            is_header = True
        elif is_header and line.startswith("+++ "):
            path = (top / _named(line.removeprefix("+++ "))).resolve()
        elif hunk is not None:
            is_header = False
            start, count = int(hunk[1]), int(hunk[2] or 1)
            changed.setdefault(path, []).append(range(start, start + count))
    for name in _git(top, base, "ls-files", "-z", "--others", "--exclude-standard").split("\0"):
        if name:
            changed[(top / name).resolve()] = [range(1, 1_000_000_000)]
    return changed


def _named(written: str) -> str:
    """Return the name in a header, which git quotes as C does, or ends in a tab."""
    name = written.removesuffix("\t")
    if name.startswith('"'):
        raw = name[1:-1].encode(errors="surrogateescape")
        name = ESCAPE.sub(_unescaped, raw).decode(errors="surrogateescape")
    return name.removeprefix("b/")


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    number = int(code, 8) if code.isdigit() else LETTERS.get(code)
    return code if number is None else bytes([number])


def _git(folder: Path, base: str, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise DiffBaseError(base, "git is not installed")
    try:
        done = subprocess.run(
            [git, *UNQUOTED, *arguments],
            cwd=folder, capture_output=True, check=False, timeout=SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DiffBaseError(base, str(error)) from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise DiffBaseError(base, next(iter(reason), f"git ended with {done.returncode}"))
    return done.stdout.decode(errors="surrogateescape")
