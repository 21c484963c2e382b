"""A change of the type from wherever it stands to where only the contract is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.connection.pool import connected
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.moved import find_context
from invoicing.toolkit.rename.retype.target import type_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from invoicing.toolkit.rename.model import (
        BackfillReport,
        Plan,
        Progress,
        Status,
        VerifyReport,
    )
    from invoicing.toolkit.rename.rename import Rename

# Whatever is an integer narrower than the type that is asked for, however far it is away.
_REFERRING = """
WITH RECURSIVE wanted AS (
    SELECT t.typlen FROM pg_catalog.pg_type AS t
    WHERE t.oid = pg_catalog.to_regtype($3) AND t.typname IN ('int2', 'int4', 'int8')
), referring AS (
    SELECT a.attrelid, a.attnum, 0 AS depth, ARRAY[a.attrelid::text || '.' || a.attnum] AS path
    FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = $1 AND a.attname = $2
    UNION ALL
    SELECT h.attrelid, h.attnum, r.depth + 1, r.path || (h.attrelid::text || '.' || h.attnum)
    FROM referring AS r JOIN pg_catalog.pg_constraint AS k ON k.contype = 'f'
        AND k.confrelid = r.attrelid AND k.conparentid = 0 AND r.attnum = ANY (k.confkey)
    JOIN pg_catalog.pg_attribute AS h ON h.attrelid = k.conrelid
        AND h.attnum = k.conkey[pg_catalog.array_position(k.confkey, r.attnum)]
    WHERE h.attrelid::text || '.' || h.attnum <> ALL (r.path)
)
SELECT n.nspname::text, c.relname::text, a.attname::text
FROM (SELECT attrelid, attnum, max(depth) AS depth FROM referring GROUP BY 1, 2) AS r
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.attrelid AND a.attnum = r.attnum
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid AND t.typname IN ('int2', 'int4')
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE r.depth > 0 AND t.typlen < (SELECT typlen FROM wanted)
    AND a.attname !~ '^invoicing_retype_[0-9a-f]{12}$'
ORDER BY r.depth DESC, n.nspname, c.relname, a.attname
"""
_UNFILLED = frozenset({Phase.EXPANDED, Phase.BACKFILLING})
_VERIFIED = frozenset({Phase.VERIFIED, Phase.CONTRACTING})


class Beginning(NamedTuple):
    """Where a change stands when it is asked for.

    Attributes:
        plan: None where it is under way, or over and no other type was asked for.
        over: whether the column has the type that was asked for.
    """

    status: Status
    plan: Plan | None
    over: bool


class Walked(NamedTuple):
    """How far it came; what did not run is None, and a report that is not `ok` ended it."""

    backfill: BackfillReport | None = None
    verify: VerifyReport | None = None

    @property
    def verified(self) -> bool:
        """Return whether the contract may be asked for."""
        stopped = self.backfill is not None and not self.backfill.completed
        return not stopped and (self.verify is None or self.verify.ok)


async def look(change: Rename) -> Beginning:
    """Say where it stands, and what would happen."""
    status = await change.status()
    if status.phase is Phase.CONTRACTED and change.options.type is None:
        return Beginning(status, None, over=True)
    if status.phase not in {Phase.NONE, Phase.CONTRACTED}:
        return Beginning(status, None, over=False)
    plan = await change.plan()
    over = any(finding.slug == "same-type" for finding in plan.refusals)
    return Beginning(status, plan, over)


async def with_referring(change: Rename) -> list[Rename]:
    """Return its change and those of the narrower columns that refer to it, in order.

    The outermost first and its own last, but before all of them what is under way: a table has one
    change at a time. Each is a change of the type by itself, to its own contract: a foreign key
    holds between an integer and a bigint at every moment. Where no type is given, it is the one
    that any of them was begun with.
    """
    target, options = change.target, change.options
    ways = (options.using, options.back, options.loss)
    if options.using is not None or (options.type is None and ways != (None, None, "error")):
        return [change]
    async with connected(change.database, 1) as pool, pool.connection() as connection:
        context = await find_context(connection, target, options)
        if target.old not in context.table.columns:
            return [change]
        own = (context.names.schema, context.names.table, target.old)
        begun = await state.begun_types(connection)
        asked = [begun[own]] if own in begun else list(begun.values())
        for chosen in [options] if options.type else [replace(options, **each) for each in asked]:
            rows = await connection.fetch(_REFERRING, context.table.oid, target.old, chosen.type)
            places = [*map(tuple, rows), own]
            if options.type or not begun.keys().isdisjoint(places):
                break
        else:
            return [change]
    places.sort(key=lambda place: place not in begun)
    targets = [
        target if place == own else type_of(place[1], place[2], place[0], target.url)
        for place in places
    ]
    return [type(change)(change.database, each, chosen) for each in targets]


async def walk(
    change: Rename,
    progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
) -> Walked:
    """Expand, backfill and verify, but for what is done already.

    Raises:
        RenameRefusedError: the plan refuses it.
        UsageError: it was begun with another type.
    """
    phase = (await change.status()).phase
    filled = verified = None
    if phase is not Phase.CONTRACTING:
        await change.expand()  # begun, it refuses another type, and repairs
        phase = (await change.status()).phase
    if phase in _UNFILLED:
        filled = await change.backfill(progress=progress, stop=stop)
        if not filled.completed:
            return Walked(filled)
    if phase not in _VERIFIED:
        verified = await change.verify()
    return Walked(filled, verified)
