"""The page that explains the findings, made of what stands beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.registry import KINDS

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.findings.kind import FindingKind

_HEAD = """\
# Findings of the profiler

Made by `invoicing profile --explain all` from the kinds of findings themselves. Leave a finding
out by a comment on its line, with a reason: `# profile: allow n-plus-one -- why`.
"""


def findings_page() -> str:
    """Return the page, as Markdown."""
    return "\n".join([_HEAD, *map(section, KINDS.values())])


def section(kind: FindingKind) -> str:
    """Return the part of one kind, as Markdown."""
    thresholds = "".join(
        f"- `{threshold.name}` ({threshold.default:g}): {threshold.meaning}\n"
        for threshold in kind.thresholds
    )
    return (
        f"## {kind.slug}\n\n{kind.title[:1].upper()}{kind.title[1:]}.\n\n{kind.why}\n\n"
        + (f"Thresholds:\n\n{thresholds}\n" if thresholds else "")
        + f"Not:\n\n{_code(kind.bad)}\nBut:\n\n{_code(kind.good)}"
    )


def _code(text: str) -> str:
    return f"```python\n{text.strip()}\n```\n"
