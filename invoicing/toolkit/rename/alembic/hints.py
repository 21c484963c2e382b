"""What the models say of renamed columns, and what they leave open."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy.types import NullType

from invoicing.toolkit.rename.alembic.hint import RENAMED_FROM, RETYPED_FROM, WAYS
from invoicing.toolkit.rename.alembic.ops import sql_type
from invoicing.toolkit.rename.alembic.shapes import TableKey
from invoicing.toolkit.rename.alembic.type_changes import type_problem
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps
    from sqlalchemy import Column, Table
    from sqlalchemy.types import TypeEngine

    from invoicing.toolkit.rename.alembic.under_way import UnderWay

_AGAIN = "Nothing was written; run the same command again after that"


@dataclass(frozen=True)
class HintedRename:
    """A rename that a model asks for, and the database has not begun.

    Attributes:
        table: its table.
        schema: as the model names it.
        type: the column's type before it.
        nullable: whether the column may be NULL in the database.
        conversion: the type in the model, as `type_`, where it is another, and how values are
            converted.
    """

    table: TableKey
    schema: str | None
    old: str
    new: str
    type: TypeEngine[Any]
    nullable: bool
    conversion: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Hints:
    """What was read.

    Attributes:
        renames: what the models ask for.
        problems: what has to be said in the models before anything is written.
    """

    renames: list[HintedRename] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class _Changes:
    """The columns that autogenerate would add to a table, and drop from it."""

    adds: dict[str, Column[Any]] = field(default_factory=dict)
    drops: dict[str, Column[Any]] = field(default_factory=dict)


def read_hints(
    context: AutogenContext,
    upgrade_ops: UpgradeOps,
    default: str | None,
    under_way: dict[TableKey, list[UnderWay]],
) -> Hints:
    """Compare what the models say of renames with the columns that are found to differ."""
    hints = Hints()
    changes = _changes(upgrade_ops, default)
    for key, renames in under_way.items():
        # What a rename under way has made, or will take away, is no question.
        for name in [name for rename in renames for name in rename.both]:
            found = changes.get(key, _Changes())
            found.adds.pop(name, None)
            found.drops.pop(name, None)
    for table in context.sorted_tables:
        key = TableKey(None if table.schema == default else table.schema, table.name)
        if key in changes:
            _read_table(context, table, key, changes[key], hints)
            asked = [rename for rename in hints.renames if rename.table == key]
            begun = [(rename.old, rename.new) for rename in under_way.get(key, ())]
            hints.problems += _one_at_a_time(table, asked, begun)
    return hints


def _one_at_a_time(
    table: Table, asked: list[HintedRename], begun: list[tuple[str, str]]
) -> list[str]:
    """Return what to do where a table would have two renames at once, which the engine refuses."""
    names = begun + [(rename.old, rename.new) for rename in asked]
    if not asked or len(names) == 1:
        return []
    listed = ", ".join(f"{old} to {new}" for old, new in names)
    (first_old, first_new), *others = names
    later = " and ".join(old for old, _ in others)
    message = (
        f"{table.fullname} has one rename at a time, and the model asks for {len(names)}: "
        f"{listed}. Keep {later} as it was in the model until {first_old} to {first_new} is "
        f"contracted, then rename the next. {_AGAIN}"
    )
    return [visible(message)]


def _changes(upgrade_ops: UpgradeOps, default: str | None) -> dict[TableKey, _Changes]:
    found: dict[TableKey, _Changes] = {}
    for group in upgrade_ops.ops:
        if not isinstance(group, ops.ModifyTableOps):
            continue
        schema = None if group.schema == default else group.schema
        changes = found.setdefault(TableKey(schema, group.table_name), _Changes())
        for operation in group.ops:
            if isinstance(operation, ops.AddColumnOp):
                changes.adds[operation.column.name] = operation.column
            elif isinstance(operation, ops.DropColumnOp):
                changes.drops[operation.column_name] = operation.to_column()
    return found


def _read_table(
    context: AutogenContext, table: Table, key: TableKey, changes: _Changes, hints: Hints
) -> None:
    taken: set[str] = set()
    for new in list(changes.adds):
        column = table.columns.get(new, changes.adds[new])
        old = column.info.get(RENAMED_FROM)
        if old is None:
            continue
        problem = _problem(context, table, column, changes, taken)
        if problem is not None:
            hints.problems.append(problem)
            taken.add(str(old))
            continue
        taken.add(old)
        was = changes.drops[old]
        made = HintedRename(key, table.schema, old, new, column.type, bool(was.nullable))
        if not _same_type(context, was, column):
            ways = {name: column.info[name] for name in WAYS if name in column.info}
            known = column.type if isinstance(was.type, NullType) else was.type
            made = replace(made, type=known, conversion={"type_": sql_type(column.type)} | ways)
        hints.renames.append(made)
    _ask(context, table, changes, taken, hints)


def _problem(
    context: AutogenContext, table: Table, column: Column[Any], changes: _Changes, taken: set[str]
) -> str | None:
    """Return why a column cannot be renamed as its model says."""
    old = column.info[RENAMED_FROM]
    said = visible(f"{table.fullname}.{column.name} says renamed_from {old!r}")
    if old in table.columns:
        return f"{said}, but the model has {visible(str(old))} too. Leave the old one out. {_AGAIN}"
    if old not in changes.drops:
        known = visible(", ".join(sorted(changes.drops)) or "none")
        return (
            f"{said}, and the table has no such column. Of its columns the model has not: {known}. "
            f"Name the column as the database does, or None for a new column. {_AGAIN}"
        )
    if old in taken:
        return (
            f"{said}, and so does another column. Only one of them can be the renamed one. {_AGAIN}"
        )
    if not _same_type(context, changes.drops[old], column):
        was = changes.drops[old].type
        if column.info.get(RETYPED_FROM) is not None:
            return type_problem(context, column, was, column.info)
        there, wanted = sql_type(was), sql_type(column.type)
        return (
            f"{said}, but the type would change as well, from {there} to {wanted}. If it is to, "
            f'say that too: info={{"renamed_from": "{old}", "retyped_from": "{there}"}}, with '
            '"using" and "back" (SQL expressions of the old and of the new column) where values '
            f"are converted in another way than PostgreSQL does it by itself. {_AGAIN}"
        )
    return None


def _ask(
    context: AutogenContext, table: Table, changes: _Changes, taken: set[str], hints: Hints
) -> None:
    """Note what may be a rename of which the model says nothing."""
    for new, added in changes.adds.items():
        column = table.columns.get(new, added)
        if RENAMED_FROM in column.info:
            continue
        candidates = [
            old
            for old, dropped in changes.drops.items()
            if old not in taken and _same_type(context, dropped, column)
        ]
        if not candidates:
            continue
        was = " or ".join(candidates)
        hints.problems.append(
            visible(
                f"{table.fullname}.{new} is new in the model, and {was}, of the same type, is not "
                "in it any more: is that a rename? To drop the one and add the other would lose "
                "every value. If it is, say so in the model: "
                f'mapped_column(..., info={{"renamed_from": "{candidates[0]}"}}). If {new} is a '
                f'new column, say that: info={{"renamed_from": None}}. {_AGAIN}'
            )
        )


def _same_type(context: AutogenContext, dropped: Column[Any], added: Column[Any]) -> bool:
    if context.opts.get("compare_type") is False:
        return True
    if isinstance(dropped.type, NullType):
        # SQLAlchemy does not know it, as xml: the model says whether it stays.
        return added.info.get(RETYPED_FROM) is None
    return not context.migration_context.impl.compare_type(dropped, added)
