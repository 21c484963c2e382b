"""One operator at a time: an advisory lock, held by a session for as long as a phase runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import journal, state
from invoicing.toolkit.rename.column import find_column
from invoicing.toolkit.rename.ddl import Ddl
from invoicing.toolkit.rename.errors import RenameInProgressError
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.moved import find_table
from invoicing.toolkit.rename.session import connected, explained

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from invoicing.db.session import Database
    from invoicing.toolkit.rename.column import Relation
    from invoicing.toolkit.rename.model import Options, Target
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import Connection, Pool

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


class Operator:
    """The session that holds the lock, and what it works on."""

    def __init__(
        self,
        pool: Pool,
        connection: Connection,
        target: Target,
        relation: Relation,
        options: Options,
        phase: str = "",
    ) -> None:
        self.pool = pool
        self.connection = connection
        self.target = target
        self.relation = relation
        self.options = options
        self.names: Names = relation.names(target)
        self.entry = journal.Entry(connection, self.names, phase, options)
        # Who was at work when this began, and let go soon enough.
        self.waited_for: str | None = None
        self.ddl = Ddl(pool, connection, target, relation.oid, options, self.entry.ran)

    async def state(self) -> state.State | None:
        """Return the rename's row."""
        return await state.load(self.connection, self.names)

    async def phase(self) -> Phase:
        """Return how far the rename has come."""
        return await phase_of(self.connection, self.relation, self.target, await self.state())


@asynccontextmanager
async def operate(
    database: Database, target: Target, options: Options, phase: str = ""
) -> AsyncIterator[Operator]:
    """Yield the operator, once it holds the lock; what the driver raises is explained.

    Args:
        database: where.
        target: what.
        options: how.
        phase: what is to stand in the journal; empty for what is no phase.

    Raises:
        RenameInProgressError: another session holds it.
        UsageError: there is no such table.
    """
    with explained(target):
        # One for the operator, one to look who blocks it, one for each worker.
        async with (
            connected(database, options.workers + 2) as pool,
            pool.connection() as connection,
        ):
            relation = await find_table(connection, target)
            waited_for = await _take_lock(connection, target, relation.names(target).lock_key)
            operator = Operator(pool, connection, target, relation, options, phase)
            operator.waited_for = waited_for
            async with journal.kept(operator.entry):
                yield operator


async def phase_of(
    connection: Connection, relation: Relation, target: Target, noted: state.State | None
) -> Phase:
    """Return how far a rename has come: as it was noted, unless the catalog tells otherwise.

    A table made by later code has the new name and no note; one that was restored from a dump, made
    anew, or altered by hand has a note that is not true any more.
    """
    old = await find_column(connection, relation, target.old) is not None
    new = await find_column(connection, relation, target.new) is not None
    both = (old and new) or relation.base is not None
    phase = noted.phase if noted is not None else Phase.NONE
    if phase in {Phase.NONE, Phase.CONTRACTED}:
        back = await state.load(connection, relation.names(target.reversed()))
        if both and back is not None and back.phase is not Phase.CONTRACTED:
            return Phase.REVERSED
    elif both or phase not in _BOTH:
        return phase
    if new and not old:
        return Phase.CONTRACTED
    begun = old and not new and noted is not None and noted.strategy != "view"
    return Phase.EXPANDING if begun and phase in _BOTH else Phase.NONE


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
