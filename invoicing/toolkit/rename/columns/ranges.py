"""The backfill's work, cut into ranges of pages; each range's progress is a row in the database.

A range is passed over several times, once for each *stripe*: the rows whose place on their page
leaves the same remainder. Pages are full, so updating a whole page at once would move every row
elsewhere and write every index again; of a stripe's rows only the first few have to move, for the
next stripe finds the dead versions of the last one pruned away, and stays on its page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.columns import stripes
from invoicing.toolkit.rename.columns.filler import filler_of
from invoicing.toolkit.rename.columns.stripes import RANGES
from invoicing.toolkit.rename.table import leaves

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.table import ResolvedTable


@dataclass
class Range:
    """Pages of one table, and where the backfill stands in them.

    Attributes:
        stripe: passes that are done; the range is done when all are.
        page: where the present pass goes on.
        batch_pages: how many pages hold one batch of one stripe.
        measured: whether what lies outside the pages may be too much for one batch.
    """

    relation: int
    sql: str
    first_page: int
    end_page: int
    stripes: int
    stripe: int
    page: int
    rows_expected: int
    batch_pages: int
    measured: bool

    @property
    def done(self) -> bool:
        """Return whether every stripe has been passed over."""
        return self.stripe >= self.stripes

    @property
    def rows_done(self) -> int:
        """Return how many of its rows are done, as far as pages and stripes say."""
        if self.done:
            return self.rows_expected
        part = (self.page - self.first_page) / max(self.end_page - self.first_page, 1)
        return round(self.rows_expected * (self.stripe + part) / self.stripes)

    def step(self, pages: int) -> tuple[int, int, int]:
        """Return where a batch of so many pages ends, and the stripe and page after it."""
        end = min(self.page + pages, self.end_page)
        if end >= self.end_page:
            return end, self.stripe + 1, self.first_page
        return end, self.stripe, end


async def plan_ranges(context: RenameContext) -> int:
    """Cut every table that has no ranges yet; return the rows that are counted in all of them.

    The triggers are on already, so pages that are appended from now on hold filled rows only.
    A table that was rewritten meanwhile (VACUUM FULL, TRUNCATE) is cut again.
    """
    connection, names = context.connection, context.names
    tables = await leaves(connection, context.table)
    file = filler_of(context).file("relation")
    await connection.execute(stripes.forget_rewritten(names.key, file))
    await connection.execute(
        f"DELETE FROM {RANGES} WHERE key = $1 AND relation <> ALL ($2::oid[])",
        names.key,
        [leaf.oid for leaf in tables],
    )
    rows = await connection.fetch(
        f"SELECT DISTINCT relation FROM {RANGES} WHERE key = $1", names.key
    )
    known = {row[0] for row in rows}
    for leaf in tables:
        if leaf.oid not in known:
            await _cut(context, leaf)
    query = f"SELECT coalesce(sum(rows_expected), 0)::bigint FROM {RANGES} WHERE key = $1"
    return int(await connection.fetchval(query, names.key))


async def load_ranges(context: RenameContext) -> list[Range]:
    """Return every range, as the database has it."""
    tables = {leaf.oid: leaf.sql for leaf in await leaves(context.connection, context.table)}
    pages = "(end_page - first_page)"
    batch_pages = stripes.batch_pages(context.options, "rows_expected", pages, "stripes")
    rows = await context.connection.fetch(
        "SELECT relation, first_page, end_page, stripes, stripe, page, rows_expected,"
        f" {batch_pages} AS batch_pages, {await filler_of(context).wide(context)}"
        f" FROM {RANGES} WHERE key = $1 ORDER BY relation, first_page",
        context.names.key,
        context.target.old,
        context.options.batch_bytes,
    )
    return [
        Range(row["relation"], tables[row["relation"]], *list(row)[1:])
        for row in rows
        if row["relation"] in tables
    ]


async def rows_done(context: RenameContext) -> int:
    """Return how many rows are done, as far as pages and stripes say."""
    if not await state.has_state(context.connection):
        return 0
    done = (
        f"SELECT coalesce(sum({state.DONE}), 0)::bigint FROM {RANGES} WHERE key = $1"
        f" AND file IS NOT DISTINCT FROM {filler_of(context).file('relation')}"
    )
    return int(await context.connection.fetchval(done, context.names.key))


async def forget_tables(connection: Connection, names: Names, tables: list[int]) -> None:
    """Delete the ranges of some tables, which have left the tree."""
    await connection.execute(
        f"DELETE FROM {RANGES} WHERE key = $1 AND relation = ANY ($2::oid[])", names.key, tables
    )


async def again(connection: Connection, names: Names, *, only_skipped: bool) -> int:
    """Let ranges be passed over once more; return how many.

    What is filled already is not written again, so this costs little more than reading.
    """
    condition = " AND skipped" if only_skipped else ""
    done: str = await connection.execute(
        f"UPDATE {RANGES} SET stripe = 0, page = first_page, skipped = false"
        f" WHERE key = $1{condition}",
        names.key,
    )
    return int(done.rsplit(maxsplit=1)[-1])


async def _cut(context: RenameContext, leaf: ResolvedTable) -> None:
    filler, oid = filler_of(context), str(leaf.oid)
    cut = stripes.cut_statement(
        context.names.key,
        oid,
        leaf.sql,
        context.options,
        counted=await filler.counted(context, leaf),
        file=filler.file(f"{oid}::oid::regclass"),
    )
    await context.connection.execute(cut)
