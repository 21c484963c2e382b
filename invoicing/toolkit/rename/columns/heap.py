"""Batches of a table whose rows are on this server: rows and progress in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename.columns import stripes
from invoicing.toolkit.rename.columns.preflight import can_silence_triggers
from invoicing.toolkit.rename.columns.stripes import RANGES, in_stripe
from invoicing.toolkit.rename.columns.sync import unfilled
from invoicing.toolkit.rename.names import MARK, quote
from invoicing.toolkit.rename.retype import conversion

if TYPE_CHECKING:
    from invoicing.toolkit.rename.columns.ranges import Range
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.table import ResolvedTable

# What lies outside the pages now: what clients write from now on is filled by the trigger.
_WIDE = (
    "EXISTS (SELECT FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
    " WHERE c.oid = relation AND a.attname = $2 AND a.attlen = -1 AND a.attstorage <> 'p'"
    " AND c.reltoastrelid <> 0 AND pg_relation_size(c.reltoastrelid) > $3)"
)


class HeapRows:
    """Fills the rows of tables of this server (see `filler`)."""

    def file(self, relation: str) -> str:
        """Return SQL for what keeps a table's rows."""
        return stripes.file_of(relation)

    async def counted(self, _context: RenameContext, _leaf: ResolvedTable) -> str | None:
        """Let the statement that cuts the table count its rows."""
        return None

    async def wide(self, _context: RenameContext) -> str:
        """Return SQL for whether a range's values may be too much for one batch."""
        return _WIDE

    async def prepare(self, connection: Connection) -> None:
        """Keep the table's own triggers silent."""
        if await can_silence_triggers(connection):
            await connection.execute("SET session_replication_role = replica")

    def statement(self, names: Names, table: str, stripes: int, *, measured: bool = False) -> str:
        """Return what every batch of a table is in its first form, for a plan and the journal."""
        return batch_statement(names, table, stripes, measured=measured)

    async def batch(
        self,
        connection: Connection,
        context: RenameContext,
        part: Range,
        pages: int,
        *,
        skip_locked: bool = False,
    ) -> tuple[int, int, int] | None:
        """Fill one stripe of some pages; None where the range was moved meanwhile."""
        names, options = context.names, context.options
        end, stripe, page = part.step(pages)
        values: list[Any] = [stripe, page, names.key, part.relation, part.first_page, part.stripe]
        values += [part.page, (part.page, 0), (end, 0), part.stripe]
        values += [options.batch_bytes] if part.measured else []
        statement = batch_statement(
            names, part.sql, part.stripes, measured=part.measured, skip_locked=skip_locked
        )
        done = await connection.fetchrow(statement, *values)
        return None if done is None else tuple(done)

    async def take_again(self, context: RenameContext, leaf: ResolvedTable, rows: str) -> None:
        """Let the ranges be passed over again that have rows which fulfil a condition."""
        connection, key = context.connection, context.names.key
        found = f"SELECT FROM ONLY {leaf.sql} WHERE {rows} AND ctid >="
        ours = f"FROM {RANGES} AS r WHERE key = $1 AND relation = $2"
        # Pages that came while the triggers were disabled are in no range: it is cut anew.
        await connection.execute(
            f"DELETE {ours} AND EXISTS ({found}"
            f" (SELECT format('(%s,0)', max(end_page))::tid {ours}))",
            key,
            leaf.oid,
        )
        await connection.execute(
            f"UPDATE {RANGES} AS r SET stripe = 0, page = first_page WHERE key = $1"
            f" AND relation = $2 AND EXISTS ({found} format('(%s,0)', first_page)::tid"
            " AND ctid < format('(%s,0)', end_page)::tid)",
            key,
            leaf.oid,
        )


def batch_statement(
    names: Names, table: str, stripes: int, *, measured: bool = False, skip_locked: bool = False
) -> str:
    """Return the statement of a batch: the rows and the progress, in one transaction.

    Parameters: the stripe and page afterwards; key, relation, first page, stripe and page of the
    range as we know it, so that two sessions could not both move it; the pages; the stripe; and
    of a measured batch its bytes, which one row alone may exceed. What was left for them is taken
    next time, for then the range has not moved.
    """
    old, new = quote(names.old), quote(names.new)
    rows = f"ctid >= $8::tid AND ctid < $9::tid AND {unfilled(names)}"
    rows += f" AND {in_stripe(str(stripes), '$10::int')}"
    fill = f"UPDATE {MARK} ONLY {table} AS t SET {new} = {conversion.to_new(names, old)}"
    free = f"SELECT ctid, pg_column_size({old}) AS size FROM ONLY {table} WHERE {rows}"
    steps, left, condition = [], "false", rows
    if skip_locked or measured:
        lock = " FOR NO KEY UPDATE SKIP LOCKED" if skip_locked else ""
        steps.append(f"free AS MATERIALIZED ({free}{lock})")
    if skip_locked:
        fill, condition = f"{fill} FROM free", "t.ctid = free.ctid"
    if measured:
        cut = "max(ctid) FILTER (WHERE bytes <= $11::bigint OR bytes = size) AS here"
        steps += [
            "sized AS (SELECT ctid, size, sum(size) OVER (ORDER BY ctid) AS bytes FROM free)",
            f"cut AS (SELECT {cut}, max(ctid) AS there FROM sized)",
        ]
        condition += " AND t.ctid <= (SELECT here FROM cut)"
        left = "(SELECT here < there FROM cut)"
    steps.append(f"filled AS ({fill} WHERE {condition} RETURNING 1)")
    return (
        f"WITH {', '.join(steps)} UPDATE {RANGES} AS r"
        f" SET stripe = CASE WHEN {left} THEN r.stripe ELSE $1 END,"
        f" page = CASE WHEN {left} THEN r.page ELSE $2 END,"
        f" rows_updated = rows_updated + (SELECT count(*) FROM filled)"
        f"{', skipped = true' if skip_locked else ''}"
        " WHERE key = $3 AND relation = $4 AND first_page = $5 AND stripe = $6 AND page = $7"
        " AND file = pg_relation_filenode(relation)::oid"
        " RETURNING (SELECT count(*) FROM filled), stripe, page"
    )
