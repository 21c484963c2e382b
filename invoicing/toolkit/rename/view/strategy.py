"""The strategy with a view: in the table's place, it answers to both names; no row is rewritten.

In one short transaction the table steps aside (`invoice` -> `invoice_base`), its column is renamed,
and a view that PostgreSQL updates through takes its name. The contract takes the view away again.
What clients cannot do to a view is in the plan (`findings`).

Each swap writes the rename's new phase in its own transaction: killed at any moment, it has
happened with its note or not at all. What it is made from is read before, and looked at once more
under the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import ended, state
from invoicing.toolkit.rename.connection.pool import write
from invoicing.toolkit.rename.contract import end_old_name
from invoicing.toolkit.rename.dependents import word
from invoicing.toolkit.rename.errors import RenameFailedError, RenameRefusedError
from invoicing.toolkit.rename.model import BackfillReport, Phase, Progress, VerifyReport
from invoicing.toolkit.rename.names import MARK, quote
from invoicing.toolkit.rename.preflight.checks import measure
from invoicing.toolkit.rename.renamings import find_renamings
from invoicing.toolkit.rename.table import find_table
from invoicing.toolkit.rename.view import arguments, changes, functions, gate, plan
from invoicing.toolkit.rename.view import sql as view_sql
from invoicing.toolkit.rename.view.shape import read_shape, seen
from invoicing.toolkit.rename.view.standing import read_view
from invoicing.toolkit.rename.view.wording import WORDING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.dependents.kind import Dependent
    from invoicing.toolkit.rename.model import StrategyName
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.strategy import Control, Objections, StrategyPlan
    from invoicing.toolkit.rename.view.shape import Shape

_ATTEMPTS = 3


class ViewStrategy:
    """A view in the table's place answers to both names, and no row is rewritten."""

    name: StrategyName = "view"
    wording = wording_of_type = WORDING
    without_new = Phase.NONE
    behind_view = True
    changes_type = False

    async def plan(self, context: RenameContext, dependents: Sequence[Dependent]) -> StrategyPlan:
        """Look at the catalog: what is found, every statement, and what it costs."""
        return await plan.plan(context, self, dependents)

    async def in_place(self, context: RenameContext) -> bool:  # noqa: ARG002 -- the protocol's
        """Return False: there is no second column."""
        return False

    async def expand(self, session: RenameSession) -> None:
        """Put the view in the table's place, or go on where the expand was killed."""
        connection, names, column = session.connection, session.names, session.column()
        await state.set_up(connection)
        await session.entry.begin()
        found = await session.state()
        if found is None or found.phase is not Phase.EXPANDING:
            await state.begin(connection, names, self.name, {})
        await write(connection, *view_sql.count_functions(names, word(names.old)))
        sizes = await measure(session)

        async def swap() -> None:
            shape = await _shape(session)
            if shape.name != names.table:
                return
            shown = changes.as_json(changes.items(names, shape))
            about = {"type": column.type, "new": column.number, "shown": shown}
            about |= {"base": shape.base, "oid": shape.oid, "owner": shape.owner}
            replaced = await functions.to_replace(session, accepted=True)
            triggers = await arguments.to_replace(session, accepted=True)
            about |= {"functions": functions.as_json(replaced)}
            about |= {"arguments": [trigger.oid for trigger in triggers]}
            await state.save(connection, names, definition=about, rows_total=sizes.rows)
            await session.ddl.short(
                *view_sql.swap_statements(names, shape),
                *functions.statements(replaced),
                *arguments.statements(triggers, session.target),
                view_sql.note_view(names),
                state.set_phase(names, Phase.EXPANDED),
            )

        await _unless_changed(swap)

    async def repair(self, session: RenameSession) -> None:
        """Put back what was dropped or changed meanwhile: the view, or a trigger behind it.

        Raises:
            RenameRefusedError: something was made on a view that has to be dropped for it.
        """
        connection, names = session.connection, session.names
        shape = await _shape(session)
        base = view_sql.base_name(names, shape)
        statements = await self._view_again(session, shape)
        if await gate.lacks_trigger(connection, names, shape):
            await write(connection, *view_sql.count_functions(names, word(names.old)))
            statements += view_sql.own_triggers(names, shape)
        replaced = await functions.to_replace(session, accepted=True)
        statements += functions.statements(replaced)
        if statements:
            lock = f"LOCK TABLE {base} IN ACCESS EXCLUSIVE MODE"
            expanded = state.set_phase(names, Phase.EXPANDED)
            await session.ddl.short(lock, *statements, view_sql.note_view(names), expanded)

    async def _view_again(self, session: RenameSession, shape: Shape) -> list[str]:
        """Return what makes the view what it was; what was granted on it stays where it can."""
        names, view = session.names, await read_view(session.connection, shape.view)
        if view is None:
            return view_sql.view_statements(names, shape)
        if view.base == shape.oid and view.answers_to(names):
            return []
        if list(view.columns) == [name for _, name in view_sql.shown_columns(names, shape)]:
            return [view_sql.create_view(names, shape, "CREATE OR REPLACE")]
        if findings := await gate.made_on_view(session.connection, shape.view):
            raise RenameRefusedError(session.target, findings)
        return [f"DROP VIEW {names.relation}", *view_sql.view_statements(names, shape)]

    async def backfill(self, session: RenameSession, control: Control) -> BackfillReport:
        """Note that there is nothing to fill: one column has two names."""
        found = await session.state()
        if found is not None and found.phase is Phase.EXPANDED:
            await session.connection.execute(state.set_phase(session.names, Phase.BACKFILLED))
        rows = found.rows_total if found is not None else 0
        if control.progress is not None:
            size = session.options.batch_size
            control.progress(Progress(rows, rows, rate=0.0, eta=0.0, batch_size=size))
        return BackfillReport(completed=True, rows_updated=0, batches=0, seconds=0.0)

    async def rows_done(self, context: RenameContext) -> int:
        """Return all of them."""
        found = await state.load(context.connection, context.names)
        return found.rows_total if found is not None else 0

    async def verify(self, session: RenameSession) -> VerifyReport:
        """Count the rows: both names are one column, and there is nothing to compare."""
        connection, names, column = session.connection, session.names, session.column()
        base = view_sql.base_name(names, await _shape(session))
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
            notes=await gate.notes(session),
        )

    async def objections(self, session: RenameSession) -> Objections:
        """Return what is missing, and what was made on the view."""
        return await gate.objections(session)

    async def count_rows(self, session: RenameSession) -> int:
        """Return about how many rows there are: statistics may not know of any yet."""
        rows = (await measure(session)).rows
        return max(rows, 1) if await gate.has_rows(session) else 0

    async def contract(self, session: RenameSession) -> None:
        """Take the view away and give the table its name back."""
        connection, names = session.connection, session.names
        await connection.execute(state.set_phase(names, Phase.CONTRACTING))

        async def swap() -> None:
            shape = await _shape(session)
            locks, kept = await _meanwhile(session, shape)
            renamings = await find_renamings(connection, shape.oid, names, names.new)
            rest = view_sql.contract_statements(names, shape, renamings, kept)
            await end_old_name(session, [*locks, *rest], _also(shape))

        await _unless_changed(swap)

    async def clean(self, session: RenameSession) -> None:
        """Do nothing: no table leaves with anything of the rename's."""

    async def notes(self, context: RenameContext) -> list[str]:
        """Return what other hands have done to the view, or to the table behind it."""
        return await gate.notes(context)

    def leftovers(self, names: Names) -> Sequence[str]:
        """Return what takes the triggers off the table."""
        lock = f"LOCK TABLE {names.relation} IN ACCESS EXCLUSIVE MODE"
        return [lock, *view_sql.drop_triggers(names, names.relation)]

    async def rollback(self, session: RenameSession) -> None:
        """Go back to exactly the start: every value is there, under the one name or the other.

        Raises:
            RenameRefusedError: something was made on the view, and would go with it.
        """
        connection, names = session.connection, session.names

        async def swap() -> None:
            shape = await _shape(session)
            if shape.name == names.table:
                return
            if findings := await gate.made_on_view(connection, shape.view):
                raise RenameRefusedError(session.target, findings)
            locks, kept = await _meanwhile(session, shape)
            noted = await session.state()
            definition = noted.definition if noted is not None else {}
            put_back = functions.statements(await functions.to_put_back(session, definition))
            triggers = await arguments.to_put_back(session, definition)
            put_back += arguments.statements(triggers, session.target.reversed())
            await session.ddl.short(
                *locks,
                *view_sql.rollback_statements(names, shape, kept),
                *put_back,
                *([state.set_phase(names, Phase.ROLLING_BACK)] if noted is not None else []),
                also=_also(shape),
            )

        await _unless_changed(swap)
        await write(connection, *names.drop_functions())
        await ended.forget(session)


async def _shape(session: RenameSession) -> Shape:
    # As it is now: another attempt follows a change by others.
    table = await find_table(session.connection, session.target)
    return await read_shape(session.connection, table.oid, session.names)


async def _meanwhile(session: RenameSession, shape: Shape) -> tuple[list[str], list[str]]:
    """Return the locks with what is looked at under them, and what was changed on the view."""
    connection, names = session.connection, session.names
    if shape.view is None:
        locks = view_sql.lock_statements(names, shape, None)
        return [*locks, view_sql.unchanged(shape.seen, [shape.oid])], []
    both = [shape.oid, shape.view]
    number = await connection.fetchval(seen(both))
    view = await read_shape(connection, shape.view, names)
    standing, noted = await read_view(connection, shape.view), await session.state()
    called = standing.called(names) if standing is not None else {}
    definition = noted.definition if noted is not None else {}
    locks = view_sql.lock_statements(names, shape, view.owner)
    return (
        [*locks, view_sql.unchanged(number, both)],
        changes.changes_meanwhile(names, shape, view, definition, called),
    )


def _also(shape: Shape) -> list[int]:
    return [] if shape.view is None else [shape.view]


async def _unless_changed(swap: Callable[[], Awaitable[None]]) -> None:
    """Run it again where another session changed the table between our reading and our lock."""
    for attempt in range(_ATTEMPTS):
        try:
            await swap()
        except RenameFailedError as error:
            if error.sqlstate != view_sql.CHANGED or attempt + 1 == _ATTEMPTS:
                raise
        else:
            return
