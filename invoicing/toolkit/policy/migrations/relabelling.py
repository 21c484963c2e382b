"""What ALTER TYPE makes of the labels of an enumeration."""

from __future__ import annotations

import re

TEXT = re.compile(r"'([^']*)'")


def relabelled(labels: str | None, change: str) -> str:
    """Return the labels after ADD VALUE or RENAME VALUE; as good as is known."""
    names = TEXT.findall(change)
    listed = labels.split(", ") if labels and labels != "?" else []
    match names:
        case [before, after] if change.startswith("rename value"):
            if labels in {None, "?"}:
                return "?"
            return ", ".join(after if label == before else label for label in listed)
    if not names or labels in {None, "?"}:
        return "?"
    if names[0] in listed:
        return labels or ""
    at = len(listed)
    if len(names) > 1 and names[1] in listed:
        at = listed.index(names[1]) + (" after " in f"{change} ")
    return ", ".join([*listed[:at], names[0], *listed[at:]])
