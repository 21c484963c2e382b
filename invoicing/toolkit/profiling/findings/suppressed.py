"""Leave out the findings that the program's author has looked at, and says why.

    for shelf in shelves:
        # profile: allow n-plus-one -- three shelves at the most
        await shelf.awaitable_attrs.books

The comment stands on the line of the finding or right above it, or on one of the lines that called
it. Without a reason it allows nothing. A block, `with allow("n-plus-one", why=...)`,
allows what was sent within it.
"""

from __future__ import annotations

import linecache
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.statement import Caller

_COMMENT = re.compile(r"#\s*profile:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)\s+--\s*\S")


def without_suppressed(
    evidence: Evidence, findings: Iterable[Finding], allow: Iterable[str]
) -> list[Finding]:
    """Return the findings that are neither in `allow` nor allowed by a comment."""
    allowed = set(allow)
    return [
        finding
        for finding in findings
        if finding.slug not in allowed
        and not _is_within(evidence, finding)
        and not _is_allowed(evidence, finding)
    ]


def _is_within(evidence: Evidence, finding: Finding) -> bool:
    """Return whether all of its statements were sent within blocks that allow it."""
    blocks = [
        [
            allowance
            for allowance in evidence.statements[number - 1].allowances
            if allowance.slug == finding.slug
        ]
        for number in finding.statements
    ]
    if not blocks or not all(blocks):
        return False
    evidence.used.update(allowance for block in blocks for allowance in block)
    return True


def _is_allowed(evidence: Evidence, finding: Finding) -> bool:
    lines = {finding.caller} if finding.caller is not None else set()
    # Each statement may have come another way; the comment has to stand on all of them.
    for number in finding.statements[:1]:
        lines.update(evidence.statements[number - 1].stack)
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
