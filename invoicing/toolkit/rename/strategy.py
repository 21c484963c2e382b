"""What a strategy is: each is a package with a class that fulfils this protocol.

`Rename` drives either without knowing which: whether a phase may run, its confirmation, the gate's
common questions and the journal are its own. `strategies` is the one place that chooses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.dependents.kind import Dependent
    from invoicing.toolkit.rename.model import (
        BackfillReport,
        Estimate,
        Phase,
        PlanFinding,
        Progress,
        Step,
        StrategyName,
        VerifyReport,
    )
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession


class StrategyPlan(NamedTuple):
    """What a strategy would do to the table at hand.

    Attributes:
        only_here: kinds of findings that this strategy alone refuses.
    """

    findings: list[PlanFinding]
    steps: list[Step]
    estimate: Estimate
    only_here: frozenset[str] = frozenset()


class Objections(NamedTuple):
    """What a strategy itself has against the contract, and whether the table has any rows.

    Attributes:
        noted: what the contract does not wait for, and a person has to know.
    """

    findings: list[PlanFinding]
    has_rows: bool
    noted: Sequence[PlanFinding] = ()


class Control(NamedTuple):
    """Who watches a backfill, and may stop it between two batches."""

    progress: Callable[[Progress], None] | None
    stop: asyncio.Event | None


class Wording(NamedTuple):
    """What is said of a strategy; texts may name {table}, {old}, {new} and figures.

    Attributes:
        label: what there is beside the table meanwhile.
        expand: what the expand does, in the imperative.
        done: what a phase has done, by its verb; `in place` is a contract that renames the column
            itself.
        consequences: what a phase will do, by its verb.
        rollback: what a rollback drops.
        no_loss: why a rollback loses no work; empty where it loses the backfill's.
        confirm: what the contract does that has to be confirmed.
    """

    label: str
    expand: str
    done: Mapping[str, str]
    consequences: Mapping[str, str]
    rollback: str
    no_loss: str
    confirm: str


class RenameStrategy(Protocol):
    """How a column gets its new name while clients use both.

    Attributes:
        wording_of_type: the same of a change of the type that keeps the name.
        without_new: how far a rename has come that was under way, and whose new name is gone again.
        changes_type: whether the column can be given another type on the way.
        behind_view: whether it is this strategy that puts a view in the table's place. The other's
            contract drops a column, which PostgreSQL refuses while it is used.
    """

    name: StrategyName
    wording: Wording
    wording_of_type: Wording
    without_new: Phase
    behind_view: bool
    changes_type: bool

    async def plan(self, context: RenameContext, dependents: Sequence[Dependent]) -> StrategyPlan:
        """Look at the catalog: what is found, every statement, and what it costs.

        Args:
            context: the rename.
            dependents: what names the column or its table, the same for every strategy.
        """

    async def in_place(self, context: RenameContext) -> bool:
        """Tell whether the contract renames a second column's original, and drops the second."""

    async def expand(self, session: RenameSession) -> None:
        """Let the table answer to both names, or go on where that was killed."""

    async def repair(self, session: RenameSession) -> None:
        """Put back what was dropped or switched off since the expand."""

    async def backfill(self, session: RenameSession, control: Control) -> BackfillReport:
        """Fill the new name's column, where it has one of its own."""

    async def rows_done(self, context: RenameContext) -> int:
        """Return how many rows need no backfill any more, while it is under way."""

    async def verify(self, session: RenameSession) -> VerifyReport:
        """Compare every row, and make what the contract needs."""

    async def objections(self, session: RenameSession) -> Objections:
        """Return what the gate refuses beside what is the same for every strategy."""

    async def count_rows(self, session: RenameSession) -> int:
        """Return how many rows a contract concerns; not 0 where there is any."""

    async def contract(self, session: RenameSession) -> None:
        """End the old name, confirmed and with the gate open."""

    async def clean(self, session: RenameSession) -> None:
        """Take the rename's objects off tables that were partitions when it began."""

    async def notes(self, context: RenameContext) -> list[str]:
        """Return what the catalog has that the rename did not expect, and what to run."""

    def leftovers(self, names: Names) -> Sequence[str]:
        """Return what takes off the table what a contract by hand has left on it; a lock first."""

    async def rollback(self, session: RenameSession) -> None:
        """Go back to before the expand, from every phase before the contract."""
