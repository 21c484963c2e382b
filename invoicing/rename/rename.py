"""The public face of a rename: one method for each phase, every one of them re-runnable.

    rename = Rename(database, Target("invoice", "amt", "amount_cents"), Options(workers=2))
    plan = await rename.plan()
    await rename.expand()
    stop = asyncio.Event()                 # stop.set() ends it between two batches
    await rename.backfill(progress=print, stop=stop)
    await rename.verify()
    (await rename.gate()).open
    await rename.contract(confirm="invoice.amt")

A phase holds an advisory lock on a session of its own; a second operator gets
`RenameInProgressError` with the holder's pid, application and since when. Everything a phase knows
is in the database (schema `invoicing_rename`), so that it goes on where a killed one was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.rename.model import Options, Target

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from invoicing.db import Database
    from invoicing.rename.model import (
        BackfillReport,
        GateReport,
        Plan,
        Progress,
        Status,
        VerifyReport,
    )


class Rename:
    """One column's rename on one database."""

    def __init__(self, database: Database, target: Target, options: Options | None = None) -> None:
        self.database = database
        self.target = target
        self.options = options or Options()

    async def plan(self) -> Plan:
        """Look at the catalog and say what would happen; nothing is touched."""
        raise NotImplementedError

    async def expand(self) -> None:
        """Add the column and the trigger that keeps both equal; raises when the plan refuses."""
        raise NotImplementedError

    async def backfill(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
    ) -> BackfillReport:
        """Fill the new column batch by batch, from where the last run ended."""
        raise NotImplementedError

    async def verify(self) -> VerifyReport:
        """Compare every row, build what is copied from the old column, and validate it."""
        raise NotImplementedError

    async def gate(self) -> GateReport:
        """Say what stands in the way of the contract."""
        raise NotImplementedError

    async def contract(self, *, confirm: str | None = None) -> None:
        """Drop the old column; `confirm` is `table.old`, not needed for an empty table."""
        raise NotImplementedError

    async def rollback(self) -> None:
        """Go back to before the expand; after the contract it raises, and names the way back."""
        raise NotImplementedError

    async def restore(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
    ) -> BackfillReport:
        """After the contract: add the old column again and refill it from the new one."""
        raise NotImplementedError

    async def status(self) -> Status:
        """Say where it stands, from any connection, while it runs or not."""
        raise NotImplementedError
