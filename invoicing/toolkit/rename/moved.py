"""Find a rename by its table's oid and its columns' numbers, whatever they are called by now.

A rename is kept under the names that it was begun with. Its triggers, the letters in its defaults
and the journal tell by number which table and columns these were. Where one of them has another
name by now, nothing goes on: the error says what was renamed, and the statement that takes it back.
What a rename left without its journal is named too, with what removes it.

A view in the table's place is known by its oid too, and its columns by their places.

It does not see a rename of an older version whose triggers and defaults are gone, nor a view that
was renamed in a database which was restored from a dump.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from invoicing.errors import UsageError
from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.columns.marks import is_marked, original
from invoicing.toolkit.rename.context import RenameContext
from invoicing.toolkit.rename.errors import RenameLeftError, RenameMovedError
from invoicing.toolkit.rename.model import Phase, Target
from invoicing.toolkit.rename.names import LAST, MARK, STATE, Names, qualified, quote
from invoicing.toolkit.rename.retype.noted import with_noted
from invoicing.toolkit.rename.view.standing import read_view

if TYPE_CHECKING:
    import asyncpg

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.model import Options, StrategyName
    from invoicing.toolkit.rename.table import ResolvedTable

# Triggers are on the columns by number, and so are better witnesses than a dump that was restored:
# in that, the journal's own numbers mean others.
_UNFINISHED = f"""
SELECT {MARK} r.key, r.schema_name, r.table_name, r.old_name, r.new_name, r.phase,
    r.strategy = 'view' AS by_view, r.definition ->> 'base' AS base, c.oid::bigint AS oid,
    n.nspname::text AS schema, c.relname::text AS table, o.attname::text AS old,
    w.attname::text AS new, v.oid::bigint AS view,
    (r.definition ->> 'view_old')::int2 AS view_old, (r.definition ->> 'view_new')::int2 AS view_new
FROM {quote(STATE)}.rename AS r
LEFT JOIN LATERAL (
    SELECT t.tgrelid, max(t.tgattr[0]) FILTER (WHERE t.tgname ~ '_old$') AS old,
        max(t.tgattr[0]) FILTER (WHERE t.tgname ~ '_early$') AS new
    FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS k ON k.oid = t.tgrelid
    WHERE t.tgparentid = 0 AND (t.tgname = '{LAST}' || r.key || '_count' AND r.strategy = 'view'
        OR t.tgname IN ('{LAST}' || r.key || '_old', '{LAST}' || r.key || '_early'))
    GROUP BY t.tgrelid, k.relname, k.relnamespace
    ORDER BY k.relname = r.table_name
        AND k.relnamespace::regnamespace::text = quote_ident(r.schema_name) DESC LIMIT 1
) AS g ON true
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = coalesce(g.tgrelid, (r.definition ->> 'oid')::oid)
    AND c.relkind IN ('r', 'p')
LEFT JOIN LATERAL (SELECT c.oid = (r.definition ->> 'oid')::oid AS here) AS x ON true
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute AS o ON o.attrelid = c.oid AND NOT o.attisdropped
    AND o.attnum = coalesce(g.old, (r.definition ->> 'old')::int2)
LEFT JOIN pg_catalog.pg_attribute AS w ON w.attrelid = c.oid AND NOT w.attisdropped
    AND w.attnum = coalesce(g.new, (r.definition ->> 'new')::int2)
    AND (x.here OR r.strategy <> 'view')
LEFT JOIN pg_catalog.pg_class AS v ON v.relkind = 'v' AND x.here
    AND v.oid = (r.definition ->> 'view')::oid
WHERE r.phase <> 'contracted' AND (g.tgrelid IS NOT NULL OR c.relname = r.table_name
    OR c.relname = r.definition ->> 'base' OR o.attname = r.old_name
    OR w.attname IN (r.old_name, r.new_name))
"""
# The columns that a rename gave a default of its own, and what they had before.
_MARKED = f"""
SELECT {MARK} a.attname::text AS name, m.of[1] AS key, m.of[2] = 'n' AS new,
    {original("e.text")} AS before
FROM pg_catalog.pg_attrdef AS d
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid)) AS e (text)
CROSS JOIN LATERAL (SELECT pg_catalog.regexp_match(e.text,
    '{STATE}[.]k([0-9a-f]{{12}})_.*?concat\\(''([on])''')) AS m (of)
WHERE d.adrelid = $1 AND NOT a.attisdropped AND {is_marked("e.text")} AND m.of IS NOT NULL
"""


@dataclass(frozen=True)
class Left:
    """What a rename left on a table without its journal.

    Attributes:
        own: whether it was left by the very rename that is asked for, so that `rollback` takes it.
        message: what is there, and what removes it.
        strategy: by which it was begun.
    """

    own: bool
    message: str
    strategy: StrategyName = "columns"


async def find_context(connection: Connection, target: Target, options: Options) -> RenameContext:
    """Resolve the table, once it is certain that no name of the rename was changed under way.

    Raises:
        RenameLeftError: another rename, without its journal, has a view in the table's place.
        RenameMovedError: the table or one of the columns has another name than it began with.
        UsageError: there is no such table, or the journal's schema is another program's.
    """
    await state.refuse_foreign(connection)
    rows = await connection.fetch(_UNFINISHED) if await state.has_state(connection) else []
    try:
        context = await RenameContext.find(connection, target, options)
    except UsageError:
        for row in rows:
            if _is_meant(row, target, target.schema):
                await _refuse_moved(connection, row, target)
        raise
    for row in rows:
        meant = _is_meant(row, target, context.table.schema)
        ours = context.table.oid in {row["oid"], row["view"]}
        if meant or (ours and _is_named(row, target)):
            await _refuse_moved(connection, row, target)
    left = await find_left(context) if context.table.left is not None else None
    if left is not None and not left.own:
        raise RenameLeftError(str(target), left.message)
    return await with_noted(context)


async def find_left(context: RenameContext) -> Left | None:
    """Return what a rename left on these columns without a journal that knows of it."""
    connection, target, names, journal = context.connection, context.target, context.names, []
    if context.table.left is not None:
        return _left_view(context, context.table.left)
    if await state.has_state(connection):
        journal = await connection.fetch(f"SELECT key FROM {quote(STATE)}.rename")
    known = {row["key"] for row in journal}
    rows = await connection.fetch(_MARKED, context.table.oid)
    rows = [row for row in rows if row["key"] not in known]
    rows = [row for row in rows if not {row["name"]}.isdisjoint({target.old, target.new})]
    if not rows:
        return None
    keys = {names.key, names.reversed().key}
    places = {(row["name"], row["new"]) for row in rows}
    own = (names.old, False) in places and places <= {(names.old, False), (names.new, True)}
    own = own and {row["key"] for row in rows} <= keys
    return Left(own, _left_message(context.table, target, rows, own=own))


async def refuse_left(context: RenameContext) -> None:
    """Refuse to go on, or to say that it is done, where a rename without a journal stands.

    Raises:
        RenameLeftError: one does.
    """
    left = await find_left(context)
    if left is not None:
        raise RenameLeftError(str(context.target), left.message)


def _left_view(context: RenameContext, left: Names) -> Left:
    table = context.table
    begun = replace(context.target, old=left.old, new=left.new)
    message = (
        f"{table.sql} is a view that a rename of {quote(left.old)} to {quote(left.new)} put in the "
        f"place of the table, which is called {quote(str(table.base))} meanwhile, and the rename's "
        f"journal (schema {STATE}) does not know of it: the journal was dropped, or the tables "
        "were restored without it. Every value is there by either name. To make it the table "
        f"again, with {quote(left.old)}: {begun.command('rollback')}"
    )
    return Left(left == context.names, message, "view")


def _left_message(
    table: ResolvedTable, target: Target, rows: list[asyncpg.Record], *, own: bool
) -> str:
    which = " and ".join(sorted(quote(row["name"]) for row in rows))
    said = (
        f"{which} of {table.sql} still has a default that a rename made, and the rename's "
        f"journal (schema {STATE}) does not know of it: the journal was dropped, or the table is a "
        "copy. Nothing keeps the columns equal"
    )
    if own:
        return f"{said}. To remove {quote(target.new)}: {target.command('rollback')}"
    statements = []
    for row in rows:
        alter = f"ALTER TABLE {table.sql} ALTER COLUMN {quote(row['name'])}"
        # The copy's default is the rename's: the new column had none of its own.
        default = None if row["new"] else row["before"]
        statements.append(f"{alter} {'SET DEFAULT ' + default if default else 'DROP DEFAULT'};")
    statements += [
        f"then, if the other column has every value, ALTER TABLE {table.sql} DROP COLUMN "
        f"{quote(row['name'])};"
        for row in rows
        if row["new"] and len(rows) > 1
    ]
    return f"{said}. To remove it, run: {' '.join(statements)}"


def _is_meant(row: asyncpg.Record, target: Target, schema: str | None) -> bool:
    """Tell whether these are the names that the rename began with, in either direction."""
    pair = {row["old_name"], row["new_name"]} == {target.old, target.new}
    here = schema is None or row["schema_name"] == schema
    return pair and row["table_name"] == target.table and here


def _is_named(row: asyncpg.Record, target: Target) -> bool:
    """Tell whether the rename of this table is about these columns; of a moved table it is."""
    columns = {row["old"], row["new"], row["old_name"], row["new_name"]}
    moved = (row["schema"], row["table"]) != _place(row)
    return moved or not columns.isdisjoint({target.old, target.new})


def _stands_aside(row: asyncpg.Record) -> bool:
    """Tell whether the table has its other name, behind a view; each swap writes its phase."""
    swapped = row["phase"] not in {Phase.EXPANDING, Phase.ROLLING_BACK}
    return row["by_view"] and swapped and (row["table"] != row["table_name"] or bool(row["view"]))


def _place(row: asyncpg.Record) -> tuple[str, str]:
    """Return where the table has to be: while a view stands in its place, it has another name."""
    return row["schema_name"], row["base"] if _stands_aside(row) else row["table_name"]


async def _refuse_moved(connection: Connection, row: asyncpg.Record, target: Target) -> None:
    if row["oid"] is None:
        return
    was, now = _place(row), (row["schema"], row["table"])
    facts, back = await _moved_relation(connection, "table", was, now)
    for name, current in _columns(row):
        facts.append(f"the column {quote(name)} is now called {quote(current)}")
        back.append(f"ALTER TABLE {qualified(*was)} RENAME COLUMN {quote(current)} TO")
        back[-1] += f" {quote(name)};"
    if _stands_aside(row):
        more = await _moved_view(connection, row)
        # A schema with another name has it for both.
        facts, back = facts + more[0], list(dict.fromkeys(back + more[1]))
    if facts:
        names = Names(row["schema_name"], row["table_name"], row["old_name"], row["new_name"])
        noted = Target(names.table, names.old, names.new, names.schema, target.url)
        raise RenameMovedError(noted, Phase(row["phase"]), facts, back, names.command("status"))


async def _moved_relation(
    connection: Connection, kind: str, was: tuple[str, str], now: tuple[str, str]
) -> tuple[list[str], list[str]]:
    """Return what a table or a view is called by now, and the statements that take that back."""
    if was == now:
        return [], []
    facts = [f"the {kind} {qualified(*was)} is now called {qualified(*now)}"]
    back, relation = [], (was[0], now[1])
    if await connection.fetchval("SELECT to_regnamespace($1) IS NULL", quote(was[0])):
        back.append(f"ALTER SCHEMA {quote(now[0])} RENAME TO {quote(was[0])};")
    elif was[0] != now[0]:
        back.append(f"ALTER {kind.upper()} {qualified(*now)} SET SCHEMA {quote(was[0])};")
    if was[1] != now[1]:
        back.append(f"ALTER {kind.upper()} {qualified(*relation)} RENAME TO {quote(was[1])};")
    if await connection.fetchval("SELECT to_regclass($1)", qualified(*was)) is not None:
        facts.append(f"another relation is now called {qualified(*was)}: rename that first")
    return facts, back


async def _moved_view(connection: Connection, row: asyncpg.Record) -> tuple[list[str], list[str]]:
    """Return the same of the view in the table's place, by its oid, and of its two columns."""
    place = (row["schema_name"], row["table_name"])
    view = await read_view(connection, row["view"])
    if view is None:
        oid = await connection.fetchval("SELECT to_regclass($1)::oid::bigint", qualified(*place))
        other = await read_view(connection, oid)
        if oid is None or (other is not None and other.base == row["oid"]):
            return [], []
        fact = f"the view {qualified(*place)} was dropped, and another relation has its name"
        aside = quote(f"{place[1]}_other")
        return [fact], [f"ALTER TABLE {qualified(*place)} RENAME TO {aside};"]
    facts, back = await _moved_relation(connection, "view", place, (view.schema, view.name))
    for name, number in ((row["old_name"], row["view_old"]), (row["new_name"], row["view_new"])):
        current = view.columns[number - 1] if number else name
        if current != name:
            facts.append(f"the view's column {quote(name)} is now called {quote(current)}")
            alter = f"ALTER VIEW {qualified(*place)} RENAME COLUMN"
            back.append(f"{alter} {quote(current)} TO {quote(name)};")
    return facts, back


def _columns(row: asyncpg.Record) -> list[tuple[str, str]]:
    """Return the columns that have another name by now, each with that name."""
    if row["by_view"]:
        ours = {None, row["new_name"]} | (set() if _stands_aside(row) else {row["old_name"]})
        return [] if row["new"] in ours else [(row["new_name"], row["new"])]
    pairs = [(row["old_name"], row["old"]), (row["new_name"], row["new"])]
    return [(name, now) for name, now in pairs if now is not None and now != name]
