"""The lines that differ from a commit, as git says: findings elsewhere are not this change's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.errors import DiffBaseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding

FILE = re.compile(r"\+\+\+ (?:b/)?(.*?)\t?$")
HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")
# git looks at untracked files as well, and at what is not committed yet.
WITHOUT_COLOURS = ("-c", "core.quotePath=off", "-c", "color.ui=false")
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
        path, cell, _ = finding.path.partition("[")
        lines = changed.get((root / path).resolve(), ())
        if lines and (cell or any(finding.line in each for each in lines)):
            yield finding


def changed_lines(root: Path, base: str) -> dict[Path, list[range]]:
    """Return each file that differs, with the lines that do."""
    top = Path(_git(root, base, "rev-parse", "--show-toplevel").strip())
    begin = _git(root, base, "merge-base", base, "HEAD").strip()
    options = ("--unified=0", "--no-ext-diff", "--no-renames", "--dst-prefix=b/")
    changed: dict[Path, list[range]] = {}
    path = top
    for line in _git(top, base, "diff", *options, begin, "--").splitlines():
        file, hunk = FILE.fullmatch(line), HUNK.match(line)
        if file is not None:
            path = (top / file[1].strip('"')).resolve()
        elif hunk is not None:
            start, count = int(hunk[1]), int(hunk[2] or 1)
            changed.setdefault(path, []).append(range(start, start + count))
    for name in _git(top, base, "ls-files", "-z", "--others", "--exclude-standard").split("\0"):
        if name:
            changed[(top / name).resolve()] = [range(1, 1_000_000_000)]
    return changed


def _git(folder: Path, base: str, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise DiffBaseError(base, "git is not installed")
    try:
        done = subprocess.run(  # noqa: S603 -- git, with a list of arguments
            [git, *WITHOUT_COLOURS, *arguments],
            cwd=folder, capture_output=True, check=False, timeout=SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DiffBaseError(base, str(error)) from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise DiffBaseError(base, next(iter(reason), f"git ended with {done.returncode}"))
    return done.stdout.decode(errors="surrogateescape")
