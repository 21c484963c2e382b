"""Code that goes by the order of the table's columns: the new column stands last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction, lines

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope

# Whether a column other than the new one stands behind the old.
_MOVES = """
SELECT $1::oid::regclass::text AS subject, 'pg_class' AS catalog, $1::oid AS oid
WHERE EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN tree ON a.attrelid = tree.relid
    WHERE a.attnum > tree.attnum AND NOT a.attisdropped AND a.attname <> {new})
"""


async def _order(scope: Scope) -> FoundDependents:
    literal = await scope.connection.fetchval("SELECT quote_literal($1::text)", scope.target.new)
    return [(*row, "") for row in await scope.fetch(_MOVES.replace("{new}", literal))]


async def _writes(scope: Scope) -> FoundDependents:
    if not await _order(scope):
        return []
    return [
        (function.subject, "pg_proc", function.oid, lines(by_position))
        for function, uses in scope.uses_of_rows()
        if (by_position := sorted({use.line for use in uses if use.by_position}))
    ]


KINDS = (
    Kind(
        "positional-write",
        Reaction(
            "refused",
            "it writes or reads the columns of {table} by position ({detail}): after the contract "
            "{then} stands last, and values would go to the wrong columns. Let it name the "
            "columns, then begin. Or use --strategy view",
        ),
        NOTHING,
        find=_writes,
        in_place=Reaction(
            "refused",
            "it writes or reads the columns of {table} by position ({detail}), of which there is "
            "one more, the last, until the contract. Let it name the columns, then begin. Or use "
            "--strategy view",
        ),
    ),
    Kind(
        "column-order",
        Reaction(
            "noted",
            "the order of columns changes: {then} stands last after the contract. Clients that "
            "insert without a list of columns, or read SELECT * by position, must name the "
            "columns first. Or use --strategy view, which keeps the order",
            at_gate=False,
        ),
        NOTHING,
        find=_order,
        in_place=NOTHING,
    ),
)
