"""The expand: the new column and the triggers, in one short transaction, before the first batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename import nodes, state
from invoicing.toolkit.rename.columns import marks, ranges, sync, triggers
from invoicing.toolkit.rename.columns.copies.properties import (
    keep_base,
    own_properties,
    properties,
)
from invoicing.toolkit.rename.columns.identity import refuse_identity
from invoicing.toolkit.rename.columns.preflight import to_silence
from invoicing.toolkit.rename.connection.pool import write
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.retype.like import like

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.table import Column

_UNGUARDED = f"""
WITH tree AS (SELECT $1::oid AS relid UNION
    SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass)),
-- The type's default as it was: '' for none, NULL where an older version has not noted it.
noted AS (SELECT definition ->> 'of_type' AS of_type FROM {quote(STATE)}.rename
    WHERE key = $6),
missing AS (
    SELECT relid, quote_ident(w.name) AS name, w.name <> ALL ($4::text[]) AS of_rows,
        false AS of_default
    FROM tree CROSS JOIN unnest($3::text[]) AS w (name)
    LEFT JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = relid AND g.tgname = w.name
    WHERE g.tgenabled IS DISTINCT FROM 'A'
    UNION ALL
    SELECT relid, 'default of ' || quote_ident(a.attname) || CASE WHEN
        {marks.is_marked("pg_catalog.pg_get_expr(d.adbin, d.adrelid)")}
        THEN ', by its type ' || format_type(a.atttypid, NULL) || ',' ELSE '' END, false, true
    FROM tree JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relid
        AND a.attname = ANY ($5::text[])
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
    WHERE NOT {marks.is_marked("pg_catalog.pg_get_expr(d.adbin, d.adrelid)")}
        -- Its domain's default was altered since, which ours repeats where there was no other.
        OR a.attname = ($5::text[])[1] AND (SELECT of_type FROM noted) IS NOT NULL
        AND y.typdefault IS DISTINCT FROM nullif((SELECT of_type FROM noted), '')
        AND {marks.is_bare("pg_catalog.pg_get_expr(d.adbin, d.adrelid)")})
SELECT CASE WHEN relid = $1 THEN $2 ELSE relid::regclass::text END || ': ' || name AS subject,
    of_rows, of_default
FROM missing
"""


class Unguarded(NamedTuple):
    """A trigger or a default that is missing or switched off, as `table: trigger`.

    Attributes:
        of_rows: whether rows may differ for the want of it; the others only count.
        of_default: whether it is a default: other DDL has set or dropped it.
    """

    subject: str
    of_rows: bool
    of_default: bool


def add_column(names: Names, column: Column) -> list[str]:
    """Return the statements that add the new column, like the old one but nullable.

    No default yet: with one, the rows that are there would have it at once, and could not be
    distinguished from filled ones.
    """
    column = like(names, column)
    collation = f" COLLATE {column.collation}" if column.collation else ""
    # Without a default of its own it would have its type's at once, in every row.
    nothing = f" DEFAULT CASE WHEN true THEN NULL::{column.type} END"
    empty = nothing if column.type_default is not None else ""
    add = f"ADD COLUMN IF NOT EXISTS {quote(names.new)} {column.type}{collation}{empty}"
    return [
        f"ALTER TABLE {names.relation} {add}",
        *properties(names.relation, names.new, column),
    ]


def expand_statements(names: Names, column: Column, own: Sequence[str] = ()) -> list[str]:
    """Return what runs in one transaction, under one lock: the column first, then the triggers.

    The defaults come last: they say which of the columns an INSERT has left out.

    Args:
        names: the rename's.
        column: the old one.
        own: what gives the partitions' columns what theirs have of their own, and lets the
            table's own triggers fire on both.
    """
    return [
        *add_column(names, column),
        *own,
        *sync.create_triggers(names, column),
        *marks.mark_statements(names),
    ]


async def expand(session: RenameSession, strategy: str) -> None:
    """Begin the rename, or go on where the expand was killed."""
    connection, names, column = session.connection, session.names, session.column()
    await state.set_up(connection)
    await session.entry.begin()
    found = await session.state()
    if found is None or found.phase is not Phase.EXPANDING:
        await state.forget_ranges(connection, names)
        made = names.conversion
        noted = {"conversion": made.as_dict()} if made is not None else {}
        await state.begin(connection, names, strategy, {"type": column.type} | noted)
    await write(connection, *sync.create_functions(names, column))
    await keep_base(session)
    silenced = await to_silence(session)
    own = [*await own_properties(session), *await triggers.on_both(session, silenced)]
    await session.ddl.short(
        *expand_statements(names, column, own),
        state.note_numbers(names),
        state.set_phase(names, Phase.EXPANDED),
    )


async def unguarded(context: RenameContext) -> list[Unguarded]:
    """Return the triggers and defaults of a noted rename that are missing, off or out of date."""
    names = context.names
    here = names.shard is None and not names.keeps_name
    rows = await context.connection.fetch(
        _UNGUARDED,
        context.table.oid,
        context.table.sql,
        names.triggers,
        names.statement_triggers,
        [names.old, names.new] if here else [],
        names.key,
    )
    found = [Unguarded(*row) for row in rows]
    return found if names.shard is None else [*found, *await _missing_there(context)]


async def _missing_there(context: RenameContext) -> list[Unguarded]:
    """Return the defaults of a shard that has moved, and the counter of a node that came since."""
    names = context.names
    columns = f"{literal(names.old)}, {literal(names.new)}"
    marked = marks.is_marked("pg_catalog.pg_get_expr(d.adbin, d.adrelid)")
    command = (
        "SELECT count(*) FROM pg_catalog.pg_attrdef AS d JOIN pg_catalog.pg_attribute AS a"
        " ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
        f" WHERE d.adrelid = {literal(str(names.shard))}::pg_catalog.regclass"
        f" AND a.attname IN ({columns}) AND {marked}"
    ).replace("%", "%%")
    row = await context.connection.fetchrow(nodes.ASK_SHARD, context.table.oid, command)
    found = [
        Unguarded(f"{context.table.sql}: the counter {names.sequence} on node {node}", False, False)
        for (node,) in await context.connection.fetch(nodes.without(literal(names.sequence)))
    ]
    if row is None or not row["success"] or row["result"] != "2":
        said = "" if row is None or row["success"] else f" ({row['result']})"
        found.append(
            Unguarded(f"{context.table.sql}: defaults on {names.shard}{said}", False, True)
        )
    return found


async def repair(session: RenameSession) -> None:
    """Put the triggers on again where they were taken off, and on partitions that came since.

    Where rows may differ meanwhile, every row is looked at anew.
    """
    missing = await unguarded(session) if await session.state() is not None else []
    if not missing:
        return
    await refuse_identity(session, "expand")
    connection, names, column = session.connection, session.names, session.column()
    await write(connection, *sync.create_functions(names, column))
    anew = any(trigger.of_rows for trigger in missing)
    await session.ddl.short(
        sync.drop_former(names),
        *sync.create_triggers(names, column),
        *marks.mark_statements(names),
        state.note_numbers(names),
        *([state.set_phase(names, Phase.EXPANDED)] if anew else []),
    )
    if anew:
        await ranges.again(connection, names, only_skipped=False)
