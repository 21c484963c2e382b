"""The instant way: a view in the table's place answers to both names, and no row is rewritten.

In one short transaction the table steps aside (`invoice` -> `invoice_base`), its column is renamed,
and a view that PostgreSQL updates through takes its name. The contract takes the view away again.
What clients cannot do to a view is told by the plan (`findings`).

Each swap carries the rename's new phase in its own transaction: killed at any moment, it has
happened with its note or not at all. What it is made from is read before, and looked at once more
under the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import contract, state, sync
from invoicing.toolkit.rename.column import find_relation
from invoicing.toolkit.rename.dependents import word
from invoicing.toolkit.rename.errors import (
    ConfirmationError,
    ContractRefusedError,
    RenameFailedError,
    RenameRefusedError,
)
from invoicing.toolkit.rename.gate import ask_gate
from invoicing.toolkit.rename.model import BackfillReport, Phase, Progress, VerifyReport
from invoicing.toolkit.rename.names import MARK, quote
from invoicing.toolkit.rename.preflight import measure
from invoicing.toolkit.rename.session import write
from invoicing.toolkit.rename.view import sql as view_sql
from invoicing.toolkit.rename.view.gate import counts_writes, hanging_on_view, has_rows
from invoicing.toolkit.rename.view.shape import find_renamings, read_shape, seen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from invoicing.toolkit.rename.column import Column
    from invoicing.toolkit.rename.operator import Operator
    from invoicing.toolkit.rename.view.shape import Shape

_ATTEMPTS = 3


async def expand(operator: Operator, column: Column) -> None:
    """Put the view in the table's place, or go on where the expand was killed."""
    connection, names = operator.connection, operator.names
    await state.set_up(connection)
    await operator.entry.begin()
    found = await operator.state()
    if found is None or found.phase is not Phase.EXPANDING:
        await state.begin(connection, names, "view", {})
    await write(connection, *view_sql.count_functions(names, word(names.old)))
    sizes = await measure(connection, operator.relation, names.old)

    async def swap() -> None:
        shape = await _shape(operator)
        if shape.name != names.table:
            return
        about = {"type": column.type, "base": shape.base, "oid": shape.oid, "new": column.number}
        await state.save(connection, names, definition=about, rows_total=sizes.rows)
        await operator.ddl.short(
            *view_sql.swap_statements(names, shape), state.set_phase(names, Phase.EXPANDED)
        )

    await _unless_changed(swap)


async def repair(operator: Operator) -> None:
    """Put back what somebody dropped while the rename was under way: the view, or the counter."""
    connection, names = operator.connection, operator.names
    shape = await _shape(operator)
    base = view_sql.base_name(names, shape)
    statements = [] if shape.view is not None else view_sql.view_statements(names, shape)
    if not await counts_writes(connection, shape.oid, names.count_trigger):
        await write(connection, *view_sql.count_functions(names, word(names.old)))
        statements += view_sql.count_trigger(names, base)
    if statements:
        lock = f"LOCK TABLE {base} IN ACCESS EXCLUSIVE MODE"
        await operator.ddl.short(lock, *statements, state.set_phase(names, Phase.EXPANDED))


async def backfill(
    operator: Operator, progress: Callable[[Progress], None] | None
) -> BackfillReport:
    """There is nothing to fill: one column has two names."""
    found = await operator.state()
    if found is not None and found.phase is Phase.EXPANDED:
        await operator.connection.execute(state.set_phase(operator.names, Phase.BACKFILLED))
    rows = found.rows_total if found is not None else 0
    if progress is not None:
        size = operator.options.batch_size
        progress(Progress(rows, rows, rate=0.0, eta=0.0, batch_size=size))
    return BackfillReport(completed=True, rows_updated=0, batches=0, seconds=0.0)


async def verify(operator: Operator, column: Column) -> VerifyReport:
    """Count the rows: the names are equal because they are one column, and nothing is compared."""
    connection, names = operator.connection, operator.names
    base = view_sql.base_name(names, await _shape(operator))
    nulls = "0" if column.not_null else f"count(*) - count({quote(names.new)})"
    rows, empty = await connection.fetchrow(f"SELECT {MARK} count(*), {nulls} FROM {base}")
    await connection.execute(state.set_phase(names, Phase.VERIFIED))
    return VerifyReport(
        rows=rows,
        equal=rows,
        different=0,
        missing=0,
        nulls=empty,
        not_null=True if column.not_null else None,
    )


async def end(operator: Operator, column: Column, confirm: str | None) -> None:
    """Contract: take the view away and give the table its name back, once the gate is open.

    Raises:
        ConfirmationError: `confirm` is not the column's name, and the table is not empty.
        ContractRefusedError: the gate has objections.
    """
    connection, names = operator.connection, operator.names
    filled = await has_rows(operator)
    expected = contract.confirmation(operator.target)
    if filled and confirm != expected:
        rows = (await measure(connection, operator.relation, names.new)).rows
        raise ConfirmationError(str(operator.target), expected, rows, dropped=False)
    gate = await ask_gate(operator, column)
    if not gate.open:
        raise ContractRefusedError(str(operator.target), gate.objections)
    operator.entry.result |= {"gate": "open", "unseen": [str(one) for one in gate.unseen]}
    await connection.execute(state.set_phase(names, Phase.CONTRACTING))

    async def swap() -> None:
        shape = await _shape(operator)
        guard, carried = await _meanwhile(operator, shape)
        renamings = await find_renamings(connection, shape.oid, names, names.new)
        rest = view_sql.contract_statements(names, shape, renamings, carried)
        lock = view_sql.lock_statement(names, shape)
        await contract.end_old_name(operator, [lock, guard, *rest], _also(shape))

    await _unless_changed(swap)
    await contract.tidy(operator)
    if not filled:
        await state.forget(connection, names)


async def rollback(operator: Operator) -> None:
    """Go back to exactly the start: every value is there, under the one name or the other.

    Raises:
        RenameRefusedError: something was made on the view, and would go with it.
    """
    connection, names = operator.connection, operator.names

    async def swap() -> None:
        shape = await _shape(operator)
        if shape.name == names.table:
            return
        if findings := await hanging_on_view(connection, shape.view):
            raise RenameRefusedError(operator.target, findings)
        guard, carried = await _meanwhile(operator, shape)
        await operator.ddl.short(
            view_sql.lock_statement(names, shape),
            guard,
            *view_sql.rollback_statements(names, shape, carried),
            state.set_phase(names, Phase.ROLLING_BACK),
            also=_also(shape),
        )

    await _unless_changed(swap)
    await write(connection, *sync.drop_functions(names))
    await state.forget(connection, names)


async def _shape(operator: Operator) -> Shape:
    relation = await find_relation(operator.connection, operator.target)
    return await read_shape(operator.connection, relation.oid, operator.names)


async def _meanwhile(operator: Operator, shape: Shape) -> tuple[str, list[str]]:
    """Return what is looked at under the lock, and what was changed on the view while it stood."""
    if shape.view is None:
        return view_sql.unchanged(shape.seen, [shape.oid]), []
    connection, names = operator.connection, operator.names
    both = [shape.oid, shape.view]
    number = await connection.fetchval(seen(both))
    view = await read_shape(connection, shape.view, names)
    return view_sql.unchanged(number, both), view_sql.carry_back(names, shape, view)


def _also(shape: Shape) -> list[int]:
    return [] if shape.view is None else [shape.view]


async def _unless_changed(swap: Callable[[], Awaitable[None]]) -> None:
    """Run it again where somebody changed the table between our reading and our lock."""
    for attempt in range(_ATTEMPTS):
        try:
            await swap()
        except RenameFailedError as error:
            if error.sqlstate != view_sql.CHANGED or attempt + 1 == _ATTEMPTS:
                raise
        else:
            return
