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

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import contract, detached, expand, rollback, verify
from invoicing.toolkit.rename.acceptance import check_plan
from invoicing.toolkit.rename.backfill import Backfill
from invoicing.toolkit.rename.column import find_relation
from invoicing.toolkit.rename.errors import (
    RenameLeftError,
    RenamePhaseError,
    RenameRefusedError,
)
from invoicing.toolkit.rename.gate import ask_gate
from invoicing.toolkit.rename.journal import read_runs
from invoicing.toolkit.rename.model import Options, Phase, Target
from invoicing.toolkit.rename.moved import find_left, refuse_left
from invoicing.toolkit.rename.operator import operate
from invoicing.toolkit.rename.plan import make_plan, old_column
from invoicing.toolkit.rename.session import connected, explained, pinned
from invoicing.toolkit.rename.status import read_status
from invoicing.toolkit.rename.view import phases as view

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from invoicing.db import Database
    from invoicing.toolkit.rename.column import Column
    from invoicing.toolkit.rename.journal import Run
    from invoicing.toolkit.rename.model import (
        BackfillReport,
        GateReport,
        Plan,
        Progress,
        RowCounts,
        Status,
        Strategy,
        VerifyReport,
    )
    from invoicing.toolkit.rename.operator import Operator
    from invoicing.toolkit.rename.session import Connection

_BEFORE_EXPAND = (Phase.NONE, Phase.EXPANDING)


class Rename:
    """One column's rename on one database."""

    def __init__(self, database: Database, target: Target, options: Options | None = None) -> None:
        self.database = database
        self.target = target
        self.options = options or Options()
        self._seen: tuple[float, int] | None = None

    async def plan(self) -> Plan:
        """Look at the catalog and say what would happen; nothing is touched."""
        with explained(self.target):
            async with connected(self.database, 1) as pool, pool.connection() as connection:
                plan, _ = await make_plan(connection, self.target, self.options)
                check_plan(self.options.accept, plan.findings)
                return plan

    async def expand(self) -> None:
        """Add the column and the triggers that keep both equal; when it is done, only repair them.

        Raises:
            RenameRefusedError: the plan found something in the way.
        """
        async with self._operate("expand") as operator:
            phase = await operator.phase()
            if phase in {Phase.ROLLING_BACK, Phase.CONTRACTING}:
                verb = "rollback" if phase is Phase.ROLLING_BACK else "contract"
                raise self._turn(phase, "expand", self._run(verb))
            plan, column = await make_plan(operator.connection, self.target, self.options)
            strategy = await self._strategy(operator, "expand")
            if phase not in {*_BEFORE_EXPAND, Phase.CONTRACTED}:
                if strategy == "view":
                    await view.repair(operator)
                else:
                    await detached.clean(operator)
                    await expand.repair(operator, column)
                return
            check_plan(self.options.accept, plan.findings)
            if plan.refusals:
                raise RenameRefusedError(
                    self.target, plan.refusals, self.target.command("plan", self.options)
                )
            if strategy == "view":
                await view.expand(operator, column)
            else:
                await expand.expand(operator, column, strategy)

    async def backfill(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
    ) -> BackfillReport:
        """Fill the new column batch by batch, from where the last run ended.

        Args:
            progress: called after every batch, and again and again while it waits.
            stop: set it to end between two batches; the report then is not `completed`.
        """
        async with self._operate("backfill") as operator:
            await self._column(operator, "backfill")
            if await self._strategy(operator, "backfill") == "view":
                report = await view.backfill(operator, progress)
            else:
                report = await Backfill(operator, progress, stop).run()
            report = replace(report, waited_for=operator.waited_for)
            operator.entry.result = asdict(report)
            return report

    async def verify(self) -> VerifyReport:
        """Compare every row, build what is copied from the old column, and validate it.

        Raises:
            RowsDifferError: rows differ; those not filled are filled by another backfill.
        """
        async with self._operate("verify") as operator:
            column = await self._column(operator, "verify")
            if await operator.phase() in {Phase.EXPANDED, Phase.BACKFILLING}:
                raise self._turn(await operator.phase(), "verify", self._run("backfill"))
            if await self._strategy(operator, "verify") == "view":
                report = await view.verify(operator, column)
            else:
                report = await verify.verify(operator, column)
            operator.entry.result = asdict(report) | {"ok": report.ok}
            return report

    async def gate(self) -> GateReport:
        """Say what stands in the way of the contract; it takes up to `quiet` seconds."""
        async with self._operate() as operator:
            return await ask_gate(operator, await self._column(operator, "contract"))

    async def contract(self, *, confirm: str | None = None) -> None:
        """Drop the old column; `confirm` is `table.old`, not needed for an empty table.

        Raises:
            ConfirmationError: it was not confirmed.
            ContractRefusedError: the gate is not open.
        """
        async with self._operate("contract") as operator:
            if await operator.phase() is Phase.CONTRACTED:
                await contract.tidy(operator)
                return
            column = await self._column(operator, "contract")
            by_view = await self._strategy(operator, "contract") == "view"
            await (view.end if by_view else contract.contract)(operator, column, confirm)

    async def rollback(self) -> None:
        """Go back to before the expand; after the contract it raises, and names the way back.

        Raises:
            RowsDifferError: the new column has values that the old one has not.
        """
        async with self._operate("rollback") as operator:
            phase = await operator.phase()
            if phase is Phase.CONTRACTED:
                raise self._turn(phase, "roll back", contract.way_back(self.target))
            if phase is Phase.NONE and await operator.state() is None:
                left = await find_left(operator.connection, operator.relation, self.target)
                if left is None:
                    return
                if not left.own:
                    raise RenameLeftError(str(self.target), left.message)
            if await self._strategy(operator, "roll back") == "view":
                await view.rollback(operator)
                return
            column = await old_column(operator.connection, self.target)
            await rollback.rollback(operator, column)

    async def restore(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
    ) -> BackfillReport:
        """After the contract: add the old column again and refill it from the new one.

        Both are then kept equal, and old code can be deployed again.
        """
        back = self.reversed()
        await back.expand()
        report = await back.backfill(progress=progress, stop=stop)
        if report.completed:
            await back.verify()
        return report

    def reversed(self) -> Rename:
        """Return the rename of the new name to the old one: the way back."""
        return Rename(self.database, self.target.reversed(), self.options)

    async def counts(self) -> RowCounts:
        """Count the rows by state, on one snapshot: every row is read, and nobody waits."""
        with explained(self.target):
            async with connected(self.database, 1) as pool, pool.connection() as connection:
                return await verify.count_rows(connection, self.target)

    async def runs(self) -> list[Run]:
        """Return every run of a phase for these two names: who, when, what, how it ended."""
        with explained(self.target):
            async with connected(self.database, 1) as pool, pool.connection() as connection:
                relation = await find_relation(connection, self.target)
                return await read_runs(connection, relation.names(self.target))

    async def status(self) -> Status:
        """Say where it stands, from any connection, while it runs or not."""
        with explained(self.target):
            async with self.database.read_only_engine.connect() as connection:
                raw = await connection.get_raw_connection()
                driver = raw.driver_connection
                found = await self._read_status(driver)
                if found.operator is not None and found.phase is Phase.BACKFILLING:
                    if self._seen is None:
                        self._seen = (time.monotonic(), found.rows_done)
                        await asyncio.sleep(0.5)
                        found = await self._read_status(driver)
                    return self._with_rate(found)
                return found

    async def _read_status(self, connection: Connection) -> Status:
        async with pinned(connection):
            return await read_status(connection, self.target, self.options)

    def _with_rate(self, found: Status) -> Status:
        """Tell the rate since this was last asked."""
        now, (then, rows) = time.monotonic(), self._seen or (0.0, 0)
        rate = max(found.rows_done - rows, 0) / (now - then)
        if now - then > 1:
            self._seen = (now, found.rows_done)
        return replace(found, rate=rate, eta=found.rows_left / rate if rate > 0 else None)

    @asynccontextmanager
    async def _operate(self, phase: str = "") -> AsyncIterator[Operator]:
        async with operate(self.database, self.target, self.options, phase) as operator:
            if await operator.phase() is Phase.REVERSED:
                advice = contract.under_way_back(self.target)
                raise self._turn(Phase.REVERSED, phase or "contract", advice)
            if phase != "rollback":
                await refuse_left(operator.connection, operator.relation, self.target)
            yield operator

    async def _strategy(self, operator: Operator, asked: str) -> Strategy:
        """Return the way that was begun, or the one that is asked for where none was."""
        found, wanted = await operator.state(), self.options.strategy
        if found is None or found.phase is Phase.CONTRACTED:
            return wanted
        if found.strategy != "view" and wanted == "view":
            advice = "It was begun by adding a column. Go on so, or first " + self._run("rollback")
            raise self._turn(found.phase, f"{asked} by a view", advice)
        return "view" if found.strategy == "view" else "columns"

    async def _column(self, operator: Operator, asked: str) -> Column:
        """Return the old column of a rename that has been expanded."""
        phase = await operator.phase()
        if phase in _BEFORE_EXPAND:
            raise self._turn(phase, asked, self._run("expand"))
        if phase in {Phase.CONTRACTED, Phase.ROLLING_BACK}:
            advice = (
                contract.way_back(self.target)
                if phase is Phase.CONTRACTED
                else self._run("rollback")
            )
            raise self._turn(phase, asked, advice)
        return await old_column(operator.connection, self.target)

    def _turn(self, phase: Phase, asked: str, advice: str) -> RenamePhaseError:
        return RenamePhaseError(str(self.target), phase, asked, advice)

    def _run(self, verb: str) -> str:
        return f"Run: {self.target.command(verb, self.options)}"
