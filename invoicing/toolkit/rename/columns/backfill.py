"""The backfill: batch after batch, each one statement and one transaction, its progress included.

A batch writes only rows that are not filled, so passing over rows again changes nothing. It never
waits for a row as long as the server takes to look for deadlocks: in a deadlock with a client it is
always the batch that gives way, and a row that another session keeps locked is left for the end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.columns import ranges
from invoicing.toolkit.rename.columns.filler import filler_of
from invoicing.toolkit.rename.columns.throttle import BatchSize, Rate, Throttle
from invoicing.toolkit.rename.columns.unfilled import Unfilled
from invoicing.toolkit.rename.connection.blockers import ROWS, WRITES, holding
from invoicing.toolkit.rename.connection.pool import explained, use_client_path
from invoicing.toolkit.rename.errors import RenameBlockedError
from invoicing.toolkit.rename.guard.guard import Guard
from invoicing.toolkit.rename.model import BackfillReport, Phase, Progress
from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.retype import conversion
from invoicing.toolkit.rename.table import leaves

if TYPE_CHECKING:
    from invoicing.toolkit.rename.columns.ranges import Range
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.strategy import Control

_TURNS = 3
_TRIES = 3
_ROUNDS = 5
_REST = 0.1
_RATE_OVER, _GUARDED_RATE_OVER = 10.0, 30.0
# Of the last: a row that a client has just moved to another partition.
_LOCKED = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
_SETTINGS = """
SELECT set_config('lock_timeout', least(200, greatest(setting::int / 2, 1)) || 'ms', false),
    -- A crash may lose the last batches, with their progress: they are simply done again.
    set_config('synchronous_commit', 'off', false),
    set_config('invoicing.backfill', 'on', false)
FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'
"""


class Backfill:
    """One run, from where the last one ended to the end or to a planned stop."""

    def __init__(self, session: RenameSession, control: Control) -> None:
        self._session, self._filler = session, filler_of(session)
        self._progress = control.progress or (lambda _: None)
        self._stop = control.stop or asyncio.Event()
        self._throttle = Throttle(session, self._stop, self._report_progress)
        self._guard = Guard(session, self._throttle, self._report_progress)
        # The guard's level goes up and down; an ETA has to see more than one rise.
        guarded = session.options.latency_guard is not None
        self._rate = Rate(_GUARDED_RATE_OVER if guarded else _RATE_OVER)
        self._ranges: list[Range] = []
        self._todo: list[Range] = []
        self._batch_size = session.options.batch_size
        self._total = self._updated = self._batches = 0

    async def run(self) -> BackfillReport:
        """Fill every row; `completed` is False after a planned stop.

        Raises:
            RenameBlockedError: another session keeps rows or the table locked.
            RowsDifferError: triggers of the table keep rows as they are.
        """
        try:
            return await self._run()
        finally:
            await self._guard.close()

    async def _run(self) -> BackfillReport:
        began = time.monotonic()
        session = self._session
        await session.connection.execute(state.set_phase(session.names, Phase.BACKFILLING))
        rounds, unfilled = 0, Unfilled(session)
        while True:
            await self._load()
            if self._todo:
                self._note_statement(self._todo[-1])
                await self._work()
                if self._stop.is_set():
                    return self._report(began, completed=False)
            elif await ranges.again(session.connection, session.names, only_skipped=True):
                rounds += 1
                await self._wait_for_rows(rounds, began)
            elif await unfilled.none_left():
                await self._finish()
                return self._report(began, completed=True)

    def _note_statement(self, part: Range) -> None:
        """Let the journal have the statement that every batch is, in its first form."""
        if not self._batches:
            names, measured = self._session.names, part.measured
            sql = self._filler.statement(names, part.sql, part.stripes, measured=measured)
            self._session.entry.ran(f"-- each batch:\n{sql.strip()}", None)

    async def _wait_for_rows(self, rounds: int, began: float) -> None:
        session = self._session
        if rounds > _ROUNDS:
            tables = await self._tables(session.connection)
            blockers = await holding(session.connection, tables, ROWS)
            waited = time.monotonic() - began
            statement = "UPDATE of rows that another session keeps locked"
            raise RenameBlockedError(str(session.target), statement, waited, blockers)
        self._report_progress("the last rows are locked by another session")
        await self._throttle.sleep(session.options.lock_timeout)

    async def _tables(self, connection: Connection) -> list[int]:
        return [leaf.oid for leaf in await leaves(connection, self._session.table)]

    async def _load(self) -> None:
        session = self._session
        self._total = await ranges.plan_ranges(session)
        found = await session.state()
        if found is not None and found.rows_total != self._total:
            await state.save(session.connection, session.names, rows_total=self._total)
        self._ranges = await ranges.load_ranges(session)
        self._todo = [range_ for range_ in self._ranges if not range_.done]
        self._todo.reverse()
        ends = {part.sql: part.end_page for part in self._ranges}
        self._guard.tables = list(ends.items())

    async def _work(self) -> None:
        workers = min(self._session.options.workers, len(self._todo))
        tasks = [asyncio.create_task(self._worker()) for _ in range(workers)]
        if not tasks:
            return
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            # One has failed, or we were cancelled: the others end too, and undo what is under way.
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ended:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end

    async def _worker(self) -> None:
        with explained(self._session.target, "UPDATE"):
            async with self._session.pool.connection() as connection:
                await connection.fetch(_SETTINGS)
                # Triggers, checks and indexes of the table may name things without their schemas.
                await use_client_path(connection, local=False)
                await self._filler.prepare(connection)
                try:
                    await self._take_turns(connection)
                except asyncpg.PostgresError as error:
                    conversion.advise(self._session.names, error)
                    raise

    async def _take_turns(self, connection: Connection) -> None:
        """Fill ranges, two at a time by turns, until none is left.

        A batch that comes back to the same pages at once finds dead rows there that the snapshot of
        another worker's batch, begun before they died, still needs: no room, and the row has to
        move. One turn later that batch has ended too.
        """
        turns: deque[tuple[Range, BatchSize]] = deque()
        while not self._stop.is_set():
            while self._todo and len(turns) < self._turns(turns):
                part = self._todo.pop()
                turns.append((part, self._sized(part)))
            if not turns:
                return
            part, pages = turns.popleft()
            async with self._guard.turn():
                pages.limit(*self._limits(part))
                began = time.monotonic()
                done = await self._batch(connection, part, pages.pages)
                pages.took(time.monotonic() - began)
            if done:
                self._batch_size = round(
                    self._throttle.options.batch_size * self._guard.batch * pages.share
                )
                await self._after()
                if not part.done:
                    turns.append((part, pages))

    def _turns(self, turns: deque[tuple[Range, BatchSize]]) -> int:
        """Return how many ranges to have: no second one that another worker could begin with."""
        others = self._session.options.workers - 1
        return _TURNS if not turns or len(self._todo) > others else 1

    def _sized(self, part: Range) -> BatchSize:
        return BatchSize(*self._limits(part))

    def _limits(self, part: Range) -> tuple[int, float]:
        """Return how many pages a batch of the range may have, and how long it may take."""
        options = self._throttle.options
        share = self._guard.batch * options.batch_size / self._session.options.batch_size
        most = max(round(part.batch_pages * share), 1)
        return min(most, part.end_page - part.first_page), options.target

    async def _batch(self, connection: Connection, part: Range, pages: int) -> bool:
        """Fill one stripe of some pages; False when it was not done, and must be looked at anew."""
        done = None
        for _ in range(_TRIES):
            try:
                done = await self._filler.batch(connection, self._session, part, pages)
            except _LOCKED:
                continue
            break
        else:
            done = await self._stubborn(connection, part, pages)
        if done is None:
            return False
        updated, part.stripe, part.page = done
        self._updated += updated
        self._batches += 1
        return True

    async def _stubborn(
        self, connection: Connection, part: Range, pages: int
    ) -> tuple[int, int, int] | None:
        """Run a batch that leaves locked rows out; who stops that has the table locked."""
        session, began = self._session, time.monotonic()
        patience = session.options.lock_timeout * session.options.lock_attempts
        while not self._stop.is_set():
            try:
                return await self._filler.batch(connection, session, part, pages, skip_locked=True)
            except _LOCKED:
                waited = time.monotonic() - began
            if waited > patience:
                async with session.pool.connection() as other:
                    blockers = await holding(other, await self._tables(other), WRITES)
                raise RenameBlockedError(str(session.target), "UPDATE", waited, blockers)
            self._report_progress("the table is locked by another session")
            await self._throttle.sleep(_REST)
        return None

    async def _after(self) -> None:
        if self._session.connection.is_closed():
            message = "the session that holds the lock was ended"
            raise ConnectionAbortedError(message)
        self._report_progress()
        await self._throttle.rest()

    def _report_progress(self, waiting: str | None = None) -> None:
        done = sum(range_.rows_done for range_ in self._ranges)
        self._guard.rate = rate = self._rate.at(done)
        left = max(self._total - done, 0)
        self._progress(
            Progress(
                rows_done=done,
                rows_total=self._total,
                rate=rate,
                eta=left / rate if rate > 0 else None,
                batch_size=self._batch_size,
                waiting=waiting,
                guard=self._guard.said(),
            )
        )

    async def _finish(self) -> None:
        connection, names = self._session.connection, self._session.names
        # Without statistics the first plans of the new code would be guesses.
        await self._session.ddl.long(f"ANALYZE {names.relation} ({quote(names.new)})")
        await connection.execute(state.set_phase(names, Phase.BACKFILLED))
        self._report_progress()

    def _report(self, began: float, *, completed: bool) -> BackfillReport:
        seconds = time.monotonic() - began
        return BackfillReport(
            completed, self._updated, self._batches, seconds, guard=self._guard.report()
        )
