"""Go back to before the expand: from every phase before the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import ended, state
from invoicing.toolkit.rename.columns import detached, marks, sync, triggers
from invoicing.toolkit.rename.columns.copies import referencing
from invoicing.toolkit.rename.columns.identity import refuse_identity
from invoicing.toolkit.rename.columns.sync import distinct, present
from invoicing.toolkit.rename.connection.pool import write
from invoicing.toolkit.rename.errors import RowsDifferError
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import MARK, qualified, quote
from invoicing.toolkit.rename.retype import conversion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession


def rollback_statements(names: Names, own: Sequence[str] = ()) -> list[str]:
    """Return what runs in one transaction, under one lock; what is on the column goes with it.

    Args:
        names: the rename's.
        own: what makes the table's own triggers what they were.
    """
    return [
        f"LOCK TABLE {names.relation} IN ACCESS EXCLUSIVE MODE",
        *sync.drop_triggers(names),
        *marks.unmark_statements(names, names.old),
        *own,
        f"ALTER TABLE {names.relation} DROP COLUMN IF EXISTS {quote(names.new)}",
    ]


async def rollback(session: RenameSession) -> None:
    """Drop the triggers and the new column: the old one has every value.

    Raises:
        RowsDifferError: the new column has values that the old one has not.
        RenameRefusedError: a column was made an identity column meanwhile.
    """
    connection, names = session.connection, session.names
    await refuse_identity(session, "rollback")
    if names.new in session.table.columns and not names.keeps_name:
        await _refuse_loss(session)
    await detached.clean(session)
    keys = await referencing.find(session, names.new) if names.keeps_name else []
    drops = [
        f"ALTER TABLE {qualified(key['schema'], key['table'])} DROP CONSTRAINT {quote(key['name'])}"
        for key in keys
    ]
    statements = rollback_statements(names, [*await triggers.on_old(session), *drops])
    if await session.state() is not None:
        # Refused or blocked, it leaves the rename where it was, to be gone on with.
        statements.append(state.set_phase(names, Phase.ROLLING_BACK))
    await session.ddl.short(*statements, also=[key["conrelid"] for key in keys])
    if await state.has_state(connection):
        await write(connection, *names.drop_functions())
    await ended.forget(session)


async def _refuse_loss(session: RenameSession) -> None:
    names, column = session.names, session.column()
    old, new = quote(names.old), quote(names.new)
    made = names.conversion
    # What the old column only has a likeness of would be lost as well.
    differ = (
        distinct(column, old, new)
        if made is None
        else made.new.differs(conversion.to_new(names, old), new)
    )
    rows, different = await session.connection.fetchrow(
        f"SELECT {MARK} count(*), count(*) FILTER (WHERE {present(new)}"
        f" AND ({differ})) FROM {names.relation}"
    )
    if different:
        raise RowsDifferError(
            str(session.target),
            rows=rows,
            missing=0,
            different=different,
            danger=f"Dropping {names.new} now would lose values",
            advice=f"Set {names.old} in those rows first, then run: "
            + session.target.command("rollback"),
        )
