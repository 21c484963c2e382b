"""Leave out the findings that the program's author has looked at, and says why.

    for shelf in shelves:
        # profile: allow n-plus-one -- three shelves at the most
        await shelf.awaitable_attrs.books

The comment stands on the line of the finding or right above it, or on one of the lines that called
it. Without a reason it allows nothing, and the finding says so. A block, `with allow("n-plus-one",
why=...)`, allows what was sent within it.
"""

from __future__ import annotations

import linecache
import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.statement import Caller

_COMMENT = re.compile(r"#\s*profile:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)(\s+--\s*\S)?")
_NO_REASON = "; its `# profile: allow` has no reason and does not count: add -- and why"


def without_suppressed(
    evidence: Evidence, findings: Iterable[Finding], allow: Iterable[str]
) -> list[Finding]:
    """Return the findings that are neither in `allow` nor allowed by a comment."""
    allowed = set(allow)
    return [
        replace(finding, message=finding.message + _NO_REASON) if comments else finding
        for finding in findings
        if finding.slug not in allowed
        and not _is_within(evidence, finding)
        and not any(comments := _comments(evidence, finding))
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


def _comments(evidence: Evidence, finding: Finding) -> list[bool]:
    """Return for each comment that allows a finding whether it has a reason."""
    lines = {finding.caller} if finding.caller is not None else set()
    # Each statement may have come another way; the comment has to stand on all of them.
    for number in finding.statements[:1]:
        lines.update(evidence.statements[number - 1].stack)
    return [reason for line in lines for slug, reason in _allowed_at(line) if slug == finding.slug]


def _allowed_at(caller: Caller) -> Iterator[tuple[str, bool]]:
    for line in (caller.line, caller.line - 1):
        text = linecache.getline(caller.file, line)
        if line != caller.line and not text.lstrip().startswith("#"):
            continue
        match = _COMMENT.search(text)
        for slug in re.split(r"\s*,\s*", match[1]) if match else ():
            yield slug, match is not None and match[2] is not None
