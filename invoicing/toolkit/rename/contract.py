"""The contract: the old column goes, in one short transaction; and the way back, written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import detached, marks, ranges, state, sync
from invoicing.toolkit.rename.copies import find_copies
from invoicing.toolkit.rename.copies.partition import missing_properties
from invoicing.toolkit.rename.errors import (
    ConfirmationError,
    ContractRefusedError,
    RenameFailedError,
)
from invoicing.toolkit.rename.gate import ask_gate
from invoicing.toolkit.rename.model import Finding, Phase
from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.session import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.toolkit.rename.column import Column
    from invoicing.toolkit.rename.copies import Copy
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.operator import Operator

# Not one of PostgreSQL's own codes, so that nothing else can mean it.
_WRITTEN_AGAIN = "RN001"
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


def confirmation(target: Target) -> str:
    """Return what has to be typed to confirm the contract."""
    return f"{target.table}.{target.old}"


async def contract(operator: Operator, column: Column, confirm: str | None) -> None:
    """Drop the old column, once it is confirmed and the gate is open.

    Raises:
        ConfirmationError: `confirm` is not the column's name, and the table is not empty.
        ContractRefusedError: the gate has objections.
    """
    connection, names = operator.connection, operator.names
    rows = await connection.fetchval(f"SELECT count(*) FROM {names.relation}")
    expected = confirmation(operator.target)
    if rows and confirm != expected:
        raise ConfirmationError(str(operator.target), expected, rows)
    gate = await ask_gate(operator, column)
    if not gate.open:
        raise ContractRefusedError(str(operator.target), gate.objections)
    operator.entry.result |= {"gate": "open", "rows": rows} | {
        "unseen": [str(one) for one in gate.unseen]
    }
    await detached.clean(operator)
    copies = await find_copies(connection, operator.relation, operator.target)
    await connection.execute(state.set_phase(names, Phase.CONTRACTING))
    settled = await owned_sequences(operator)
    settled += await missing_properties(connection, operator.relation, operator.target)
    found = await operator.state()
    definition = dict(found.definition) if found is not None else {}
    definition |= {"column": f"{quote(names.old)} {column.type}", "not_null": column.not_null}
    definition |= {"dropped_with_it": [f"{copy.kind} {copy.old_name}" for copy in copies]}
    await state.save(connection, names, definition=definition)
    await end_old_name(operator, contract_statements(names, copies, settled))
    await tidy(operator)
    if not rows:
        # Nothing was lost, so that nobody will ask for a way back.
        await state.forget(connection, names)


async def end_old_name(operator: Operator, statements: list[str], also: Iterable[int] = ()) -> None:
    """Run the contract's transaction, the first statement of which takes its lock.

    Raises:
        ContractRefusedError: old code wrote while it waited for the lock.
    """
    names, (lock, *rest) = operator.names, statements
    contracted = state.set_phase(names, Phase.CONTRACTED)
    last_look = await _last_look(operator)
    try:
        await operator.ddl.short(lock, *last_look, *rest, contracted, also=also)
    except RenameFailedError as error:
        if error.sqlstate != _WRITTEN_AGAIN:
            raise
        objection = Finding("old-writes", "old code", "refused", error.reason)
        await state.save(operator.connection, names, watch={})
        raise ContractRefusedError(str(operator.target), [objection]) from None


async def _last_look(operator: Operator) -> list[str]:
    """Return what refuses the contract if old code wrote while it waited for its lock."""
    found = await operator.state()
    if found is None or not found.watch or "old-writes" in operator.options.accept:
        return []
    body = (
        f"BEGIN IF (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM"
        f" {operator.names.sequence}) > {int(found.watch['writes'])} THEN RAISE EXCEPTION USING"
        f" ERRCODE = '{_WRITTEN_AGAIN}', MESSAGE = 'it wrote the old column while the contract"
        " waited for its lock: it is still at work. End it first'; END IF; END"
    )
    return [f"DO {literal(body)}"]


async def tidy(operator: Operator) -> None:
    """Drop what nothing uses any more; a killed contract is tidied up by running it again."""
    found, names = await operator.state(), operator.names
    if not await state.has_state(operator.connection):
        return
    if found is not None and found.phase is not Phase.CONTRACTED:
        # The old column was dropped by hand, and what kept both equal may still be there.
        lock, *triggers = contract_statements(names, [], [])[:-1]
        await operator.ddl.short(lock, *triggers, state.set_phase(names, Phase.CONTRACTED))
    await detached.clean(operator)
    await write(operator.connection, *sync.drop_functions(names))
    await ranges.forget(operator.connection, names)


def contract_statements(names: Names, copies: Sequence[Copy], settled: Sequence[str]) -> list[str]:
    """Return what runs in one transaction, under one lock: everything in it is only the catalog.

    Args:
        names: the rename's.
        copies: what was made on the new column.
        settled: what else goes over to it before the old one is dropped.
    """
    table = names.relation
    statements = [f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", *sync.drop_triggers(names)]
    statements.append(marks.unmark_statement(names, names.new))
    statements += settled
    statements.append(f"ALTER TABLE {table} DROP COLUMN {quote(names.old)}")
    for copy in copies:
        statements += copy.settle()
    return statements


async def owned_sequences(operator: Operator) -> list[str]:
    """Return what keeps the sequences that the old column owns: they would go with it."""
    relation, names = operator.relation, operator.names
    rows = await operator.connection.fetch(_OWNED, relation.oid, names.old)
    return [f"ALTER SEQUENCE {row[0]} OWNED BY {row[1]}.{quote(names.new)}" for row in rows]


def under_way_back(target: Target) -> str:
    """Return what an operator can do while the new name is renamed to the old one."""
    back = target.reversed()
    return (
        f"{target.old} is there, and the rename of {target.new} to {target.old} is under way. To "
        f"drop {target.old}: {back.command('rollback')}; to drop {target.new}: "
        f"{back.command('contract')}"
    )


def way_back(target: Target) -> str:
    """Return what an operator can do after the contract."""
    return (
        f"{target.old} is gone with its values; {target.new} has them. To have both again, kept "
        f"equal: {target.command('restore')}"
    )
