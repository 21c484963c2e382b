"""What a finding says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from invoicing.visible import plural

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.findings.bulk_fix import BulkFix
    from invoicing.toolkit.profiling.findings.fix import Fix, JoinFix
    from invoicing.toolkit.profiling.statement import Caller

    AnyFix = Fix | JoinFix | BulkFix


class Cost(NamedTuple):
    """What a finding cost; None where it cannot be known. Bytes are those of the wire.

    Attributes:
        statements: statements that would not have been sent.
        rows: rows that would not have been fetched.
        bytes: bytes that would not have been received, about.
        seconds: time the program waited for those statements.
    """

    statements: int = 0
    rows: int = 0
    bytes: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        parts = []
        if self.statements:
            parts.append(plural(self.statements, "statement"))
        if self.rows:
            parts.append(plural(self.rows, "row"))
        if self.bytes:
            parts.append(f"{self.bytes / 1000:,.1f} KB")
        if self.seconds:
            parts.append(f"{self.seconds * 1000:,.1f} ms")
        return ", ".join(parts) or "nothing measurable"


@dataclass(frozen=True)
class Finding:
    """One thing that a recording shows to be wasteful.

    Attributes:
        slug: what kind of thing: `n-plus-one`.
        message: what happened, with numbers, in one sentence.
        fix: the exact option to add or the change to make.
        relationship: `Model.attribute`; None where no relationship has a part in it.
        caller: the line that caused it; None where no line of the program's own is known.
        cost: what would have been saved.
        statements: numbers of the statements concerned, as in the recording.
        count: how often it was found at that line, as in requests of one kind; the message is that
            of the worst, the cost that of all.
        fixes: the loader options and joins that the fix names, to apply to their statements, or the
            one statement for all that were sent; empty where the program has to be written in
            another way.
    """

    slug: str
    message: str
    fix: str
    relationship: str | None
    caller: Caller | None
    cost: Cost
    statements: tuple[int, ...]
    count: int = 1
    fixes: tuple[AnyFix, ...] = ()

    def __str__(self) -> str:
        where = f"{self.caller}: " if self.caller is not None else ""
        return f"{where}[{self.slug}] {self.said}. Cost: {self.cost}. Fix: {self.fix}"

    @property
    def said(self) -> str:
        """The message, and how often it was found where that is more than once."""
        return self.message if self.count == 1 else f"{self.message} (found {self.count:,} times)"


def together(findings: list[Finding]) -> Finding:
    """Return equal findings of one line as one."""
    if len(findings) == 1:
        return findings[0]
    worst = max(findings, key=lambda finding: len(finding.statements))
    costs = [finding.cost for finding in findings]
    received = [cost.bytes for cost in costs]
    seconds = [cost.seconds for cost in costs]
    return replace(
        worst,
        cost=Cost(
            sum(cost.statements for cost in costs),
            sum(cost.rows for cost in costs),
            None if None in received else sum(count or 0 for count in received),
            None if None in seconds else sum(part or 0 for part in seconds),
        ),
        statements=tuple(sorted({number for finding in findings for number in finding.statements})),
        count=sum(finding.count for finding in findings),
    )
