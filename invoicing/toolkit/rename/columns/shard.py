"""Batches of a table whose rows Citus keeps on another node: by the coordinator, as clients do.

Citus finds the shard anew for each batch, so that it may move at any time; where it has, the ranges
of pages are cut anew. A batch is a transaction of Citus': rows and progress are on two servers, and
what is killed between the two commits is passed over again, which writes nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename import nodes
from invoicing.toolkit.rename.columns.preflight import can_silence_triggers
from invoicing.toolkit.rename.columns.stripes import RANGES, in_stripe
from invoicing.toolkit.rename.columns.sync import unfilled
from invoicing.toolkit.rename.names import MARK, literal, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.rename.columns.ranges import Range
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.table import ResolvedTable

_PLACE = "key = $1 AND relation = $2 AND first_page = $3 AND stripe = $4 AND page = $5"
_TABLE = "$1::pg_catalog.oid::pg_catalog.regclass"
_PAGES = (
    f"SELECT pg_catalog.citus_relation_size({_TABLE})"
    " / pg_catalog.current_setting('block_size')::pg_catalog.int8"
)
_TOAST = f"SELECT pg_catalog.citus_table_size({_TABLE}) - pg_catalog.citus_relation_size({_TABLE})"


class ShardRows:
    """Fills the rows of a shard (see `filler`)."""

    def __init__(self) -> None:
        self._settings: list[str] = []

    def file(self, relation: str) -> str:
        """Return SQL for what keeps a table's rows: its place in the cluster."""
        return nodes.placement_of(relation)

    async def counted(self, context: RenameContext, leaf: ResolvedTable) -> str | None:
        """Count the rows and the pages on their node."""
        connection = context.connection
        # The pages last: what comes after them is filled by the triggers, as what comes between.
        rows = await connection.fetchval(f"SELECT {MARK} count(*) FROM {leaf.sql}")
        pages = await connection.fetchval(_PAGES, leaf.oid)
        return f"SELECT {rows}::bigint AS rows, {pages}::bigint AS pages"

    async def wide(self, context: RenameContext) -> str:
        """Return SQL for whether a range's values may be too much for one batch."""
        outside = await context.connection.fetchval(_TOAST, context.table.oid)
        wide = "true" if outside > context.options.batch_bytes else "false"
        return f"({wide} AND $2::text IS NOT NULL AND $3::bigint > 0)"

    async def prepare(self, connection: Connection) -> None:
        """Note what each batch sets on the node, where only SET LOCAL reaches."""
        patience = await connection.fetchval("SELECT pg_catalog.current_setting('lock_timeout')")
        self._settings = [
            f"SET LOCAL lock_timeout = '{patience}'",
            "SET LOCAL synchronous_commit = off",
            "SET LOCAL invoicing.backfill = 'on'",
        ]
        if await can_silence_triggers(connection):
            self._settings.append("SET LOCAL session_replication_role = replica")

    def statement(self, names: Names, table: str, stripes: int, *, measured: bool = False) -> str:
        """Return what every batch of a table is in its first form, for a plan and the journal."""
        only = " AND ctid = ANY ($4::tid[])" if measured else ""
        rows = _rows(names, ("$1", "$2"), str(stripes), "$3") + only
        return _update(names, table, rows)

    async def batch(
        self,
        connection: Connection,
        context: RenameContext,
        part: Range,
        pages: int,
        *,
        skip_locked: bool = False,
    ) -> tuple[int, int, int] | None:
        """Fill one stripe of some pages; None where the range or the shard was moved meanwhile."""
        names = context.names
        end, stripe, page = part.step(pages)
        place = (names.key, part.relation, part.first_page, part.stripe, part.page)
        async with connection.transaction():
            for setting in self._settings:
                await connection.execute(setting)
            here = f"SELECT FROM {RANGES} AS r WHERE {_PLACE} AND file = {self.file('relation')}"
            if await connection.fetchrow(f"{here} FOR NO KEY UPDATE", *place) is None:
                return None
            between = (f"'({part.page},0)'", f"'({end},0)'")
            rows = _rows(names, between, str(part.stripes), str(part.stripe))
            if skip_locked or part.measured:
                found = await self._found(connection, part, names, rows, skip_locked=skip_locked)
                chosen = list(_within(found, context.options.batch_bytes, part.measured))
                if len(chosen) < len(found):
                    stripe, page = part.stripe, part.page
                rows += f" AND ctid = ANY ({_tids(chosen)})"
            done: str = await connection.execute(_update(names, part.sql, rows))
            updated = int(done.rsplit(maxsplit=1)[-1])
            await connection.execute(
                f"UPDATE {RANGES} SET stripe = $6, page = $7, rows_updated = rows_updated + $8,"
                f" skipped = skipped OR $9 WHERE {_PLACE}",
                *place,
                stripe,
                page,
                updated,
                skip_locked,
            )
        return updated, stripe, page

    async def take_again(self, context: RenameContext, leaf: ResolvedTable, _rows: str) -> None:
        """Let the whole table be cut, and passed over, again."""
        await context.connection.execute(
            f"DELETE FROM {RANGES} WHERE key = $1 AND relation = $2", context.names.key, leaf.oid
        )

    async def _found(
        self, connection: Connection, part: Range, names: Names, rows: str, *, skip_locked: bool
    ) -> list[Any]:
        size = f"pg_catalog.pg_column_size({quote(names.old)})"
        query = f"SELECT {MARK} ctid, {size} AS size FROM ONLY {part.sql} WHERE {rows}"
        # Not by ORDER BY, which would lock rows before it has sorted them.
        locked = " FOR NO KEY UPDATE SKIP LOCKED" if skip_locked else ""
        return sorted(await connection.fetch(query + locked), key=lambda row: row["ctid"])


def _rows(names: Names, pages: tuple[str, str], stripes: str, stripe: str) -> str:
    """Return the condition of one batch's rows."""
    here = f"ctid >= {pages[0]}::tid AND ctid < {pages[1]}::tid"
    return f"{here} AND {unfilled(names)} AND {in_stripe(stripes, stripe)}"


def _update(names: Names, table: str, rows: str) -> str:
    values = f"{quote(names.new)} = {quote(names.old)}"
    return f"UPDATE {MARK} ONLY {table} SET {values} WHERE {rows}"


def _within(found: Iterable[Any], most: int, measured: bool) -> Iterable[tuple[int, int]]:
    """Yield the rows of one batch, of which the first alone may be larger."""
    size = 0
    for row in found:
        size += row["size"] or 0
        if measured and size > most and size > (row["size"] or 0):
            return
        yield row["ctid"]


def _tids(found: Iterable[tuple[int, int]]) -> str:
    return literal("{" + ",".join(f'"({page},{item})"' for page, item in found) + "}") + "::tid[]"
