"""Leave out the findings that the program's author has looked at, and says why.

    for shelf in shelves:
        # profile: allow n-plus-one -- three shelves at the most
        await shelf.awaitable_attrs.books

The comment stands on the line of the finding or right above it, or on one of the lines that called
it. Without a reason it allows nothing.
"""

from __future__ import annotations

import linecache
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.profiling.findings.facts import Facts
    from invoicing.toolkit.profiling.findings.model import Finding
    from invoicing.toolkit.profiling.model import Caller

_COMMENT = re.compile(r"#\s*profile:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)\s+--\s*\S")


def without_suppressed(
    facts: Facts, findings: Iterable[Finding], allow: Iterable[str]
) -> list[Finding]:
    """Return the findings that are neither in `allow` nor allowed by a comment."""
    allowed = set(allow)
    return [one for one in findings if one.slug not in allowed and not _is_allowed(facts, one)]


def _is_allowed(facts: Facts, finding: Finding) -> bool:
    lines = {finding.caller} if finding.caller is not None else set()
    # Each statement may have come another way; the comment has to stand on all of them.
    for number in finding.statements[:1]:
        lines.update(facts.statements[number - 1].stack)
    return any(finding.slug in _slugs(line) for line in lines)


def _slugs(caller: Caller) -> set[str]:
    found: set[str] = set()
    for line in (caller.line, caller.line - 1):
        text = linecache.getline(caller.file, line)
        if line != caller.line and not text.lstrip().startswith("#"):
            continue
        match = _COMMENT.search(text)
        if match:
            found.update(re.split(r"\s*,\s*", match[1]))
    return found
