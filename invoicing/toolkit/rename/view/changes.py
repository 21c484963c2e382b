"""What was changed while a view stood in the table's place, on the view or on the table itself.

Privileges, comments and defaults of the table, as they were when the view was made, are kept with
the rename: whichever of the table, the view by the column's old name and the view by its new name
has another one since has been changed, and the table has that after the contract or the rollback.
The view has no default of the renamed column: that one dropped on the view is not seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename.grants import Grant, grant_changes
from invoicing.toolkit.rename.names import literal, qualified, quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.view.shape import Shape

# By kind, and the column or the grant; the renamed column has its new name in each.
Items = dict[tuple[str | None, ...], Any]


def items(names: Names, shape: Shape, passed_over: str = "") -> Items:
    """Return what a table or a view has; of a view by one of the column's names alone."""
    found: Items = {("comment", None): shape.comment}
    called = {names.old: names.new}
    for column in shape.columns:
        if column.name != passed_over:
            name = called.get(column.name, column.name)
            found |= {("comment", name): column.comment, ("default", name): column.default}
    for grant in shape.grants:
        if grant.column is None or grant.column != passed_over:
            on = grant.column and f" ({quote(called.get(grant.column, grant.column))})"
            key = Grant(grant.grantor, grant.grantee, f"{grant.privilege}{on or ''}")
            found["grant", *key] = grant.grantable
    return {key: value for key, value in found.items() if value is not None}


def as_json(of: Items) -> list[list[Any]]:
    """Return it as the rename's row keeps it."""
    return [[list(key), value] for key, value in of.items()]


def changes_meanwhile(
    names: Names,
    table: Shape,
    view: Shape,
    definition: Mapping[str, Any],
    called: Mapping[str, str],
) -> list[str]:
    """Return what was changed since, as statements on the table.

    `definition` is what was noted of the rename; without it, the table counts as unchanged.
    `called` has what the table calls the view's other columns, for either may have been renamed.
    """
    view = _as_of_the_table(names, table, view, called)
    has, noted = items(names, table), definition.get("shown")
    # A column that was added since is not in the view, which says nothing of it.
    shown = {None, names.new, *(column.name for column in view.columns)}
    base = {key: value for key, value in has.items() if key[0] == "grant" or key[1] in shown}
    if noted is not None:
        base = {_by_now(key, called): value for key, value in noted}
    sides = [has, items(names, view, names.new), items(names, view, names.old)]
    for side in sides[1:]:
        if ("default", names.new) in base:
            side.setdefault(("default", names.new), base["default", names.new])
    wanted: Items = {}
    for key in {key: None for side in (base, *sides) for key in side}:
        changed = [side.get(key) for side in sides if side.get(key) != base.get(key)]
        if changed and changed[0] != has.get(key):
            wanted[key] = changed[0]
    owners = {table.owner, view.owner}
    wanted = {
        key: value for key, value in wanted.items() if key[0] != "grant" or key[2] not in owners
    }
    base_name = qualified(names.schema, table.base or names.table)
    owner = new_owner(table, view, definition)
    statements = [] if owner == table.owner else [f"ALTER TABLE {base_name} OWNER TO {owner}"]
    return statements + _statements(base_name, wanted, has)


def _as_of_the_table(names: Names, table: Shape, view: Shape, called: Mapping[str, str]) -> Shape:
    """Return the view with the names of the table's columns, and without any that it has not."""
    there = {None, names.old, *(column.name for column in table.columns)}
    columns = [
        column._replace(name=called.get(column.name, column.name)) for column in view.columns
    ]
    grants = [
        grant._replace(column=grant.column and called.get(grant.column, grant.column))
        for grant in view.grants
    ]
    return replace(
        view,
        columns=tuple(column for column in columns if column.name in there),
        grants=tuple(grant for grant in grants if grant.column in there),
    )


def _by_now(key: Sequence[str | None], called: Mapping[str, str]) -> tuple[str | None, ...]:
    """Return the key of something noted, with the name that its column has by now."""
    kind, *rest = key
    if kind != "grant":
        return (kind, *(called.get(str(name), name) for name in rest))
    privilege = str(rest[2])
    for shown, column in called.items():
        if privilege.endswith(f" ({quote(shown)})"):
            privilege = f"{privilege.partition(' ')[0]} ({quote(column)})"
            break
    return (kind, *rest[:2], privilege)


def new_owner(table: Shape, view: Shape, definition: Mapping[str, Any]) -> str:
    """Return the owner that a table without a view would have by now: whichever was changed."""
    return table.owner if view.owner == definition.get("owner") else view.owner


def _statements(base: str, wanted: Items, has: Items) -> list[str]:
    statements = grant_changes(base, _grants(wanted), _grants(has))
    for (kind, name, *_), value in wanted.items():
        if kind == "comment":
            on = f"TABLE {base}" if name is None else f"COLUMN {base}.{quote(name)}"
            said = "NULL" if value is None else literal(value)
            statements.append(f"COMMENT ON {on} IS {said}")
        elif kind == "default":
            change = "DROP DEFAULT" if value is None else f"SET DEFAULT {value}"
            statements.append(f"ALTER TABLE {base} ALTER COLUMN {quote(str(name))} {change}")
    return statements


def _grants(of: Items) -> dict[Grant, bool | None]:
    return {
        Grant(key[1], str(key[2]), str(key[3])): grantable
        for key, grantable in of.items()
        if key[0] == "grant"
    }
