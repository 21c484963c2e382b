"""What a rename keeps in its schema goes at its end, and the schema with the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import journal, state
from invoicing.toolkit.rename.names import STATE, literal, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession

_TABLES = """
SELECT oid FROM pg_catalog.pg_class
WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)
"""


async def forget(session: RenameSession) -> None:
    """Delete the rename's row, and the schema with the last one, in one transaction.

    The drop takes a lock on table after table, while a `status` may hold one and wait for the next:
    so it is tried like every statement that needs a strong lock.

    Raises:
        RenameBlockedError: another session read the schema's tables all the time.
    """
    if await state.has_state(session.connection):
        tables = [row[0] for row in await session.connection.fetch(_TABLES, STATE)]
        await session.ddl.short(forget_statement(session.names), also=tables)


def forget_statement(names: Names) -> str:
    """Return the statement of a run, and of a script."""
    rename, key = f"{quote(STATE)}.rename", literal(names.key)
    return f"""DO $forget_{names.key}$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock({state.CREATION_LOCK});
    DELETE FROM {rename} WHERE key = {key};
    {journal.forget_statement(names)};
    IF NOT EXISTS (SELECT FROM {rename}) AND {state.MAY_DROP} THEN
        DROP SCHEMA {quote(STATE)} CASCADE;
    END IF;
END
$forget_{names.key}$"""
