"""Statements that need a lock on the table: short waits, bounded retries, and who blocks them.

While a statement waits for ACCESS EXCLUSIVE, every later query of the table waits behind it. So the
first tries are very short, and none is longer than `lock_timeout`.
"""

from __future__ import annotations

import asyncio
from random import SystemRandom
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.connection.blockers import Watch
from invoicing.toolkit.rename.connection.pool import explained, shown, write
from invoicing.toolkit.rename.errors import RenameBlockedError
from invoicing.toolkit.rename.model import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invoicing.toolkit.rename.blocker import Blocker
    from invoicing.toolkit.rename.connection.pool import Pool
    from invoicing.toolkit.rename.context import RenameContext

_FIRST_WAIT = 0.1
_LONGEST_REST = 5.0
_PATIENCE_FOR_AUTOVACUUM = """
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
    pg_catalog.pg_settings AS s, set_config('lock_timeout', (s.setting::int + 1000) || 'ms', true)
WHERE c.oid = $1 AND s.name = 'deadlock_timeout'
"""
_GENTLE = "LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE"
# Whom a statement blocks that blocks no session.
NONE = "none"
_NO_LOCK = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


def first_step(phase: str, table: str) -> Step:
    """Return what a short transaction of `Ddl` begins with, for a plan."""
    return Step(
        phase, _GENTLE.format(table), "SHARE UPDATE EXCLUSIVE", "none; autovacuum gives way"
    )


def short_steps(phase: str, table: str, statements: Iterable[str]) -> list[Step]:
    """Return a short transaction of `Ddl`, for a plan."""
    blocks = "all sessions, for at most lock_timeout per attempt"
    return [
        first_step(phase, table),
        *(Step(phase, sql, "ACCESS EXCLUSIVE, for milliseconds", blocks) for sql in statements),
    ]


def free_steps(phase: str, statements: Iterable[str]) -> list[Step]:
    """Return statements that lock nothing of a client's, for a plan."""
    return [Step(phase, sql, "none on the table", NONE) for sql in statements]


class Ddl:
    """Runs DDL on one table, watched by a second connection that can see who blocks it."""

    def __init__(
        self,
        pool: Pool,
        context: RenameContext,
        ran: Callable[[str, float, int], None] = lambda _sql, _seconds, _tries: None,
    ) -> None:
        self._ran = ran
        self._pool = pool
        self._connection = context.connection
        self._target = context.target
        self._table = context.table.oid
        self._options = context.options

    async def short(self, *statements: str, also: Iterable[int] = ()) -> None:
        """Run statements in one transaction, all of which end at once when they have their locks.

        Args:
            statements: the first takes the strongest lock.
            also: other tables they lock.

        Raises:
            RenameBlockedError: another session held a lock all the time.
        """
        options, tables = self._options, [self._table, *also]
        tried = 0.0
        blockers: list[Blocker] = []
        for attempt in range(options.lock_attempts):
            wait = min(_FIRST_WAIT * 2**attempt, options.lock_timeout)
            began = asyncio.get_running_loop().time()
            watch = Watch(self._pool, self._connection, tables, after=wait * 0.6)
            async with watch:
                try:
                    with explained(self._target, statements[0]):
                        await self._attempt(statements, wait)
                    took = asyncio.get_running_loop().time() - began
                    self._ran(";\n".join(statements), took, attempt + 1)
                except _LockAttemptError:
                    tried += asyncio.get_running_loop().time() - began
                    blockers = await watch.found() or blockers
                else:
                    return
            if attempt + 1 < options.lock_attempts:
                await self._rest(attempt)
        raise RenameBlockedError(str(self._target), shown(statements[0]), tried, blockers)

    async def long(self, statement: str) -> None:
        """Run a statement that reads the whole table, and that no reader or writer waits for.

        Raises:
            RenameBlockedError: a transaction that it has to wait for did not end.
        """
        options, connection = self._options, self._connection
        patience = options.lock_timeout * options.lock_attempts
        watch = Watch(self._pool, connection, [self._table], after=min(patience / 2, 1.0))
        with explained(self._target, statement):
            await connection.execute(f"SET lock_timeout = '{max(round(patience * 1000), 1)}ms'")
            try:
                began = asyncio.get_running_loop().time()
                async with watch:
                    await write(connection, statement)
                self._ran(statement, asyncio.get_running_loop().time() - began, 1)
            except _NO_LOCK:
                raise RenameBlockedError(
                    str(self._target), shown(statement), patience, await watch.found()
                ) from None
            finally:
                if not connection.is_closed():
                    await connection.execute("SET lock_timeout = 0")

    async def _attempt(self, statements: tuple[str, ...], wait: float) -> None:
        try:
            async with self._connection.transaction():
                await self._send_autovacuum_away()
                # The second limit is for a lock on each of many partitions, one after another.
                await self._connection.execute(
                    f"SET LOCAL lock_timeout = '{max(round(wait * 1000), 1)}ms';"
                    f"SET LOCAL statement_timeout = '{round(wait * 2000) + 1000}ms'"
                )
                await write(self._connection, *statements)
        except (*_NO_LOCK, asyncpg.QueryCanceledError):
            raise _LockAttemptError from None

    async def _send_autovacuum_away(self) -> None:
        """Take the weakest lock that autovacuum gives way to, which no client waits behind.

        It gives way when a session has waited for `deadlock_timeout`: with the strong lock, every
        client would wait as long. https://www.postgresql.org/docs/current/routine-vacuuming.html
        """
        # By its oid: while a view stands in its place, the table has another name.
        table = await self._connection.fetchval(_PATIENCE_FOR_AUTOVACUUM, self._table)
        if table is not None:
            await self._connection.execute(_GENTLE.format(table))

    async def _rest(self, attempt: int) -> None:
        # Jitter: two renames, or we and a periodic job, are not to meet each time.
        longest = min(0.2 * 2**attempt, _LONGEST_REST)
        await asyncio.sleep(longest * SystemRandom().uniform(0.5, 1.0))


class _LockAttemptError(Exception):
    """One attempt did not get its lock; never leaves this module."""
