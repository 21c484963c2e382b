"""What the operations of a migration do online: steps of a rename, and of a change of the type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from invoicing.toolkit.rename import ended
from invoicing.toolkit.rename.alembic.at_once import rename_at_once
from invoicing.toolkit.rename.contract import refuse_unconfirmed
from invoicing.toolkit.rename.errors import ConfirmationError, RenameInterruptedError
from invoicing.toolkit.rename.lease import lease
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.retype.walk import look, walk
from invoicing.toolkit.rename.strategies import strategy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.db.session import Database
    from invoicing.toolkit.rename.model import Progress
    from invoicing.toolkit.rename.rename import Rename

# Of the way back: it was not begun, or it is the way there that is under way.
_NOT_BACK = frozenset({Phase.NONE, Phase.CONTRACTED, Phase.REVERSED})


class StepRun(Protocol):
    """What was given.

    Attributes:
        name: what was confirmed; None for nothing.
        expected: the only name that confirms, where another schema has such a table.
        progress: what a backfill says how far it is; None for `tell`.
        stop: what ends a backfill between two batches.
    """

    name: str | None
    expected: str | None
    progress: Callable[[Progress], None] | None
    stop: Any

    def rename(self, database: Database) -> Rename:
        """Return the rename on `database`."""
        ...

    def tell(self, progress: Progress) -> None:
        """Print where a backfill stands."""
        ...


async def expand(database: Database, run: StepRun) -> None:
    """Expand, backfill and verify."""
    rename = run.rename(database)
    if (await rename.status()).phase is Phase.CONTRACTED:
        return  # the table was made by later code, with the new name alone
    if not await rename_at_once(database, rename.target):
        await _fill(rename, run)


async def rollback(database: Database, run: StepRun) -> None:
    """Go back to before the expand; after a contract that was taken back, too."""
    rename = run.rename(database)
    back = rename.reversed()
    if (await back.status()).phase in _NOT_BACK:
        await rename.rollback()
        return
    # After a contract that was taken back: the old column has to have every value first.
    if (await back.status()).phase is not Phase.CONTRACTING:
        await _fill(back, run)
    await back.contract(confirm=f"{back.target.table}.{back.target.old}")
    # The table is as it was before the expand: nothing is left to tell of either way.
    for done in (rename, back):
        async with lease(database, done.target, done.options) as session:
            await ended.forget(session)


async def contract(database: Database, run: StepRun) -> None:
    """Drop the old column, or the one that a downgrade has added again."""
    rename = run.rename(database)
    confirm = run.name if run.expected in {None, run.name} else None
    try:
        await _contract_confirmed(database, rename, confirm)
    except ConfirmationError as error:
        raise ConfirmationError(error.target, run.expected or error.expected, error.lost) from None


async def _contract_confirmed(database: Database, rename: Rename, confirm: str | None) -> None:
    back = rename.reversed()
    if (await back.status()).phase not in _NOT_BACK:
        # The old column was added again and is a copy: it goes without loss. Code may use it.
        async with lease(database, back.target, back.options) as session:
            found, table = await session.state(), session.table
            if found is not None and (table.base is not None or rename.target.old in table.columns):
                strategy = strategy_of(found.strategy)
                await refuse_unconfirmed(session, strategy, rename.target, confirm)
        await back.rollback()
        return
    await rename.contract(confirm=confirm)


async def restore(database: Database, run: StepRun) -> None:
    """Add the old column again, filled from the new one."""
    back = run.rename(database).reversed()
    if not await rename_at_once(database, back.target):
        await _fill(back, run)


async def _fill(rename: Rename, run: StepRun) -> None:
    """Expand, backfill and verify; run again, it goes on where it was."""
    await rename.expand()
    report = await rename.backfill(progress=run.progress or run.tell, stop=run.stop)
    if not report.completed:
        raise RenameInterruptedError(str(rename.target), "stopped between two batches")
    await rename.verify()


async def expand_type(database: Database, run: StepRun) -> None:
    """Give the column a second one of the new type that follows it, unless it has that type."""
    change = run.rename(database)
    if not (await look(change)).over:
        await _walk(change, run)


async def rollback_type(database: Database, run: StepRun) -> None:
    """Go back to before the expand; once the contract was taken back, forget the change."""
    change = run.rename(database)
    if (await change.status()).phase not in _NOT_BACK:
        await change.rollback()
        return
    async with lease(database, change.target, change.options) as session:
        await ended.forget(session)


async def contract_type(database: Database, run: StepRun) -> None:
    """Give the column its new type; after a downgrade the expand is done here, too."""
    change = run.rename(database)
    begins = await look(change)
    if begins.over:
        if begins.status.phase is Phase.CONTRACTED:
            await change.contract()  # what a killed one has left
        return
    if begins.plan is not None:
        await _walk(change, run)
    confirm = run.name if run.expected in {None, run.name} else None
    try:
        await change.contract(confirm=confirm)
    except ConfirmationError as error:
        raise ConfirmationError(error.target, run.expected or error.expected, error.lost) from None


async def restore_type(database: Database, run: StepRun) -> None:
    """Change the type back, to the end: no client sees when."""
    change = run.rename(database)
    if (await look(change)).over:
        return
    await _walk(change, run)
    await change.contract(confirm=f"{change.target.table}.{change.target.old}")


async def _walk(change: Rename, run: StepRun) -> None:
    walked = await walk(change, run.progress or run.tell, run.stop)
    if walked.backfill is not None and not walked.backfill.completed:
        raise RenameInterruptedError(str(change.target), "stopped between two batches")
