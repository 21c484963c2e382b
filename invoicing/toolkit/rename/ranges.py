"""The backfill's work, cut into ranges of pages; each range's progress is a row in the database.

A range is passed over several times, once for each *stripe*: the rows whose place on their page
leaves the same remainder. Pages are full, so updating a whole page at once would move every row
elsewhere and write every index again; of a stripe's rows only the first few have to move, for the
next stripe finds the dead versions of the last one pruned away, and stays on its page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.column import Relation, leaves
from invoicing.toolkit.rename.names import STATE, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Options
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import Connection

_MOST_STRIPES = 32
_PAGE = 8192
_TABLE = f"{quote(STATE)}.range"


@dataclass
class Range:
    """Pages of one table, and where the backfill stands in them.

    Attributes:
        stripe: passes that are done; the range is done when all are.
        page: where the present pass goes on.
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
    measured: bool = False

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


async def plan_ranges(
    connection: Connection, relation: Relation, names: Names, options: Options
) -> int:
    """Cut every table that has no ranges yet; return the rows that are counted in all of them.

    The triggers are on already, so pages that are appended from now on hold filled rows only.
    A table that was rewritten meanwhile (VACUUM FULL, TRUNCATE) is cut again.
    """
    tables = await leaves(connection, relation)
    await connection.execute(
        f"DELETE FROM {_TABLE} WHERE key = $1"
        " AND (file IS DISTINCT FROM pg_relation_filenode(relation)::oid"
        " OR relation <> ALL ($2::oid[]))",
        names.key,
        [leaf.oid for leaf in tables],
    )
    rows = await connection.fetch(
        f"SELECT DISTINCT relation FROM {_TABLE} WHERE key = $1", names.key
    )
    known = {row[0] for row in rows}
    for leaf in tables:
        if leaf.oid not in known:
            await _cut(connection, leaf, names, options)
    query = f"SELECT coalesce(sum(rows_expected), 0)::bigint FROM {_TABLE} WHERE key = $1"
    return int(await connection.fetchval(query, names.key))


async def load_ranges(
    connection: Connection, relation: Relation, names: Names, options: Options
) -> list[Range]:
    """Return every range, as the database has it."""
    tables = {leaf.oid: leaf.sql for leaf in await leaves(connection, relation)}
    rows = await connection.fetch(
        "SELECT relation, first_page, end_page, stripes, stripe, page, rows_expected,"
        # What lies outside now: what clients write from now on is filled by the trigger.
        " EXISTS (SELECT FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
        " WHERE c.oid = relation AND a.attname = $2 AND a.attlen = -1 AND a.attstorage <> 'p'"
        " AND c.reltoastrelid <> 0 AND pg_relation_size(c.reltoastrelid) > $3)"
        f" FROM {_TABLE} WHERE key = $1 ORDER BY relation, first_page",
        names.key,
        names.old,
        options.batch_bytes,
    )
    return [
        Range(row["relation"], tables[row["relation"]], *list(row)[1:])
        for row in rows
        if row["relation"] in tables
    ]


async def forget(connection: Connection, names: Names) -> None:
    """Delete every range: the column that they were filled in is gone."""
    await connection.execute(f"DELETE FROM {_TABLE} WHERE key = $1", names.key)


async def forget_tables(connection: Connection, names: Names, tables: list[int]) -> None:
    """Delete the ranges of some tables, which have left the tree."""
    await connection.execute(
        f"DELETE FROM {_TABLE} WHERE key = $1 AND relation = ANY ($2::oid[])", names.key, tables
    )


async def again(connection: Connection, names: Names, *, only_skipped: bool) -> int:
    """Let ranges be passed over once more; return how many.

    What is filled already is not written again, so this costs little more than reading.
    """
    condition = " AND skipped" if only_skipped else ""
    done: str = await connection.execute(
        f"UPDATE {_TABLE} SET stripe = 0, page = first_page, skipped = false"
        f" WHERE key = $1{condition}",
        names.key,
    )
    return int(done.rsplit(maxsplit=1)[-1])


async def _cut(connection: Connection, leaf: Relation, names: Names, options: Options) -> None:
    async with connection.transaction(isolation="repeatable_read"):
        pages, file = await connection.fetchrow(
            "SELECT pg_relation_size($1::oid) / current_setting('block_size')::bigint,"
            " pg_relation_filenode($1::oid)::oid",
            leaf.oid,
        )
        rows = await connection.fetchval(f"SELECT count(*) FROM ONLY {leaf.sql}", timeout=None)
        if not pages:
            return
        stripes = options.stripes or _stripes(rows, pages, options)
        length = window(options, stripes, rows / pages)
        await connection.execute(
            f"INSERT INTO {_TABLE} (key, relation, file, first_page, end_page, stripes, page,"
            " rows_expected) SELECT $1, $2, $3, p, least(p + $5, $4), $6, p,"
            # Rounded so that the parts add up to the whole.
            " ($7::numeric * least(p + $5, $4) / $4)::bigint - ($7::numeric * p / $4)::bigint"
            " FROM generate_series(0, $4::bigint - 1, $5::bigint) AS p",
            names.key,
            leaf.oid,
            file,
            pages,
            length,
            stripes,
            rows,
        )


def _stripes(rows: int, pages: int, options: Options) -> int:
    # At least two rows of a page in a stripe, and batches of the size that was asked for.
    batches = rows // (options.batch_size * options.workers)
    return max(min(_MOST_STRIPES, int(rows / pages / 2), batches), 1)


def window(options: Options, stripes: int, rows_in_page: float) -> int:
    """Return how many pages hold one batch of one stripe, by its rows and by its bytes."""
    by_rows = math.ceil(options.batch_size * stripes / max(rows_in_page, 0.01))
    return max(min(by_rows, options.batch_bytes * stripes // _PAGE), 1)
