"""Rehearse a rename: every phase on a copy of the schema, beside a twin that PostgreSQL renames.

With another type the twin stays as it is until the contract, which clients by the old name must not
notice, and then `ALTER COLUMN ... TYPE ... USING` is the judge.

The real database is only read: its schema by pg_dump, the statistics of its statements, and its
catalog by the plan. Rows are generated; no value of the real table leaves it.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from invoicing.db import Database
from invoicing.errors import InvoicingError, UsageError
from invoicing.toolkit.rename.connection.pool import connected as connected_pool
from invoicing.toolkit.rename.connection.pool import explained
from invoicing.toolkit.rename.context import RenameContext
from invoicing.toolkit.rename.errors import ContractRefusedError, RenameInterruptedError
from invoicing.toolkit.rename.model import Phase, VerifyReport
from invoicing.toolkit.rename.names import qualified
from invoicing.toolkit.rename.rehearsal import owner
from invoicing.toolkit.rename.rehearsal.dump import differences, dumped
from invoicing.toolkit.rename.rehearsal.fill import TableFiller
from invoicing.toolkit.rename.rehearsal.plain import (
    rename_names_with,
    rename_plainly,
    retype_plainly,
)
from invoicing.toolkit.rename.rehearsal.report import Difference, RehearsalReport
from invoicing.toolkit.rename.rehearsal.scratch import (
    RehearsalInterruptedError,
    connected,
    copy_schema,
    scratch,
)
from invoicing.toolkit.rename.rehearsal.statements import StatementLooks, read_workload
from invoicing.toolkit.rename.rehearsal.twins import Twins
from invoicing.toolkit.rename.rehearsal.work import Writer, read_keys
from invoicing.toolkit.rename.rename import Rename
from invoicing.toolkit.rename.retype.bind import bind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.rehearsal.dump import Piece
    from invoicing.toolkit.rename.rehearsal.scratch import Scratch
    from invoicing.toolkit.rename.rehearsal.statements import ProductionWorkload
    from invoicing.toolkit.rename.retype.sides import Conversion

_OURS = ("--exclude-schema=invoicing_rename",)
# What is waited for in production, and not here.
_QUIET, _LOCK_TIMEOUT, _LOCK_ATTEMPTS = 0.001, 1.0, 3
# Phases whose time grows with the rows.
_BY_ROWS = ("backfill", "verify")
_TABLE = """
SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
"""


async def rehearse(
    rename: Rename,
    *,
    rows: int = 2_000,
    on_server: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RehearsalReport:
    """Rehearse a rename that has not begun.

    Args:
        rename: on the real database, which is only read.
        rows: how many the table is filled with.
        on_server: rehearse in databases beside the real one, where no other server has what it
            needs; the account has to be allowed to create databases.
        progress: called with what is being done.

    Raises:
        UsageError: there is no such table or column, or the rename has begun.
        RehearsalInterruptedError: a connection was lost.
        InvoicingError: there is no server or no pg_dump for it, or the schema cannot be read.
    """
    try:
        return await _rehearse(rename, rows, progress or (lambda _: None), on_server=on_server)
    except RenameInterruptedError as error:
        raise RehearsalInterruptedError(error.target, error.reason) from None


async def _rehearse(
    rename: Rename, rows: int, say: Callable[[str], None], *, on_server: bool
) -> RehearsalReport:
    say("reading the real database")
    status, plan = await rename.status(), await rename.plan()
    if status.phase not in {Phase.NONE, Phase.CONTRACTED}:
        message = (
            f"cannot rehearse {rename.target}: it has begun (phase: {status.phase}), and its table "
            f"is no longer what it was. Nothing was changed. Run: {rename.target.command('status')}"
        )
        raise UsageError(message)
    report = RehearsalReport(
        rename.target, rename.options.strategy, real_rows=plan.rows, refused=plan.refusals
    )
    if report.refused:
        return report
    with explained(rename.target):
        async with connected_pool(rename.database, 1) as pool, pool.connection() as connection:
            context = await bind(
                await RenameContext.find(connection, rename.target, rename.options)
            )
            workload = await read_workload(connection)
        names, source = context.names, rename.database.url
        async with scratch(source, context.version, on_server=on_server) as place:
            report.server = place.where
            say(f"copying the schema to {place.where}")
            ours, failed = await copy_schema(source, place)
            report.unrehearsed += [f"was not restored there: {line}" for line in failed]
            table = (names.schema, names.table)
            rehearsal = Rehearsal(rename, table, place, report, say, context.conversion)
            await rehearsal.run(ours, rows, workload)
    return report


class Rehearsal:
    """One rename on two databases."""

    def __init__(
        self,
        rename: Rename,
        table: tuple[str, str],
        place: Scratch,
        report: RehearsalReport,
        say: Callable[[str], None],
        conversion: Conversion | None,
    ) -> None:
        self._rename, self._table, self._place = rename, table, place
        self._conversion = conversion
        self._report, self._say = report, say
        self._old, self._new = rename.target.old, rename.target.new
        self._target = replace(rename.target, schema=table[0], url=None)
        self._unstable: set[str] = set()
        self._fixed = 0.0

    async def run(self, ours: URL, rows: int, workload: ProductionWorkload) -> None:
        """Fill the table, then walk through the phases."""
        report = self._report
        self._say("filling the table with generated rows")
        async with connected(ours) as connection:
            oid = await connection.fetchval(_TABLE, *self._table)
            if oid is None:
                report.unrehearsed.append("the table itself was not restored")
                return
            filler = TableFiller(connection)
            report.rows = await filler.fill(oid, rows)
        report.unrehearsed += [
            f"no row of {name} could be generated that it takes: {said}"
            for name, said in filler.failures.items()
        ]
        twin = await self._place.create(ours.database)
        async with connected(ours) as ours_client, connected(twin) as twin_client:
            shape = filler.shapes[oid]
            keys = await read_keys(ours_client, shape, self._old)
            self._writer = Writer(filler, shape, self._old, keys) if report.rows else None
            self._twins = Twins(ours_client, twin_client, self._table, self._old, self._new)
            self._looks = StatementLooks(workload.statements, self._table)
            await self._walk(ours, twin)
        report.statements = self._looks.changes
        if self._conversion is not None:
            self._note_results(report)
        report.unrehearsed += [f"was not planned: {text}" for text in self._looks.unjudged]
        report.looked_at = None if workload.why else self._looks.judged
        if workload.why:
            (report.unrehearsed if workload.blind else report.notes).append(workload.why)

    def _note_results(self, report: RehearsalReport) -> None:
        """Say of results that have the new type, as a plain ALTER TYPE gives it to them, in one."""
        same = [change for change in report.statements if change.on_twin and not change.fails]
        same = [change for change in same if change.phase == "contract"]
        report.statements = [change for change in report.statements if change not in same]
        if same:
            report.notes.append(
                f"{len(same):,} statements of production return the column by its new type: a "
                "session that has one prepared gets SQLSTATE 0A000 until it prepares it anew"
            )

    async def _walk(self, ours: URL, twin: URL) -> None:
        await self._calm()
        settings = self._rename.database.settings.model_copy(update={"pgbouncer": False})
        options = replace(
            self._rename.options,
            quiet=_QUIET,
            lock_timeout=_LOCK_TIMEOUT,
            lock_attempts=_LOCK_ATTEMPTS,
        )
        async with Database(ours, settings) as database:
            rename = Rename(database, self._target, options)
            if not await self._there_and_back(rename, ours):
                return
            if self._conversion is None:
                await self._change_twin()
            filled = options.strategy == "view"
            # By a name of another type values are others: until the contract the old one is judged.
            names = (self._old,) if self._conversion else (self._old, self._new)
            for phase in ("expand", "backfill", "verify"):
                if not await self._phase(phase, getattr(rename, phase)()):
                    return
                filled = filled or (phase == "backfill" and self._conversion is None)
                await self._look(phase, names, self._new if filled else self._old)
            if self._conversion is not None:
                await retype_plainly(self._twins.twin, self._table_sql, self._old, self._conversion)
                await self._change_twin()
            if not self._target.keeps_name:
                await rename_names_with(self._twins.twin, self._table_sql, self._old, self._new)
            wanted = await self._dump(twin)
            if not await self._phase("contract", self._contract(rename, ours, wanted)):
                return
        self._same_schema("contract", await self._dump(ours), wanted)
        kept = self._target.keeps_name
        names = (self._old,) if kept else (self._old, self._new)
        await self._look("contract", names, self._old if kept else self._new)

    async def _change_twin(self) -> None:
        """Let PostgreSQL do by itself what is rehearsed."""
        if not self._target.keeps_name:
            await rename_plainly(self._twins.twin, self._table_sql, self._old, self._new)
            self._twins.renamed = True
        await self._looks.on_twin(self._twins.twin)

    async def _contract(self, rename: Rename, ours: URL, wanted: list[Piece]) -> None:
        """Contract, if need be after what its owner has to run first, as the twin has it."""
        confirm = f"{self._target.table}.{self._old}"
        try:
            await rename.contract(confirm=confirm)
        except ContractRefusedError:
            plan = await rename.plan()
            changed = await owner.change(
                self._twins.ours,
                lambda: self._dump(ours),
                wanted,
                texts_only=any(finding.slug == "in-place" for finding in plan.findings),
            )
            if not changed:
                raise
            self._report.to_run = changed
            await rename.contract(confirm=confirm)

    @property
    def _table_sql(self) -> str:
        return qualified(*self._table)

    async def _calm(self) -> None:
        """Run and plan everything while both are the same: what differs now does so by itself."""
        report, target = self._report, self._old
        await self._looks.before(self._twins.ours)
        await self._work("before", (target,), target)
        self._unstable = {difference.subject.split(" by ")[0] for difference in report.differences}
        report.differences.clear()
        ignored = await self._twins.settle()
        if ignored:
            said = f"columns whose values differ by themselves: {', '.join(ignored)}"
            report.notes.append(f"{said}; they were not compared")
        if self._unstable:
            said = f"statements that end differently by themselves: {', '.join(self._unstable)}"
            report.notes.append(f"{said}; they were not compared")

    async def _there_and_back(self, rename: Rename, ours: URL) -> bool:
        """Expand, backfill and roll back: everything has to be as it was."""
        before = await self._dump(ours)
        # The second backfill has nothing to do.
        for verb in ("expand", "backfill", "backfill", "rollback"):
            if not await self._phase(verb, getattr(rename, verb)()):
                return False
            if verb == "backfill":
                self._fixed = self._report.seconds[verb]
        self._same_schema("rollback", await self._dump(ours), before)
        await self._same_rows("rollback", self._old)
        return True

    async def _phase(self, phase: str, work: Awaitable[object]) -> bool:
        """Run a phase; return whether the next one may come."""
        self._say(phase)
        report, began = self._report, perf_counter()
        try:
            found = await work
        except InvoicingError as error:
            self._differ(phase, "failed", phase, str(error), "")
            return False
        took = report.seconds[phase] = round(perf_counter() - began, 3)
        by_rows = phase in _BY_ROWS and report.rows and report.strategy == "columns"
        times = max(report.real_rows / report.rows, 1.0) if by_rows else 1.0
        # What a phase takes whatever the rows are, as connecting does, does not grow with them.
        fixed = min(self._fixed, took)
        report.scaled[phase] = round(fixed + (took - fixed) * times, 3)
        if isinstance(found, VerifyReport) and not found.ok:
            self._differ(phase, "failed", phase, str(found), "")
            return False
        return True

    async def _look(self, phase: str, names: tuple[str, ...], read_by: str) -> None:
        await self._work(phase, names, read_by)
        await self._same_rows(phase, read_by)
        await self._looks.after(self._twins.ours, phase)

    async def _work(self, phase: str, names: tuple[str, ...], read_by: str) -> None:
        """Run each kind of statement by each name, on both."""
        if self._writer is None:
            return
        for name in names:
            # After the contract the old name is gone on both.
            same = self._conversion is not None or phase in {"before", "contract"}
            twins = name if same else self._new
            for work in self._writer.works():
                empty = work.reads and name == self._new and read_by == self._old
                if empty or work.kind in self._unstable:
                    continue
                ours, twin = await self._twins.both(work, name, twins)
                self._report.ran += 1
                if (ours.rows, ours.sqlstate) != (twin.rows, twin.sqlstate):
                    subject = f"{work.kind} by {name}: {work.statement(name)}"
                    self._differ(phase, "statement", subject, str(ours), str(twin))

    async def _same_rows(self, phase: str, read_by: str) -> None:
        for table, ours, twin in await self._twins.differences(read_by):
            self._differ(phase, "rows", table, ours, twin)

    def _same_schema(self, phase: str, ours: list[Piece], wanted: list[Piece]) -> None:
        for whose, kind, name, sql in differences(ours, wanted):
            mine = whose == "ours"
            subject = f"{kind} {name}"
            self._differ(phase, "schema", subject, sql if mine else "", "" if mine else sql)

    async def _dump(self, url: URL) -> list[Piece]:
        return await dumped(url, self._place.bin_dir, *_OURS)

    def _differ(self, phase: str, kind: str, subject: str, ours: str, twin: str) -> None:
        self._report.differences.append(Difference(phase, kind, subject, ours, twin))
