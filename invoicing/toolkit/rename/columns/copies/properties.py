"""What a column has beside its definition, kept equal to the old one's while a rename is under way.

Storage, compression, statistics target, options, comment and privileges, of the table's column and
of each partition's. What the old column had when the two were last made equal is kept with the
rename: what was changed on the old one since is taken over, and what was changed on the new one by
hand is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.grants import Grant, grant_changes
from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.retype.like import like
from invoicing.toolkit.rename.table import find_tree

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.table import Column

# By kind and what tells it from others of its kind: an option's name, a grant's three parts.
Key = tuple[str | None, ...]
Items = dict[Key, Any]
_SIMPLE = ("storage", "compression", "statistics")


class Changes(NamedTuple):
    """What makes the new columns what the old ones are.

    Attributes:
        statements: what to run.
        said: each change in words, for whoever ran the phase.
        base: what the old columns have now, to be kept once the statements have run.
    """

    statements: list[str]
    said: list[str]
    base: dict[str, list[list[Any]]]


def items(column: Column) -> Items:
    """Return what a column has."""
    found: Items = {(name,): getattr(column, name) for name in (*_SIMPLE, "comment")}
    for option in column.options:
        name, _, value = option.partition("=")
        found["options", name] = value
    found |= {("grant", *grant): grantable for grant, grantable in column.grants}
    return {key: value for key, value in found.items() if value is not None}


def properties(
    table: str, name: str, column: Column, wanted: Items | None = None, has: Items | None = None
) -> list[str]:
    """Return what gives the column `name` of one table what is `wanted`: all that `column` has."""
    wanted, has = items(column) if wanted is None else wanted, has or {}
    alter = f"ALTER TABLE ONLY {table} ALTER COLUMN {quote(name)}"
    usual = {"storage": column.usual_storage, "compression": "default", "statistics": -1}
    statements = []
    for what in _SIMPLE:
        if (what,) in wanted:
            value = wanted[what,]
            statements.append(
                f"{alter} SET {what.upper()} {usual[what] if value is None else value}"
            )
    options = {key[1]: value for key, value in wanted.items() if key[0] == "options"}
    listed = [f"{option}={value}" for option, value in options.items() if value is not None]
    gone = [str(option) for option, value in options.items() if value is None]
    statements += [f"{alter} SET ({', '.join(listed)})"] if listed else []
    statements += [f"{alter} RESET ({', '.join(gone)})"] if gone else []
    if ("comment",) in wanted:
        comment = wanted["comment",]
        said = "NULL" if comment is None else literal(comment)
        statements.append(f"COMMENT ON COLUMN {table}.{quote(name)} IS {said}")
    return statements + grant_changes(table, _grants(wanted, name), _grants(has, name))


def _grants(of: Items, name: str) -> dict[Grant, bool | None]:
    return {
        Grant(key[1], str(key[2]), f"{key[3]} ({quote(name)})"): option
        for key, option in of.items()
        if key[0] == "grant"
    }


async def own_properties(context: RenameContext) -> list[str]:
    """Return what the partitions' new columns need, before there are any."""
    target = context.target
    return [
        statement
        for table in (await find_tree(context.connection, context.table, target))[1:]
        for statement in properties(table.sql, target.new, like(context, table.columns[target.old]))
    ]


async def changes(session: RenameSession) -> Changes:
    """Return what was changed on the old columns since they and the new ones were equal."""
    target = session.target
    noted = await session.state()
    bases = noted.definition.get("properties", {}) if noted is not None else {}
    found = Changes([], [], {})
    for table in await find_tree(session.connection, session.table, target):
        old, new = like(session, table.columns[target.old]), table.columns.get(target.new)
        has = items(new) if new is not None else {}
        base = {tuple(key): value for key, value in bases.get(str(table.oid), [])}
        wanted, kept = _merged(base, items(old), has)
        found.statements.extend(properties(table.sql, target.new, old, wanted, has))
        column = f"{table.name}.{target.new}"
        found.said.extend(f"{column}: {_named(key)} taken over from {target.old}" for key in wanted)
        found.said.extend(f"{column}: {_named(key)} was changed by hand, and stays" for key in kept)
        found.base[str(table.oid)] = [[list(key), value] for key, value in items(old).items()]
    return found


async def given_by_hand(session: RenameSession) -> list[str]:
    """Return what gives the old columns what was changed on the new ones by hand.

    For a contract that drops these; what was changed on an old one since stays as it is there.
    """
    target = session.target
    noted = await session.state()
    bases = noted.definition.get("properties", {}) if noted is not None else {}
    statements = []
    for table in await find_tree(session.connection, session.table, target):
        old, new = table.columns[target.old], table.columns.get(target.new)
        has, other = items(old), items(new) if new is not None else {}
        base = {tuple(key): value for key, value in bases.get(str(table.oid), [])}
        wanted, _ = _merged(base, has, other)
        back = {
            key: other.get(key)
            for key in has | other
            if key not in wanted and has.get(key) != other.get(key)
        }
        statements += properties(table.sql, target.old, old, back, has)
    return statements


def _merged(base: Items, old: Items, new: Items) -> tuple[Items, list[Key]]:
    """Return what to set, None to take it away; and what was changed on both sides."""
    wanted, kept = {}, []
    for key in old | new | base:
        was, by_old, by_new = base.get(key), old.get(key), new.get(key)
        if by_old == by_new:
            continue
        if by_new in {None, was}:
            wanted[key] = by_old
        elif by_old != was:
            kept.append(key)
    return wanted, kept


def _named(key: Key) -> str:
    if key[0] == "grant":
        return f"{key[3]} of {key[2]}"
    return {"statistics": "statistics target", "options": f"option {key[-1]}"}.get(
        str(key[0]), str(key[0])
    )


async def keep_base(session: RenameSession) -> None:
    """Keep what the old columns have, before there are new ones."""
    found = await changes(session)
    noted = state.note_statement(session.names, properties=found.base)
    await session.connection.execute(noted)


async def reconcile(session: RenameSession) -> list[str]:
    """Make the new columns what the old ones are; return what was done, in words."""
    found = await changes(session)
    noted = state.note_statement(session.names, properties=found.base)
    if found.statements:
        await session.ddl.short(*found.statements, noted)
    else:
        await session.connection.execute(noted)
    return found.said
