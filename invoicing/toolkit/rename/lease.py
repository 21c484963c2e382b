"""One session at a time works on a table: it holds an advisory lock for as long as a phase runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename import journal, ownership, state
from invoicing.toolkit.rename.connection.ddl import Ddl
from invoicing.toolkit.rename.connection.pool import connected, explained, write
from invoicing.toolkit.rename.errors import RenameInProgressError
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.moved import find_context
from invoicing.toolkit.rename.session import RenameSession
from invoicing.toolkit.rename.strategies import strategy_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from invoicing.db.session import Database
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.model import Options, Target
    from invoicing.toolkit.rename.names import Names

# A backend whose client was killed needs a moment to notice, and to let go of its lock.
_PATIENCE = 2.0
_HOLDER = """
SELECT a.pid, a.application_name, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')
FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = $1
"""


# Phases in which the table answers to both names.
_BOTH = frozenset(
    {Phase.EXPANDED, Phase.BACKFILLING, Phase.BACKFILLED, Phase.VERIFYING, Phase.VERIFIED}
    | {Phase.CONTRACTING}
)


@asynccontextmanager
async def lease(
    database: Database, target: Target, options: Options, phase: str = ""
) -> AsyncIterator[RenameSession]:
    """Yield the session, once it holds the lock; what the driver raises is explained.

    Args:
        database: where.
        target: what.
        options: how.
        phase: what is to stand in the journal; empty for what is no phase.

    Raises:
        RenameInProgressError: another session holds it.
        RenameFailedError: what it keeps belongs to a role that this account is no member of.
        RenameMovedError: the table or one of the columns has another name than it began with.
        UsageError: there is no such table.
    """
    with explained(target):
        # One holds the lock, one looks who blocks it, and there is one for each worker.
        async with (
            connected(database, options.workers + 2) as pool,
            pool.connection() as connection,
        ):
            context = await find_context(connection, target, options)
            waited_for = await _take_lock(connection, target, context.names.lock_key)
            # Whoever had the lock may have changed the table meanwhile.
            context = await find_context(connection, target, options)
            await ownership.refuse_denied(context)
            entry = journal.Entry(connection, context.names, phase, options)
            ddl = Ddl(pool, context, entry.ran)
            try:
                async with journal.kept(entry):
                    found = (connection, target, options, context.table, pool, entry, ddl)
                    yield RenameSession(*found, waited_for, conversion=context.conversion)
            finally:
                # What was made is the table's owner's, however this ended.
                if not connection.is_closed():
                    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                        await write(connection, ownership.hand_over(context.names))


async def current_phase(session: RenameSession) -> Phase:
    """Return how far the session's rename has come."""
    return await phase_of(session, await session.state())


async def phase_of(context: RenameContext, noted: state.State | None) -> Phase:
    """Return how far a rename has come: as it was noted, unless the catalog says otherwise.

    A table made by later code has the new name and no note; one that was restored from a dump, made
    anew, or altered by hand has a note that is not true any more.
    """
    table, target = context.table, context.target
    if table.left is not None:
        return Phase.NONE
    if target.keeps_name:
        return _phase_of_type(context, noted)
    old, new = target.old in table.columns, target.new in table.columns
    both = (old and new) or table.base is not None
    phase = noted.phase if noted is not None else Phase.NONE
    if phase in {Phase.NONE, Phase.CONTRACTED}:
        back = await state.load(context.connection, context.names.reversed())
        if both and back is not None and back.phase is not Phase.CONTRACTED:
            return Phase.REVERSED
    elif both or phase not in _BOTH:
        return phase
    if new and not old:
        return Phase.CONTRACTED
    begun = old and not new and noted is not None and phase in _BOTH
    return strategy_of(noted.strategy).without_new if begun and noted is not None else Phase.NONE


def _phase_of_type(context: RenameContext, noted: state.State | None) -> Phase:
    """Return how far a change of the type has come, after which the column has its own name."""
    if noted is None:
        return Phase.NONE
    column = context.table.columns.get(context.target.old)
    if noted.phase is Phase.CONTRACTED:
        type_ = noted.definition["conversion"]["new"]["type"]
        return noted.phase if column is not None and column.type == type_ else Phase.NONE
    begun = context.target.new in context.table.columns or noted.phase not in _BOTH
    return noted.phase if begun else strategy_of(noted.strategy).without_new


async def holder(connection: Connection, names: Names) -> int | None:
    """Return the server process that holds the lock."""
    row = await connection.fetchrow(_HOLDER, names.lock_key)
    return None if row is None else row[0]


async def _take_lock(connection: Connection, target: Target, key: int) -> str | None:
    """Take the lock; return who held it at first."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    first = None
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):
        found = await connection.fetchrow(_HOLDER, key)
        if found is not None:
            pid, application, since = found
            when = f", since {since}" if since else ""
            first = first or f"pid {pid} ({application or 'no application_name'}{when})"
        if asyncio.get_running_loop().time() > deadline:
            raise RenameInProgressError(target, *(found or (None, None, None)))
        await asyncio.sleep(0.1)
    return first
