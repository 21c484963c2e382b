"""What a finding says, and from which size on something is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.model import Caller


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
            parts.append(_plural(self.statements, "statement"))
        if self.rows:
            parts.append(_plural(self.rows, "row"))
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
    """

    slug: str
    message: str
    fix: str
    relationship: str | None
    caller: Caller | None
    cost: Cost
    statements: tuple[int, ...]

    def __str__(self) -> str:
        where = f"{self.caller}: " if self.caller is not None else ""
        return f"{where}[{self.slug}] {self.message}. Cost: {self.cost}. Fix: {self.fix}"


@dataclass(frozen=True)
class Thresholds:
    """From which size on something is a finding.

    Attributes:
        repeats: so many statements of one shape, for as many parents, are an N+1.
        share: where fewer than this share of the parents that came together was asked for its
            part, and fewer than `many` were, reading was conditional and is no N+1.
        many: so many statements are an N+1 whatever the share.
        hidden: so many parents for which a flush loaded something are a finding.
        duplicates: a statement sent so often in one unit of work is a duplicate.
        pause: seconds a program must have waited between two equal statements to be polling.
        multiplication: rows a join brings for each row that is needed.
        wasted_rows: so many repeated rows are a finding below that factor too.
        chunk: parents for each statement of an eager loader below which its chunks are tiny.
        rows: rows of a statement without LIMIT that are too many.
        loaded: objects loaded from which on it is asked how many were looked at.
        looked_at: share of them that has to be looked at.
        wide: bytes of one value from which on a column is wide.
        loops: runs of one SubPlan in one statement.
    """

    repeats: int = 3
    share: float = 1 / 3
    many: int = 10
    hidden: int = 2
    duplicates: int = 2
    pause: float = 0.01
    multiplication: float = 1.5
    wasted_rows: int = 10
    chunk: int = 50
    rows: int = 5000
    loaded: int = 100
    looked_at: float = 0.1
    wide: int = 2000
    loops: int = 100


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
