"""A baseline: the findings that an old code base begins with, so that new ones stand out."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.errors import BaselineError
from invoicing.toolkit.policy.finding import file_of
from invoicing.toolkit.policy.replacing import replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from invoicing.toolkit.policy.finding import PolicyFinding

Key = tuple[str, str, str]


def _counted(rows: object) -> Counter[Key]:
    # An empty file of another kind would hide that nothing is known.
    if not isinstance(rows, list):
        raise TypeError("it holds no list")
    known: Counter[Key] = Counter()
    for row in rows:
        known[row["path"], row["rule"], row["message"]] += int(row["count"])
    return known


def write_baseline(path: Path, findings: list[PolicyFinding]) -> None:
    """Write findings down; without their lines, so that other changes don't disturb them."""
    counted = Counter(finding.key for finding in findings)
    rows = [
        {"path": key[0], "rule": key[1], "message": key[2], "count": count}
        for key, count in sorted(counted.items())
    ]
    replace_file(path, f"{json.dumps(rows, indent=2)}\n".encode())


def without_known(
    path: Path, findings: list[PolicyFinding], *, root: Path, paths: Sequence[Path]
) -> tuple[list[PolicyFinding], int]:
    """Return the findings that a baseline does not have, and how many it has that are fixed.

    Args:
        path: the baseline.
        findings: those of a check.
        root: what their paths begin from.
        paths: what was checked: of the rest, nothing is known to be fixed.

    Raises:
        BaselineError: the file is not there, or is no baseline.
    """
    try:
        known = _counted(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaselineError(str(path), f"{type(error).__name__}: {error}") from None
    new = []
    for finding in findings:
        if known[finding.key] > 0:
            known[finding.key] -= 1
        else:
            new.append(finding)
    checked = [each.resolve() for each in paths]
    gone = [
        count
        for (file, _, _), count in known.items()
        if any((root / file_of(file)).resolve().is_relative_to(each) for each in checked)
    ]
    return new, sum(gone)
