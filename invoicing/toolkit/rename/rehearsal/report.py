"""What a rehearsal found: plain data, no I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import PlanFinding, StrategyName, Target


@dataclass(frozen=True)
class Difference:
    """Something that a plain RENAME COLUMN does otherwise, or that failed.

    Attributes:
        phase: the last phase that had ended, or the one that failed.
        kind: `schema`, `rows`, `statement`, `rollback`, or `failed`.
        subject: the object, the table or the statement.
        ours: what the rename of ours leaves, or how it ends.
        twin: the same of the twin.
    """

    phase: str
    kind: str
    subject: str
    ours: str
    twin: str


@dataclass(frozen=True)
class StatementChange:
    """A statement of production that fails in a phase, or returns other columns.

    Attributes:
        phase: the first phase after which it does.
        users: who ran it.
        calls: how often, since the statistics began.
        calls_a_day: the same by the day; None where it is not known since when.
        change: what becomes of it.
        fails: whether it fails; else its result has other columns.
        on_twin: whether a plain RENAME changes it in the same way, all at once.
    """

    phase: str
    queryid: str
    users: list[str]
    calls: int
    calls_a_day: float | None
    query: str
    change: str
    fails: bool
    on_twin: bool


@dataclass
class RehearsalReport:
    """What was rehearsed, and what would differ.

    Attributes:
        server: where it was rehearsed.
        rows: rows that the table had there; `real_rows` is what it has in truth, by estimate.
        refused: what the plan refuses, with which nothing can begin.
        unrehearsed: what could not be rehearsed, and why: it is not known to be clean.
        to_run: what is to be run between the verify and the contract: with it all went well.
        notes: what a person has to know, and does not make it less clean.
        seconds: what each phase took there.
        scaled: what it would take at the real size, without traffic, on that machine.
        looked_at: statements of production that were planned; None where there are no statistics.
    """

    target: Target
    strategy: StrategyName
    server: str = ""
    rows: int = 0
    real_rows: int = 0
    refused: list[PlanFinding] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    statements: list[StatementChange] = field(default_factory=list)
    to_run: list[str] = field(default_factory=list)
    unrehearsed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    scaled: dict[str, float] = field(default_factory=dict)
    looked_at: int | None = None
    ran: int = 0

    @property
    def clean(self) -> bool:
        """Return whether everything was rehearsed, and nothing would differ or fail."""
        return not (self.refused or self.differences or self.statements or self.unrehearsed)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"clean": self.clean}
