"""The public face of a rename: one method for each phase, every one of them re-runnable.

    rename = Rename(database, Target("invoice", "amt", "amount_cents"), Options(workers=2))
    plan = await rename.plan()
    await rename.expand()
    stop = asyncio.Event()                 # stop.set() ends it between two batches
    await rename.backfill(progress=print, stop=stop)
    await rename.verify()
    (await rename.gate()).open
    await rename.contract(confirm="invoice.amt")

A phase holds an advisory lock on a session of its own; a second session gets
`RenameInProgressError` with the holder's pid, application and since when. Everything a phase knows
is in the database (schema `invoicing_rename`), so that it goes on where a killed one was.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import asyncpg

from invoicing.errors import UsageError
from invoicing.toolkit.rename import contract, live, ownership
from invoicing.toolkit.rename.acceptance import check_plan
from invoicing.toolkit.rename.columns.throttle import Rate
from invoicing.toolkit.rename.columns.verify import count_rows
from invoicing.toolkit.rename.connection.pool import (
    connected,
    connects_patiently,
    explained,
    lift_transaction_timeout,
    pinned,
)
from invoicing.toolkit.rename.context import RenameContext
from invoicing.toolkit.rename.errors import RenameLeftError, RenamePhaseError, RenameRefusedError
from invoicing.toolkit.rename.gate import ask_gate
from invoicing.toolkit.rename.journal import read_runs
from invoicing.toolkit.rename.lease import current_phase, lease
from invoicing.toolkit.rename.model import Options, Phase, Target
from invoicing.toolkit.rename.moved import find_context, find_left, refuse_left
from invoicing.toolkit.rename.plan import make_plan
from invoicing.toolkit.rename.retype.bind import bind
from invoicing.toolkit.rename.status import read_snapshot
from invoicing.toolkit.rename.strategies import strategy_of
from invoicing.toolkit.rename.strategy import Control

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from invoicing.db import Database
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.journal import Run
    from invoicing.toolkit.rename.live import LiveSettings
    from invoicing.toolkit.rename.model import (
        BackfillReport,
        GateReport,
        Plan,
        Progress,
        RowCounts,
        Status,
        VerifyReport,
    )
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.status import Snapshot
    from invoicing.toolkit.rename.strategy import RenameStrategy

    FindContext = Callable[[Connection, Target, Options], Awaitable[RenameContext]]

_BEFORE_EXPAND = (Phase.NONE, Phase.EXPANDING)

# What a status may find gone between two of its questions: a rollback takes milliseconds.
_LOOKS = 2
# Seconds over which it says how fast a backfill is.
_RATE_OVER = 10.0


class Rename:
    """One column's rename on one database."""

    def __init__(self, database: Database, target: Target, options: Options | None = None) -> None:
        self.database = database
        self.target = target
        self.options = options or Options()
        # The server processes of the phases that run here, those of the way back included.
        self.pids: set[int] = set()
        self._rate: Rate | None = None
        self._done = 0

    async def plan(self) -> Plan:
        """Look at the catalog and say what would happen; nothing is touched."""
        async with self._looking(find_context) as context:
            plan = await make_plan(await bind(context))
            check_plan(self.options.accept, plan.findings)
            return plan

    async def expand(self) -> list[str]:
        """Add the column and its triggers, or repair them; return what was accepted for nothing.

        Raises:
            RenameRefusedError: the plan refuses it.
        """
        async with self._lease("expand") as session:
            phase = await current_phase(session)
            if phase in {Phase.ROLLING_BACK, Phase.CONTRACTING}:
                verb = "rollback" if phase is Phase.ROLLING_BACK else "contract"
                raise self._turn(phase, "expand", self._run(verb))
            bound = await bind(session)
            plan = await make_plan(bound, compare=False)
            strategy = await self._strategy(session, "expand")
            if phase not in {*_BEFORE_EXPAND, Phase.CONTRACTED}:
                await strategy.repair(bound)
                return []
            check_plan(self.options.accept, plan.findings)
            if plan.refusals:
                raise RenameRefusedError(
                    self.target, plan.refusals, self.target.command("plan", self.options)
                )
            await strategy.expand(bound)
            return [str(found) for found in plan.findings if found.slug == "unused-accept"]

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
        async with self._lease("backfill") as session:
            await self._need_expanded(session, "backfill")
            strategy = await self._strategy(session, "backfill")
            report = await strategy.backfill(session, Control(progress, stop))
            report = replace(report, waited_for=session.waited_for)
            session.entry.result = asdict(report)
            return report

    async def verify(self) -> VerifyReport:
        """Compare every row, build what is copied from the old column, and validate it.

        Raises:
            RowsDifferError: rows differ; those not filled are filled by another backfill.
        """
        async with self._lease("verify") as session:
            await self._need_expanded(session, "verify")
            if await current_phase(session) in {Phase.EXPANDED, Phase.BACKFILLING}:
                raise self._turn(await current_phase(session), "verify", self._run("backfill"))
            report = await (await self._strategy(session, "verify")).verify(session)
            session.entry.result = asdict(report) | {"ok": report.ok}
            return report

    async def gate(self) -> GateReport:
        """Check what the contract would still break; it takes up to `quiet` seconds."""
        async with self._lease() as session:
            await self._need_expanded(session, "contract")
            return await ask_gate(session, await self._noted_strategy(session))

    async def contract(self, *, confirm: str | None = None) -> bool:
        """End the old name; `confirm` is `table.old`, not needed for an empty table.

        Returns:
            Whether the old column itself was renamed, and the new one dropped.

        Raises:
            ConfirmationError: it was not confirmed.
            ContractRefusedError: the gate is not open.
        """
        async with self._lease("contract") as session:
            if await current_phase(session) is Phase.CONTRACTED:
                await contract.tidy(session, await self._noted_strategy(session))
                return await contract.was_in_place(session)
            await self._need_expanded(session, "contract")
            strategy = await self._strategy(session, "contract")
            return await contract.contract(session, strategy, confirm)

    async def rollback(self) -> None:
        """Go back to before the expand; after the contract it raises, and names the way back.

        Raises:
            RowsDifferError: the new column has values that the old one has not.
        """
        async with self._lease("rollback") as session:
            phase = await current_phase(session)
            if phase is Phase.CONTRACTED:
                raise self._turn(phase, "roll back", contract.way_back(self.target))
            if phase is Phase.NONE and await session.state() is None:
                left = await find_left(session)
                if left is None:
                    return
                if not left.own:
                    raise RenameLeftError(str(self.target), left.message)
                await strategy_of(left.strategy).rollback(session)
                return
            await (await self._strategy(session, "roll back")).rollback(session)

    async def restore(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
    ) -> BackfillReport:
        """After the contract: add the old column again and refill it from the new one.

        Both are then kept equal, and old code can be deployed again.

        Raises:
            UsageError: only the type was changed.
        """
        if self.target.keeps_name:
            message = f"cannot restore {self.target}: {contract.way_back(self.target)}"
            raise UsageError(message)
        back = self.reversed()
        await back.expand()
        report = await back.backfill(progress=progress, stop=stop)
        if report.completed:
            await back.verify()
        return report

    def reversed(self) -> Rename:
        """Return the rename of the new name to the old one: the way back."""
        # The expressions of a change of the type are noted, and taken the other way round.
        options = replace(self.options, type=None, using=None, back=None, loss="error")
        back = Rename(self.database, self.target.reversed(), options)
        back.pids = self.pids
        return back

    async def pause(self) -> LiveSettings:
        """Let a running backfill, or the next, wait between two batches until `resume`.

        Raises:
            RenamePhaseError: no backfill runs or is still to come.
        """
        return await self._change("pause", paused=True)

    async def resume(self) -> LiveSettings:
        """Let a paused backfill go on."""
        return await self._change("resume", paused=False)

    async def throttle(
        self,
        *,
        pause: float | None = None,
        batch_size: int | None = None,
        target: float | None = None,
        max_replica_lag: float | None = None,
        latency_guard: float | None = None,
        max_active: int | None = None,
        max_wal_rate: float | None = None,
        reset: bool = False,
    ) -> LiveSettings:
        """Set the speed of a running backfill, and of the next; what is not given stays.

        Args:
            pause: seconds to rest after each batch.
            batch_size: rows of a batch.
            target: seconds that a batch may take.
            max_replica_lag: seconds that a replica may be behind.
            latency_guard: times the calm level that a client may wait.
            max_active: sessions of other programs that may be active.
            max_wal_rate: megabytes of WAL that the server may write a second.
            reset: let the backfill's own options count again, but for what is given.
        """
        given = {
            "pause": pause,
            "batch_size": batch_size,
            "target": target,
            "max_replica_lag": max_replica_lag,
            "latency_guard": latency_guard,
            "max_active": max_active,
            "max_wal_rate": max_wal_rate,
        }
        changes = {name: value for name, value in given.items() if reset or value is not None}
        return await self._change("throttle", **changes)

    async def _change(self, asked: str, **changes: Any) -> LiveSettings:
        async with self._looking() as context:
            if (error := await ownership.denied(context)) is not None:
                raise error
            return await live.change(context, asked, **changes)

    async def counts(self) -> RowCounts:
        """Count the rows by state, on one snapshot: every row is read, and no session waits."""
        async with self._looking() as context:
            return await count_rows(context)

    async def runs(self) -> list[Run]:
        """Return every run of a phase for these two names: who, when, what, how it ended."""
        async with self._looking() as context:
            return await read_runs(context.connection, context.names)

    async def status(self) -> Status:
        """Say where it stands, from any connection, while it runs or not."""
        return (await self.snapshot()).status

    async def snapshot(self) -> Snapshot:
        """Say the same, with every run so far, as of one moment."""
        with explained(self.target):
            lasting = not self.database.settings.pgbouncer
            if lasting:
                connects_patiently(self.database.read_only_engine)
            async with self.database.read_only_engine.connect() as connection:
                raw = await connection.get_raw_connection()
                driver = raw.driver_connection
                if lasting:
                    await lift_transaction_timeout(driver)
                found = await self._read_snapshot(driver)
                status = found.status
                running = status.operator is not None and status.phase is Phase.BACKFILLING
                if not running or status.rate is not None:  # the guard's own
                    self._rate = None
                    return found
                if self._rate is None or status.rows_done < self._done:
                    self._rate = Rate(_RATE_OVER)
                    self._rate.at(status.rows_done)
                    await asyncio.sleep(0.5)
                    found = await self._read_snapshot(driver)
                return replace(found, status=self._with_rate(found.status, self._rate))

    async def _read_snapshot(self, connection: Connection) -> Snapshot:
        # A rollback may drop what is just read: the next look sees that it did.
        for _ in range(_LOOKS):
            with suppress(asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
                return await self._look(connection)
        return await self._look(connection)

    async def _look(self, connection: Connection) -> Snapshot:
        async with pinned(connection):
            return await read_snapshot(await find_context(connection, self.target, self.options))

    def _with_rate(self, found: Status, rate: Rate) -> Status:
        """Tell the rate over the last seconds in which this was asked."""
        if found.operator is None or found.phase is not Phase.BACKFILLING:
            return found
        self._done, speed = found.rows_done, max(rate.at(found.rows_done), 0.0)
        return replace(found, rate=speed, eta=found.rows_left / speed if speed > 0 else None)

    @asynccontextmanager
    async def _looking(
        self, find: FindContext = RenameContext.find
    ) -> AsyncIterator[RenameContext]:
        with explained(self.target):
            async with connected(self.database, 1) as pool, pool.connection() as connection:
                yield await find(connection, self.target, self.options)

    @asynccontextmanager
    async def _lease(self, phase: str = "") -> AsyncIterator[RenameSession]:
        async with lease(self.database, self.target, self.options, phase) as session:
            if await current_phase(session) is Phase.REVERSED:
                advice = contract.under_way_back(self.target)
                raise self._turn(Phase.REVERSED, phase or "contract", advice)
            if phase != "rollback":
                await refuse_left(session)
            pid = session.connection.get_server_pid()
            self.pids.add(pid)
            try:
                yield session
            finally:
                self.pids.discard(pid)

    async def _noted_strategy(self, session: RenameSession) -> RenameStrategy:
        """Return the strategy that was begun, or the one that is asked for where none was."""
        found = await session.state()
        begun = found is not None and found.phase is not Phase.CONTRACTED
        return strategy_of(found.strategy if found and begun else self.options.strategy)

    async def _strategy(self, session: RenameSession, asked: str) -> RenameStrategy:
        """Return the same, unless another one is asked for."""
        strategy, wanted = await self._noted_strategy(session), self.options.strategy
        if wanted not in {strategy.name, Options().strategy}:
            begun = f"It was begun with {strategy.wording.label}, not with --strategy {wanted}"
            advice = f"{begun}. Continue with that, or go back first. {self._run('rollback')}"
            raise self._turn(await current_phase(session), asked, advice)
        return strategy

    async def _need_expanded(self, session: RenameSession, asked: str) -> None:
        """Refuse a phase whose turn has not come, or is over."""
        phase = await current_phase(session)
        if phase in _BEFORE_EXPAND:
            raise self._turn(phase, asked, self._run("expand"))
        if phase in {Phase.CONTRACTED, Phase.ROLLING_BACK}:
            advice = (
                contract.way_back(self.target)
                if phase is Phase.CONTRACTED
                else self._run("rollback")
            )
            raise self._turn(phase, asked, advice)
        session.column()

    def _turn(self, phase: Phase, asked: str, advice: str) -> RenamePhaseError:
        return RenamePhaseError(str(self.target), phase, asked, advice)

    def _run(self, verb: str) -> str:
        return f"Run: {self.target.command(verb, self.options)}"
