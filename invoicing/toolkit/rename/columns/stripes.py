"""The rule for ranges and stripes, written once as SQL: for a run, and for a script.

A *range* is so many pages that one of its *stripes* fills a batch; the k-th stripe of a range has
the rows whose place on their page leaves the remainder k. How many there are depends on how full
the pages are: at least two rows of a page are in a stripe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import STATE, literal, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Options

MOST = 32
RANGES = f"{quote(STATE)}.range"
_PAGE = 8192


def in_stripe(stripes: str, stripe: str) -> str:
    """Return SQL that is true of the rows of one stripe."""
    return f"get_byte(tidsend(ctid), 5) % {stripes} = {stripe}"


def batch_pages(options: Options, rows: str, pages: str, stripes: str) -> str:
    """Return SQL for how many pages hold one batch of one stripe, by its rows and by its bytes."""
    by_rows = (
        f"ceil({options.batch_size} * {stripes}"
        f" / greatest({rows}::numeric / greatest({pages}, 1), 0.01))"
    )
    by_bytes = f"{options.batch_bytes}::bigint * {stripes} / {_PAGE}"
    return f"greatest(least({by_rows}, {by_bytes}), 1)::bigint"


def file_of(relation: str) -> str:
    """Return SQL for what keeps the rows of a table of this server: a rewrite gives it another."""
    return f"pg_relation_filenode({relation})::oid"


def cut_statement(
    key: str,
    relation: str,
    table: str,
    options: Options,
    *,
    counted: str | None = None,
    file: str | None = None,
) -> str:
    """Return the statement that cuts a table into ranges, unless that was done.

    Args:
        key: the rename's.
        relation: the table, as a regclass is written.
        table: its name, qualified and quoted.
        options: how large a batch may be; `stripes` overrules how full the pages are.
        counted: a query for its `rows` and `pages`; None for one that counts them here.
        file: SQL for what keeps its rows; None for its own file.
    """
    key, relation = literal(key), f"{literal(relation)}::regclass"
    stripes = (
        str(options.stripes)
        if options.stripes
        else (
            f"greatest(least({MOST}, rows / pages / 2,"
            f" rows / {options.batch_size * options.workers}), 1)"
        )
    )
    here = (
        f"SELECT count(*) AS rows, pg_relation_size({relation})"
        f" / current_setting('block_size')::bigint AS pages FROM ONLY {table}"
    )
    return f"""WITH counted AS (
    {counted or here}
), shaped AS (
    SELECT rows, pages, {stripes}::integer AS stripes FROM counted WHERE pages > 0
), cut AS (
    SELECT rows, pages, stripes, {batch_pages(options, "rows", "pages", "stripes")} AS length
    FROM shaped
)
INSERT INTO {RANGES} (key, relation, file, first_page, end_page, stripes, page, rows_expected)
SELECT {key}, {relation}, {file or file_of(relation)}, p, least(p + length, pages), stripes, p,
    -- Rounded so that the parts add up to the whole.
    (rows::numeric * least(p + length, pages) / pages)::bigint
        - (rows::numeric * p / pages)::bigint
FROM cut, generate_series(0, pages - 1, length) AS p
WHERE NOT EXISTS (SELECT FROM {RANGES} AS r WHERE r.key = {key} AND r.relation = {relation}::oid)
RETURNING rows_expected"""


def forget_rewritten(key: str, file: str | None = None) -> str:
    """Return the statement that forgets the ranges of a table that was rewritten since."""
    return (
        f"DELETE FROM {RANGES} WHERE key = {literal(key)}"
        f" AND file IS DISTINCT FROM {file or file_of('relation')}"
    )
