"""What autogenerate's operations are about: which columns, in a form that a rename leaves alone.

The engine makes on the new column what the old one has. So an index that goes from one name of a
column to the other is no change, by whatever name it goes: both have the same shape, once the new
names of columns are read as the old ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from alembic.operations import ops

from invoicing.toolkit.rename.names import renamed, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from alembic.operations import MigrateOperation

_CREATES = (ops.CreateIndexOp, ops.AddConstraintOp)
_DROPS = (ops.DropIndexOp, ops.DropConstraintOp)
_NOISE = re.compile(r"::[\w\s]+|[\s()\"']")


class TableKey(NamedTuple):
    """A table: its schema is None for the connection's default."""

    schema: str | None
    name: str


@dataclass(frozen=True)
class Renames:
    """The names of columns that mean one column each.

    Attributes:
        pairs: for each table, the old names by the new ones.
        absent: the columns that the database has, and the model not, of those.
        default: the schema that the connection finds tables in without naming it.
    """

    pairs: Mapping[TableKey, Mapping[str, str]]
    absent: frozenset[tuple[TableKey, str]]
    default: str | None

    def key(self, schema: str | None, name: str) -> TableKey:
        """Return the key of a table."""
        return TableKey(None if schema == self.default else schema, name)

    def old(self, table: TableKey, column: str) -> str:
        """Return the column by its old name."""
        return self.pairs.get(table, {}).get(column, column)


@dataclass(frozen=True)
class ObjectShape:
    """What an index or a constraint is, but for its name.

    Attributes:
        name: its name.
        creates: whether the operation makes it, or drops it.
        touches: the columns that it names.
        form: what two of them have alike that differ in nothing but the names of a rename.
    """

    name: str
    creates: bool
    touches: frozenset[tuple[TableKey, str]]
    form: tuple[Any, ...]

    def is_copy_of(self, original: ObjectShape, renames: Renames) -> bool:
        """Tell whether the engine makes this of `original`: by its form, or by its name."""
        if self.form == original.form:
            return True
        if self.form[:2] != original.form[:2]:
            return False
        names = {original.name}
        for table, pairs in renames.pairs.items():
            if table != self.form[1]:
                continue
            for new, old in pairs.items():
                names.add(renamed(original.name, old, new) or original.name)
                names.add(shortened(f"{original.name}_{new}"))
                names.add(shortened(f"{original.name}_{new}_copy"))
        return self.name in names


def shape_of(operation: MigrateOperation, renames: Renames) -> ObjectShape | None:
    """Return the shape of what an operation makes or drops; None where it is no such object."""
    creates = isinstance(operation, _CREATES)
    if not creates and not isinstance(operation, _DROPS):
        return None
    try:
        made: Any = operation if creates else operation.reverse()
    except ValueError:  # it was written without what it takes to go back
        return None
    if isinstance(made, ops.CreateForeignKeyOp):
        touches, form = _foreign_key(made, renames)
    elif isinstance(made, ops.CreateIndexOp):
        table = renames.key(made.schema, made.table_name)
        where = _text(made.kw.get("postgresql_where"))
        elements = [*map(_element, made.columns), ("", where)]
        touches, form = _of_table("index", table, elements, renames)
        form = (*form, bool(made.unique))
    elif isinstance(made, ops.CreateUniqueConstraintOp):
        table = renames.key(made.schema, made.table_name)
        touches, form = _of_table("unique", table, map(_element, made.columns), renames)
    elif isinstance(made, ops.CreateCheckConstraintOp):
        table = renames.key(made.schema, made.table_name)
        touches, form = _of_table("check", table, [("", _text(made.condition))], renames)
    else:
        return None
    return ObjectShape(
        str(made.constraint_name if hasattr(made, "constraint_name") else made.index_name),
        creates,
        touches,
        form,
    )


def _foreign_key(
    made: ops.CreateForeignKeyOp, renames: Renames
) -> tuple[frozenset[Any], tuple[Any, ...]]:
    source = renames.key(made.kw.get("source_schema"), made.source_table)
    target = renames.key(made.kw.get("referent_schema"), made.referent_table)
    touches = frozenset(
        [(source, name) for name in made.local_cols] + [(target, name) for name in made.remote_cols]
    )
    local = tuple(renames.old(source, name) for name in made.local_cols)
    remote = tuple(renames.old(target, name) for name in made.remote_cols)
    return touches, ("foreign key", source, target, local, remote)


def _of_table(
    kind: str, table: TableKey, elements: Iterable[tuple[str, str]], renames: Renames
) -> tuple[frozenset[Any], tuple[Any, ...]]:
    """Return what an object on one table touches, and its form.

    Args:
        kind: of the object.
        table: the table.
        elements: of each its column, or an empty name and the text of an expression.
        renames: what is under way.
    """
    touches: set[tuple[TableKey, str]] = set()
    form: list[str] = []
    for column, text in elements:
        if column:
            touches.add((table, column))
            form.append(renames.old(table, column))
            continue
        read = text
        for new, old in renames.pairs.get(table, {}).items():
            touches |= {(table, name) for name in (old, new) if _names(text, name)}
            read = _with_name(read, new, old)
        form.append(_NOISE.sub("", read).lower())
    return frozenset(touches), (kind, table, tuple(form))


def _element(column: object) -> tuple[str, str]:
    """Return the name of a column, or the text of an expression."""
    if isinstance(column, str):
        return column, ""
    name = getattr(column, "name", None)
    return (str(name), "") if name is not None else ("", _text(column))


def _text(expression: object) -> str:
    return "" if expression is None else str(expression)


def _with_name(text: str, new: str, old: str) -> str:
    return re.sub(_whole(new), lambda _: old, text)


def _names(text: str, column: str) -> bool:
    return re.search(_whole(column), text) is not None


def _whole(name: str) -> str:
    return rf"(?<!\w){re.escape(name)}(?!\w)"
