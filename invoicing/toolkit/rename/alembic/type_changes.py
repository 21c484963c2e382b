"""What the models say of columns whose type changes, and what a plain ALTER TYPE would do.

A type that changes is written as Alembic writes it, which is what a small table needs. Where that
would write the table anew, the revision says so in a comment. A model that says what the type was
(`info={"retyped_from": "integer"}`) gets the two revisions of a change that clients do not notice,
and so do the columns that refer to it and take their type from it.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import renderers
from alembic.operations import ops
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NULLTYPE, NullType

from invoicing.toolkit.rename.alembic.hint import RETYPED_FROM, WAYS
from invoicing.toolkit.rename.alembic.ops import sql_type
from invoicing.toolkit.rename.alembic.shapes import TableKey
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps
    from sqlalchemy import Column
    from sqlalchemy.types import TypeEngine

_LOG = logging.getLogger("alembic.autogenerate.compare.types")
_AGAIN = "Nothing was written; run the same command again after that"
_SAME = text("SELECT to_regtype(:was) = to_regtype(:now)")
# Types that are stored in the same way: the table stays as it is.
_STORED_ALIKE = text(
    "SELECT to_regtype(:was) = to_regtype(:now) OR EXISTS (SELECT FROM pg_catalog.pg_cast AS c"
    " WHERE c.castsource = to_regtype(:was) AND c.casttarget = to_regtype(:now)"
    " AND c.castmethod = 'b')"
)
_COMMENT_WIDTH = 73


@dataclass(frozen=True)
class HintedRetype:
    """A change of a type that a model asks for.

    Attributes:
        table: its table.
        schema: as the model names it.
        was: the type in the database.
        type: the type in the model.
        nullable: whether the column may be NULL in the database.
        ways: how values are converted: `using`, `back`, `loss`.
    """

    table: TableKey
    schema: str | None
    column: str
    was: TypeEngine[Any]
    type: TypeEngine[Any]
    nullable: bool
    ways: Mapping[str, Any]


@dataclass
class TypeChanges:
    """What was read.

    Attributes:
        retypes: what the models ask for, a column before the one that it refers to.
        problems: what has to be said in the models before anything is written.
    """

    retypes: list[HintedRetype] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class RewritingAlterColumnOp(ops.AlterColumnOp):
    """A plain change of a type, which writes the table anew."""

    @classmethod
    def of(cls, operation: ops.AlterColumnOp) -> RewritingAlterColumnOp:
        """Return the same, to be written with a comment."""
        made = cls.__new__(cls)
        made.__dict__.update(vars(operation))
        return made

    def reverse(self) -> ops.AlterColumnOp:
        """Return the way back, without the comment."""
        plain = ops.AlterColumnOp.__new__(ops.AlterColumnOp)
        plain.__dict__.update(vars(self))
        return plain.reverse()

    @property
    def warning(self) -> str:
        """Return what a person has to know, and what to do instead."""
        was = sql_type(self.existing_type or NULLTYPE)
        return visible(
            f"{self.table_name}.{self.column_name}: ALTER COLUMN ... TYPE writes the table and its "
            "indexes anew, and no session can read it meanwhile. To change it while clients go on, "
            f'let the model say info={{"{RETYPED_FROM}": "{was}"}} and write this revision again. '
            f'If it is meant as it is: info={{"{RETYPED_FROM}": None}}.'
        )


@renderers.dispatch_for(RewritingAlterColumnOp)
def _render(context: AutogenContext, operation: RewritingAlterColumnOp) -> list[str]:
    plain: Any = renderers.dispatch(ops.AlterColumnOp)
    comment = [f"# {line}" for line in wrap(operation.warning, _COMMENT_WIDTH)]
    return [*comment, plain(context, operation)]


def read_type_changes(
    context: AutogenContext, upgrade_ops: UpgradeOps, default: str | None
) -> TypeChanges:
    """Take out of what was found the changes that the models ask for; note what the others do."""
    found = TypeChanges()
    columns = {
        (TableKey(None if table.schema == default else table.schema, table.name), column.name): (
            column
        )
        for table in context.sorted_tables
        for column in table.columns
    }
    changes = list(_changed(upgrade_ops, default))
    asked = {
        columns[place]: columns[place].info
        for place, _, _ in changes
        if place in columns and columns[place].info.get(RETYPED_FROM) is not None
    }
    for place, group, operation in changes:
        column = columns.get(place)
        if column is None:
            continue
        info = _info(column, asked)
        if info is None:
            _note_rewrite(context, group, operation, column)
        elif info[RETYPED_FROM] is not None:
            _take(context, found, place, operation, column, info)
    _without_the_taken(upgrade_ops)
    found.retypes.sort(key=lambda change: -_depth(columns[change.table, change.column], ()))
    return found


def _without_the_taken(upgrade_ops: UpgradeOps) -> None:
    for group in upgrade_ops.ops:
        if isinstance(group, ops.ModifyTableOps):
            group.ops = [
                inner
                for inner in group.ops
                if not isinstance(inner, ops.AlterColumnOp) or inner.has_changes()
            ]
    upgrade_ops.ops[:] = [
        group for group in upgrade_ops.ops if not isinstance(group, ops.ModifyTableOps) or group.ops
    ]


def _changed(
    upgrade_ops: UpgradeOps, default: str | None
) -> Iterator[tuple[tuple[TableKey, str], ops.ModifyTableOps, ops.AlterColumnOp]]:
    groups = [group for group in upgrade_ops.ops if isinstance(group, ops.ModifyTableOps)]
    for group in groups:
        for inner in group.ops:
            if isinstance(inner, ops.AlterColumnOp) and inner.modify_type is not None:
                schema = None if inner.schema == default else inner.schema
                yield (TableKey(schema, inner.table_name), inner.column_name), group, inner


def _info(
    column: Column[Any], asked: Mapping[Column[Any], Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return what is said of a column, or of the key that it refers to and has its type from."""
    if RETYPED_FROM in column.info:
        return column.info
    for key in _referred(column, ()):
        if key in asked and "using" not in asked[key]:
            return asked[key]
    return None


def _referred(column: Column[Any], seen: tuple[Column[Any], ...]) -> Iterator[Column[Any]]:
    for key in column.foreign_keys:
        if key.column not in seen and key.column is not column:
            yield key.column
            yield from _referred(key.column, (*seen, column))


def _depth(column: Column[Any], seen: tuple[Column[Any], ...]) -> int:
    keys = [key.column for key in column.foreign_keys if key.column not in (*seen, column)]
    return 1 + max((_depth(key, (*seen, column)) for key in keys), default=0)


def _take(
    context: AutogenContext,
    found: TypeChanges,
    place: tuple[TableKey, str],
    operation: ops.AlterColumnOp,
    column: Column[Any],
    info: Mapping[str, Any],
) -> None:
    was: Any = operation.existing_type
    problem = type_problem(context, column, was, info)
    if problem is not None:
        found.problems.append(problem)
        return
    ways = {name: info[name] for name in WAYS if info.get(name) is not None}
    found.retypes.append(
        HintedRetype(
            place[0],
            column.table.schema,
            place[1],
            was,
            column.type,
            bool(operation.existing_nullable),
            ways,
        )
    )
    operation.modify_type = None


def type_problem(
    context: AutogenContext, column: Column[Any], was: TypeEngine[Any], info: Mapping[str, Any]
) -> str | None:
    """Return why the type cannot be changed as a model says."""
    said, there = str(info[RETYPED_FROM]), sql_type(was)
    connection = context.connection
    if connection is None or isinstance(was, NullType):
        return None
    with suppress(DBAPIError), connection.begin_nested():  # older servers raise for no type's name
        if connection.scalar(_SAME, {"was": said, "now": there}):
            return None
    return visible(
        f"{column.table.fullname}.{column.name} says retyped_from {said!r}, and the database has "
        f"{there}. Name the type that it has there: "
        f'info={{"{RETYPED_FROM}": "{there}"}}. {_AGAIN}'
    )


def _note_rewrite(
    context: AutogenContext,
    group: ops.ModifyTableOps,
    operation: ops.AlterColumnOp,
    column: Column[Any],
) -> None:
    was: Any = operation.existing_type
    connection = context.connection
    if connection is None or was is None:
        return
    types = {"was": sql_type(was), "now": sql_type(column.type)}
    if connection.scalar(_STORED_ALIKE, types) and _widens(was, column.type):
        return
    noted = RewritingAlterColumnOp.of(operation)
    group.ops[group.ops.index(operation)] = noted
    _LOG.warning(noted.warning)


def _widens(was: TypeEngine[Any], now: TypeEngine[Any]) -> bool:
    """Tell whether whatever fits the one fits the other, as it is stored."""
    for name in ("length", "precision"):
        here, there = getattr(was, name, None), getattr(now, name, None)
        if there is not None and (here is None or here > there):
            return False
    free = getattr(now, "precision", None) is None
    return free or getattr(was, "scale", None) == getattr(now, "scale", None)
