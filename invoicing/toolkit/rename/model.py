"""What a rename is asked to do, and what it reports: plain data, no I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from invoicing.errors import UsageError
from invoicing.toolkit.rename.names import LIMIT, command, working_name
from invoicing.toolkit.rename.taken import BATCHES, TAKEN

if TYPE_CHECKING:
    from invoicing.toolkit.rename.blocker import Blocker

Verdict = Literal["carried", "noted", "later", "refused"]
StrategyName = Literal["columns", "view"]
_MOST_STRIPES = 256  # its number is kept in one byte


class Phase(StrEnum):
    """How far a rename has come; `status` reads it from the database, from any connection."""

    NONE = "none"
    EXPANDING = "expanding"
    EXPANDED = "expanded"
    BACKFILLING = "backfilling"
    BACKFILLED = "backfilled"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    CONTRACTING = "contracting"
    CONTRACTED = "contracted"
    ROLLING_BACK = "rolling back"
    # The rename of the new name to the old one is under way, after a restore for instance.
    REVERSED = "reversed"


@dataclass(frozen=True)
class Target:
    """The column to rename.

    Attributes:
        schema: None for the first of the search path that has `table`.
        url: the database, without a password, as the command lines that are printed have to name
            it; None where they find it by themselves.
    """

    table: str
    old: str
    new: str
    schema: str | None = None
    url: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.old == self.new:
            message = f"cannot rename {self.table}.{self.old}: the new name is the old one"
            raise UsageError(message)
        for name in (self.table, self.old, self.new, self.schema):
            if name is not None and not 0 < len(name.encode()) <= LIMIT:
                message = f"cannot rename: {name!r} is no name of 1 to 63 bytes"
                raise UsageError(message)

    def __str__(self) -> str:
        column = ".".join(filter(None, (self.schema, self.table, self.old)))
        return column if self.keeps_name else f"{column} -> {self.new}"

    @property
    def keeps_name(self) -> bool:
        """Return whether only the type changes: `new` is what no client knows."""
        return self.new == working_name(self.old)

    def reversed(self) -> Target:
        """Return the way back: the new name to the old one."""
        return replace(self, old=self.new, new=self.old)

    def command(self, verb: str, options: Options | None = None, *more: str) -> str:
        """Return the command line of a phase, to say what to run."""
        words = []
        for name, value in (("--schema", self.schema), ("--url", self.url)):
            words += [name, value] if value is not None else []
        words += options.words(verb) if options is not None else []
        return command(verb, [self.table, self.old, self.new], [*words, *more])


@dataclass(frozen=True)
class Options:
    """How to go about it; every time is in seconds.

    Attributes:
        strategy: `columns` fills a second column; `view` puts a view in the table's place.
        batch_size: rows of one batch, each committed by itself.
        batch_bytes: bytes of one batch's values, whatever its rows; a larger value goes alone.
        workers: connections that backfill at once, each on its own part of the table.
        stripes: passes over each range of pages; None to choose by how full the pages are.
        pause: rest after each batch.
        target: a batch that takes longer makes the next one smaller, down to a tenth.
        max_replica_lag: wait while a replica is further behind; None for no such limit.
        latency_guard: go slower where a client waits more than so many times as long as before it.
        max_active: rest while more sessions than these are active, of all databases.
        max_wal_rate: go slower while the server writes more megabytes of WAL a second.
        lock_timeout: how long a DDL statement waits for its lock, and others behind it.
        lock_attempts: how often it tries before it names who blocks it and gives up.
        quiet: how long old-style writes must have stood still before the contract.
        max_transaction_age: a transaction older than this is named by the plan.
        accept: names or kinds of findings that are accepted (see `acceptance`).
        type: the new column's type; None for that of the old one.
        using: what the new value is, over the old column; None for PostgreSQL's own conversion.
        back: what the old value is, over the new column; None for the same.
        loss: where a value cannot be computed back: `error` to the writer, or stop at the `gate`.
    """

    strategy: StrategyName = "columns"
    batch_size: int = 5_000
    batch_bytes: int = 16_000_000
    workers: int = 1
    stripes: int | None = None
    pause: float = 0.0
    target: float = 0.15
    max_replica_lag: float | None = None
    latency_guard: float | None = None
    max_active: int | None = None
    max_wal_rate: float | None = None
    lock_timeout: float = 2.0
    lock_attempts: int = 10
    quiet: float = 60.0
    max_transaction_age: float = 300.0
    accept: frozenset[str] = frozenset()
    type: str | None = None
    using: str | None = None
    back: str | None = None
    loss: Literal["error", "gate"] = "error"

    def __post_init__(self) -> None:
        least = dict.fromkeys(("pause", "quiet", "max_replica_lag", "max_transaction_age"), 0.0)
        least |= dict.fromkeys((*BATCHES[:3], "lock_attempts", "max_active"), 1)
        for name, lowest in (least | {"latency_guard": 1.05, "max_wal_rate": 0.1}).items():
            if (value := getattr(self, name)) is not None and not lowest <= value < inf:
                message = f"{name} is {value}, and must be at least {lowest}"
                raise UsageError(message)
        if not (0 < self.lock_timeout < inf and 0 < self.target < inf):
            message = "lock_timeout and target must be more than 0 seconds"
            raise UsageError(message)
        if self.stripes is not None and not 1 <= self.stripes <= _MOST_STRIPES:
            message = f"stripes is {self.stripes}, and must be from 1 to 256"
            raise UsageError(message)

    def words(self, verb: str) -> list[str]:
        """Return what a command line of `verb` needs to go about it in the same way."""
        usual, words = Options(), []
        for name in TAKEN[verb]:
            value = getattr(self, name)
            if value != getattr(usual, name):
                option = "--" + name.replace("_", "-")
                for item in sorted(value) if name == "accept" else [value]:
                    text = str(item)
                    words += [option, text.removesuffix(".0") if isinstance(item, float) else text]
        return words


@dataclass(frozen=True)
class Step:
    """One statement of a plan: `lock` and `blocks` say who waits, and for how long."""

    phase: str
    sql: str
    lock: str
    blocks: str


@dataclass(frozen=True)
class PlanFinding:
    """Something the preflight found.

    Attributes:
        slug: its kind, in kebab case.
        subject: what it is about, as SQL would name it.
        verdict: `carried` over to the new column; `noted`; `later`: its owner has to change it
            before the contract; `refused`: nothing can begin.
        message: what it means, and for a refusal what to do.
        name: what `--accept` takes for it alone; empty where it cannot be accepted.
    """

    slug: str
    subject: str
    verdict: Verdict
    message: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}"


def refused(slug: str, subject: str, message: str) -> PlanFinding:
    """Return a finding with which nothing can begin."""
    return PlanFinding(slug, subject, "refused", message)


@dataclass(frozen=True)
class Estimate:
    """Time and space of one strategy, and what it would break."""

    strategy: StrategyName
    seconds: float
    extra_bytes: int
    longest_lock: str
    breaks: list[str]
    safe: bool


@dataclass(frozen=True)
class Plan:
    """What would happen, and whether it can."""

    target: Target
    strategy: StrategyName
    server_version: int
    rows: int
    pages: int
    table_bytes: int
    index_bytes: int
    findings: list[PlanFinding]
    steps: list[Step]
    estimates: list[Estimate]

    @property
    def refusals(self) -> list[PlanFinding]:
        """Return the findings that refuse the rename."""
        return [finding for finding in self.findings if finding.verdict == "refused"]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"possible": not self.refusals}


@dataclass(frozen=True)
class Progress:
    """Where a backfill stands, reported after every batch and while it waits.

    Attributes:
        rows_done: rows that have been looked at and are right, as far as this rename has come.
        rows_total: the server's estimate when the rename began.
        rate: rows a second, over the last seconds.
        eta: seconds left at that rate; None while it is not known.
        waiting: why it rests (a pause, a replica's lag, another session's lock), or None.
        guard: at which speed the guard lets it go, and why; empty without one.
    """

    rows_done: int
    rows_total: int
    rate: float
    eta: float | None
    batch_size: int
    waiting: str | None = None
    guard: str = ""

    @property
    def rows_left(self) -> int:
        """Return how many rows are still to do."""
        return max(self.rows_total - self.rows_done, 0)


@dataclass(frozen=True)
class BackfillReport:
    """What a backfill did; `completed` is False after a planned stop, `waited_for` had the lock.

    Attributes:
        guard: how fast the guard let it go, and what made it slower; empty without one.
    """

    completed: bool
    rows_updated: int
    batches: int
    seconds: float
    waited_for: str | None = None
    guard: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowCounts:
    """The rows by state, counted on one snapshot.

    Attributes:
        equal: rows with the same value by both names.
        missing: rows without a value in the new column, and with one in the old.
        different: rows with two values.
    """

    rows: int
    equal: int
    missing: int
    different: int


@dataclass(frozen=True)
class VerifyReport:
    """Every row compared, on one snapshot.

    Attributes:
        different: rows with two values.
        missing: rows without a value in the new column, and with one in the old.
        nulls: rows without a value in either, which count as equal too.
        not_null: whether the new column is NOT NULL, if the old one was; None where it was not.
        constraints: copied constraints, and whether each is validated.
        indexes: copied indexes, and whether each is valid.
        reconciled: what was dropped or changed on the old column since, and so on the new one.
        guarded: whether what keeps the columns equal stands; else new writes may differ.
        refused: what came since and cannot be copied, and why.
        notes: what other hands have put on, taken off or away, and what to run.
    """

    rows: int
    equal: int
    different: int
    missing: int
    nulls: int
    not_null: bool | None
    constraints: dict[str, bool] = field(default_factory=dict)
    indexes: dict[str, bool] = field(default_factory=dict)
    reconciled: list[str] = field(default_factory=list)
    guarded: bool = True
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether nothing is left to do before the contract."""
        rest = [*self.constraints.values(), *self.indexes.values(), self.not_null is not False]
        return self.equal == self.rows and self.guarded and all(rest) and not self.refused


@dataclass(frozen=True)
class GateReport:
    """Whether the contract may run: `objections` names every reason why it may not.

    Attributes:
        unseen: what the gate could not look at, so that a person has to know it.
        accepted: objections that were accepted by name.
    """

    objections: list[PlanFinding]
    unseen: list[PlanFinding] = field(default_factory=list)
    accepted: list[PlanFinding] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Return whether the contract may run."""
        return not self.objections


@dataclass(frozen=True)
class Status:
    """A rename as any connection sees it, while it runs or not.

    Attributes:
        operator: the session that holds the lock; None where none does.
        old_writes: writes by the old name that the trigger saw; the last `old_write_age` s ago.
        blockers, lock_waits: sessions that it waits for, and long transactions; how many wait.
        lag: the furthest replica's replay lag in seconds; None without a replica.
        accepted: what was accepted at the gate, by whom and when.
        reconciled: what was changed on the old column since, and so on the new one.
        notes: what the catalog has that the rename did not expect, and what to run.
        live, paused: what another session has set for the backfill, and whether it is paused.
        left: whether a rename without its journal left what `rollback` takes away.
        guard: how fast the guard lets a running backfill go, and why; empty without one.
    """

    target: Target
    strategy: StrategyName
    phase: Phase
    rows_done: int
    rows_total: int
    rate: float | None
    eta: float | None
    table_bytes: int
    index_bytes: int
    dead_rows: int
    old_writes: int
    old_write_age: float | None
    operator: Blocker | None
    blockers: list[Blocker]
    lag: float | None
    accepted: list[str] = field(default_factory=list)
    reconciled: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    live: str = ""
    left: bool = False
    guard: dict[str, Any] = field(default_factory=dict)
    paused: bool = False
    lock_waits: int = 0

    @property
    def rows_left(self) -> int:
        """Return how many rows the backfill still has to do."""
        return max(self.rows_total - self.rows_done, 0)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"rows_left": self.rows_left}
