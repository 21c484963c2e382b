"""Autogenerate's comparison, with renames in it: before one, in each of its phases, and after it.

Without it, a model whose column has another name reads as `drop_column` and `add_column`. Alembic
calls `_compare` after its own comparison; what it has found is changed in place:

- a column that the model says was renamed becomes `expand_rename` and `contract_rename`, one whose
  type it says was another `expand_retype` and `contract_retype`;
- of a rename under way, what the engine has made is no difference, for the model before it and for
  the one after it: the other column, and what indexes and constraints are on it;
- the engine's own schema is never looked at.

A drop and an add of one type in one table, of which the model does not say whether that is a
rename, are noted as a question: `directives` asks it before anything is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.autogenerate import comparators
from alembic.operations import ops
from alembic.util import DispatchPriority, PriorityDispatchResult

from invoicing.toolkit.rename.alembic.directives import ModifyRenamedTableOps, ask_and_split
from invoicing.toolkit.rename.alembic.hints import read_hints
from invoicing.toolkit.rename.alembic.ops import (
    ContractRenameOp,
    ContractRetypeOp,
    ExpandRenameOp,
    ExpandRetypeOp,
    sql_type,
)
from invoicing.toolkit.rename.alembic.shapes import Renames, TableKey, shape_of
from invoicing.toolkit.rename.alembic.type_changes import read_type_changes
from invoicing.toolkit.rename.alembic.under_way import UnderWay, read_under_way
from invoicing.toolkit.rename.names import STATE

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import MigrateOperation
    from alembic.operations.ops import UpgradeOps

    from invoicing.toolkit.rename.alembic.hints import Hints


def register() -> None:
    """Let every autogenerate of this process compare with renames in it, once."""
    known = comparators.dispatch_for(
        "schema", priority=DispatchPriority.FIRST, qualifier="postgresql"
    )
    known(_leave_out_state)
    last = comparators.dispatch_for(
        "schema", priority=DispatchPriority.LAST, qualifier="postgresql"
    )
    last(_compare)


def _leave_out_state(
    _context: AutogenContext, _upgrade_ops: UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    schemas.discard(STATE)
    return PriorityDispatchResult.CONTINUE


def _compare(
    context: AutogenContext, upgrade_ops: UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    if context.connection is None:
        return PriorityDispatchResult.CONTINUE
    default = context.connection.dialect.default_schema_name
    under_way = read_under_way(context, default)
    hints = read_hints(context, upgrade_ops, default, under_way)
    pairs: dict[TableKey, dict[str, str]] = {}
    for table, renames in under_way.items():
        pairs.setdefault(table, {}).update((rename.new, rename.old) for rename in renames)
    for rename in hints.renames:
        pairs.setdefault(rename.table, {})[rename.new] = rename.old
    absent = {(rename.table, rename.old) for rename in hints.renames}
    absent |= {
        (table, rename.absent)
        for table, all_ in under_way.items()
        for rename in all_
        if rename.absent
    }
    names = Renames(pairs, frozenset(absent), default)
    if pairs:
        _without_what_the_engine_makes(upgrade_ops, names, under_way, hints)
    for rename in hints.renames:
        shared = (rename.table.name, rename.old, rename.new, rename.type, rename.nullable)
        given = {"schema": rename.schema, **rename.conversion}
        upgrade_ops.ops += [ExpandRenameOp(*shared, **given), ContractRenameOp(*shared, **given)]
    types = read_type_changes(context, upgrade_ops, default)
    for change in types.retypes:
        place = (change.table.name, change.column, change.was)
        ways = {"type_": sql_type(change.type), **change.ways}
        given = {"nullable": change.nullable, "schema": change.schema, **ways}
        upgrade_ops.ops += [kind.of(*place, **given) for kind in (ExpandRetypeOp, ContractRetypeOp)]
    ask_and_split(context.migration_context, hints.problems + types.problems)
    return PriorityDispatchResult.CONTINUE


def _without_what_the_engine_makes(
    upgrade_ops: UpgradeOps,
    renames: Renames,
    under_way: dict[TableKey, list[UnderWay]],
    hints: Hints,
) -> None:
    hidden = {place for all_ in under_way.values() for rename in all_ for place in rename.hidden}
    gone = _gone(upgrade_ops, renames, under_way)
    of_hint = {
        (rename.table, name) for rename in hints.renames for name in (rename.old, rename.new)
    }
    new_names = {(rename.table, rename.new) for rename in hints.renames}
    kept: list[MigrateOperation] = []
    for operation in upgrade_ops.ops:
        key = _key(operation, renames)
        if key in hidden:
            continue
        if not isinstance(operation, ops.ModifyTableOps) or key is None:
            kept.append(operation)
            continue
        left = [
            inner
            for inner in operation.ops
            if id(inner) not in gone and _column(inner, key) not in of_hint
        ]
        late = [inner for inner in left if _touches(inner, renames) & new_names]
        operation.ops = [inner for inner in left if inner not in late]
        if operation.ops:
            kept.append(operation)
        if late:
            kept.append(ModifyRenamedTableOps(operation.table_name, late, schema=operation.schema))
    upgrade_ops.ops[:] = kept


def _gone(
    upgrade_ops: UpgradeOps, renames: Renames, under_way: dict[TableKey, list[UnderWay]]
) -> set[int]:
    """Return which operations, by their ids, are about what the engine makes or takes away."""
    inner = [
        (key, operation)
        for group in upgrade_ops.ops
        if isinstance(group, ops.ModifyTableOps)
        and (key := renames.key(group.schema, group.table_name))
        for operation in group.ops
    ]
    gone = {
        id(operation)
        for key, operation in inner
        if any(rename.explains(operation) for rename in under_way.get(key, ()))
    }
    shapes = [
        (operation, shape) for _, operation in inner if (shape := shape_of(operation, renames))
    ]
    beside = {(table, name) for table, all_ in under_way.items() for u in all_ for name in u.both}
    for operation, original in shapes:
        # What is on a column that the model has not.
        if original.creates or not original.touches & renames.absent:
            continue
        copies = [
            other
            for other, shape in shapes
            if other is not operation and shape.is_copy_of(original, renames)
        ]
        gone |= {id(copy) for copy in copies}
        if copies or original.touches & beside:
            gone.add(id(operation))
    return gone


def _key(operation: MigrateOperation, renames: Renames) -> TableKey | None:
    name = getattr(operation, "table_name", None)
    return None if name is None else renames.key(getattr(operation, "schema", None), name)


def _column(operation: MigrateOperation, table: TableKey) -> tuple[TableKey, str] | None:
    """Return the column that an operation adds or drops."""
    if isinstance(operation, ops.AddColumnOp):
        return table, operation.column.name
    if isinstance(operation, ops.DropColumnOp):
        return table, operation.column_name
    return None


def _touches(operation: MigrateOperation, renames: Renames) -> frozenset[Any]:
    shape = shape_of(operation, renames)
    return frozenset() if shape is None else shape.touches
