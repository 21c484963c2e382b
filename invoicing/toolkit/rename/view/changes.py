"""What was changed while a view stood in the table's place, on the view or on the table itself.

Privileges, comments and defaults of the table, as they were when the view was made, are kept with
the rename: whichever of the table, the view by the column's old name and the view by its new name
has another one since has been changed, and the table has that after the contract or the rollback.
The view has no default of the renamed column: that one dropped on the view is not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename.grants import Grant, grant_changes
from invoicing.toolkit.rename.names import literal, qualified, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    names: Names, table: Shape, view: Shape, noted: Iterable[Iterable[Any]] | None
) -> list[str]:
    """Return what was changed since, as statements on the table."""
    has = items(names, table)
    base = has if noted is None else {tuple(key): value for key, value in noted}
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
    return _statements(names, table, view, wanted, has)


def _statements(names: Names, table: Shape, view: Shape, wanted: Items, has: Items) -> list[str]:
    base = qualified(names.schema, table.base or names.table)
    statements = [] if view.owner == table.owner else [f"ALTER TABLE {base} OWNER TO {view.owner}"]
    statements += grant_changes(base, _grants(wanted), _grants(has))
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
