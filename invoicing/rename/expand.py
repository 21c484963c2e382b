"""The expand: the new column and the triggers, in one short transaction, before the first batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.rename import ranges, state, sync
from invoicing.rename.copies.partition import own_properties, properties
from invoicing.rename.model import Phase
from invoicing.rename.names import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.rename.column import Column
    from invoicing.rename.names import Names
    from invoicing.rename.operator import Operator

_UNGUARDED = """
SELECT $2::text || ': ' || quote_ident(w.name) FROM unnest($3::text[]) AS w (name)
LEFT JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = $1 AND g.tgname = w.name
WHERE g.tgenabled IS DISTINCT FROM 'A'
UNION ALL
SELECT g.tgrelid::regclass::text || ': ' || quote_ident(g.tgname) FROM pg_catalog.pg_trigger AS g
WHERE g.tgname = ANY ($3::text[]) AND g.tgenabled <> 'A' AND g.tgrelid <> $1
    AND g.tgrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass))
"""


def add_column(names: Names, column: Column) -> list[str]:
    """Return the statements that add the new column, like the old one but nullable.

    No default yet: with one, the rows that are there would have it at once, and could not be told
    from filled ones.
    """
    collation = f" COLLATE {column.collation}" if column.collation else ""
    add = f"ADD COLUMN IF NOT EXISTS {quote(names.new)} {column.type}{collation}"
    return [
        f"ALTER TABLE {names.relation} {add}",
        *properties(names.relation, names.new, column),
    ]


def set_default(names: Names, column: Column) -> list[str]:
    """Return the statement that gives the new column a default that both share, if it can."""
    if not column.default or not column.default_is_steady:
        return []
    return [
        f"ALTER TABLE {names.relation} ALTER COLUMN {quote(names.new)} SET DEFAULT {column.default}"
    ]


def expand_statements(names: Names, column: Column, own: Sequence[str] = ()) -> list[str]:
    """Return what runs in one transaction, under one lock: the column first, then the triggers.

    The default comes last: from then on a row that names one side has the default in the other.

    Args:
        names: the rename's.
        column: the old one.
        own: what gives the partitions' columns what theirs have of their own.
    """
    return [
        *add_column(names, column),
        *own,
        *sync.create_triggers(names, column),
        *set_default(names, column),
    ]


async def expand(operator: Operator, column: Column, strategy: str) -> None:
    """Begin the rename, or go on where the expand was killed."""
    connection, names = operator.connection, operator.names
    await state.set_up(connection)
    await operator.entry.begin()
    found = await operator.state()
    if found is None or found.phase is Phase.CONTRACTED:
        await state.begin(connection, names, strategy, {"type": column.type})
    for statement in sync.create_functions(names, column):
        await connection.execute(statement)
    own = await own_properties(connection, operator.relation, operator.target)
    await operator.ddl.short(
        *expand_statements(names, column, own), state.set_phase(names, Phase.EXPANDED)
    )


async def unguarded(operator: Operator) -> list[str]:
    """Return the triggers that are missing or switched off, as `table: trigger`."""
    rows = await operator.connection.fetch(
        _UNGUARDED, operator.relation.oid, operator.relation.sql, operator.names.triggers
    )
    return [row[0] for row in rows]


async def repair(operator: Operator, column: Column) -> None:
    """Put the triggers on again where somebody took them off; every row is then looked at anew."""
    found = await operator.state()
    if found is None or found.strategy != "columns" or not await unguarded(operator):
        return
    connection, names = operator.connection, operator.names
    for statement in sync.create_functions(names, column):
        await connection.execute(statement)
    await operator.ddl.short(
        *sync.create_triggers(names, column), state.set_phase(names, Phase.EXPANDED)
    )
    await ranges.again(connection, names, only_skipped=False)
