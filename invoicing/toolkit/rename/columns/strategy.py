"""The strategy with a second column, phase by phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns import (
    contract,
    detached,
    expand,
    gate,
    guards,
    marks,
    plan,
    ranges,
    rollback,
    sequences,
    sync,
    verify,
)
from invoicing.toolkit.rename.columns.backfill import Backfill
from invoicing.toolkit.rename.columns.copies.kept import kept_for
from invoicing.toolkit.rename.columns.wording import TYPE_WORDING, WORDING
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.retype.findings import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.dependents.kind import Dependent
    from invoicing.toolkit.rename.model import BackfillReport, StrategyName, VerifyReport
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.strategy import Control, Objections, StrategyPlan


class ColumnsStrategy:
    """A second column is added, kept equal by triggers, filled, and left alone at the end."""

    name: StrategyName = "columns"
    wording = WORDING
    wording_of_type = TYPE_WORDING
    without_new = Phase.EXPANDING
    behind_view = False
    changes_type = True

    async def plan(self, context: RenameContext, dependents: Sequence[Dependent]) -> StrategyPlan:
        """Look at the catalog: what is found, every statement, and what it costs."""
        return await plan.plan(context, self, dependents)

    async def in_place(self, context: RenameContext) -> bool:
        """Tell whether something is on the old column that no other can have."""
        return bool(await kept_for(context))

    async def expand(self, session: RenameSession) -> None:
        """Add the column and the triggers, or go on where that was killed."""
        await expand.expand(session, self.name)

    async def repair(self, session: RenameSession) -> None:
        """Put the triggers on again, and take them off the tables that have left."""
        await detached.clean(session)
        await expand.repair(session)

    async def backfill(self, session: RenameSession, control: Control) -> BackfillReport:
        """Fill the new column in batches."""
        return await Backfill(session, control).run()

    async def rows_done(self, context: RenameContext) -> int:
        """Return how many rows are filled, as far as the ranges say."""
        return await ranges.rows_done(context)

    async def verify(self, session: RenameSession) -> VerifyReport:
        """Compare every row; build and validate what the old column has."""
        return await verify.verify(session, self)

    async def objections(self, session: RenameSession) -> Objections:
        """Return rows that differ, triggers that are off, and copies that are not valid."""
        return await gate.objections(session)

    async def count_rows(self, session: RenameSession) -> int:
        """Return how many rows have a value to lose."""
        count = f"SELECT count(*) FROM {session.table.sql}"
        return int(await session.connection.fetchval(count))

    async def contract(self, session: RenameSession) -> None:
        """Drop the old column."""
        await contract.contract(session)

    async def clean(self, session: RenameSession) -> None:
        """Take triggers and defaults off the partitions that were detached."""
        await detached.clean(session)
        await sequences.widen(session)

    async def notes(self, context: RenameContext) -> list[str]:
        """Return what other hands have taken off the table or out of its tree."""
        made = context.conversion
        types = [f"the type: {in_words(context, made)}"] if made is not None else []
        return [*types, *await detached.notes(context), *await guards.notes(context)]

    def leftovers(self, names: Names) -> Sequence[str]:
        """Return what takes the triggers and the defaults of a rename off the table."""
        if names.keeps_name:
            return sync.drop_triggers(names)
        return [
            *contract.contract_statements(names, [], [])[:-1],
            marks.unmark_statement(names, names.new, names.new),
        ]

    async def rollback(self, session: RenameSession) -> None:
        """Drop the new column and the triggers."""
        await rollback.rollback(session)
