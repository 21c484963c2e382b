"""The contract: the old column is dropped, in one short transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.columns import detached, marks, sync, triggers
from invoicing.toolkit.rename.columns.copies import find_copies
from invoicing.toolkit.rename.columns.copies.kept import kept_for
from invoicing.toolkit.rename.columns.copies.properties import changes
from invoicing.toolkit.rename.columns.copies.referencing import ReferencingCopy
from invoicing.toolkit.rename.columns.gate import stale_objections
from invoicing.toolkit.rename.columns.in_place import on_new, statements
from invoicing.toolkit.rename.columns.moved_identity import move_statement
from invoicing.toolkit.rename.contract import end_old_name
from invoicing.toolkit.rename.errors import ContractRefusedError
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.columns.copies import Copy
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession

# Of the table and its partitions: each may have a sequence of its own.
_OWNED = """
SELECT pg_catalog.format('%I.%I', sn.nspname, s.relname),
    pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM (SELECT $1::oid AS relid UNION SELECT relid
    FROM pg_catalog.pg_partition_tree($1::oid::pg_catalog.regclass)) AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped
JOIN pg_catalog.pg_depend AS d ON d.refobjid = c.oid AND d.refobjsubid = a.attnum
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'a'
    AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace AS sn ON sn.oid = s.relnamespace ORDER BY s.oid
"""


async def contract(session: RenameSession) -> None:
    """Drop the old column.

    Raises:
        ContractRefusedError: something was dropped or changed on it since the gate was open.
    """
    connection, names, column = session.connection, session.names, session.column()
    await detached.clean(session)
    copies = await find_copies(session)
    in_place = bool(await kept_for(session))
    objections = await stale_objections(session, copies)
    objections += await on_new(session, copies) if in_place else []
    if objections:
        raise ContractRefusedError(str(session.target), objections)
    if in_place:
        await _in_place(session)
        return
    await session.entry.note(connection, in_place=False)
    carried = await triggers.on_new(session)
    await connection.execute(state.set_phase(names, Phase.CONTRACTING))
    settled = await owned_sequences(session)
    properties = await changes(session)
    settled += [*properties.statements, *carried]
    if column.identity:
        settled.append(move_statement(names))
    session.entry.result["reconciled"] = properties.said
    noted = await session.state()
    definition = dict(noted.definition) if noted is not None else {}
    definition |= {"column": f"{quote(names.old)} {column.type}", "not_null": column.not_null}
    definition |= {"dropped_with_it": [f"{copy.kind} {copy.old_name}" for copy in copies]}
    await state.save(connection, names, definition=definition)
    also = [copy.table.oid for copy in copies if isinstance(copy, ReferencingCopy)]
    await end_old_name(session, contract_statements(names, copies, settled), also)


async def _in_place(session: RenameSession) -> None:
    """Drop the new column, and give the old one its name."""
    names, column = session.names, session.column()
    await session.entry.note(session.connection, in_place=True)
    await session.connection.execute(state.set_phase(names, Phase.CONTRACTING))
    # As verify has left it, and what was changed since.
    properties = await changes(session)
    session.entry.result["reconciled"] = properties.said
    noted = await session.state()
    definition = dict(noted.definition) if noted is not None else {}
    definition |= {"column": f"{quote(names.old)} {column.type}", "not_null": column.not_null}
    await state.save(session.connection, names, definition=definition)
    await end_old_name(session, await statements(session))


def contract_statements(names: Names, copies: Sequence[Copy], settled: Sequence[str]) -> list[str]:
    """Return what runs in one transaction, under one lock: everything in it is only the catalog.

    Args:
        names: the rename's.
        copies: what was made on the new column.
        settled: what else goes over to it before the old one is dropped.
    """
    table = names.relation
    keys = [copy for copy in copies if isinstance(copy, ReferencingCopy)]
    # In the order in which a client locks them that writes a row which refers to another.
    tables = ", ".join(dict.fromkeys([*(key.table.sql for key in keys), table]))
    statements = [f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE", *sync.drop_triggers(names)]
    statements += marks.unmark_statements(names, names.new)
    statements += settled
    statements += [key.drop_original for key in keys]
    statements.append(f"ALTER TABLE {table} DROP COLUMN {quote(names.old)}")
    for copy in copies:
        statements += copy.settle()
    if names.keeps_name:
        rename = f"RENAME COLUMN {quote(names.new)} TO {quote(names.old)}"
        statements.append(f"ALTER TABLE {table} {rename}")
    return statements


async def owned_sequences(session: RenameSession) -> list[str]:
    """Return what keeps the sequences that the old column owns: they would go with it."""
    names = session.names
    rows = await session.connection.fetch(_OWNED, session.table.oid, names.old)
    return [f"ALTER SEQUENCE {row[0]} OWNED BY {row[1]}.{quote(names.new)}" for row in rows]
