"""The contract: the old column goes, in one short transaction; and the way back, written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors import ConfirmationError, ContractRefusedError, RenameFailedError
from invoicing.rename import marks, state, sync
from invoicing.rename.carry import find_carried
from invoicing.rename.gate import ask_gate
from invoicing.rename.model import Finding, Phase
from invoicing.rename.names import STATE, literal, quote
from invoicing.rename.session import write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.rename.carry import Carried
    from invoicing.rename.column import Column
    from invoicing.rename.model import Target
    from invoicing.rename.names import Names
    from invoicing.rename.operator import Operator

# Not one of PostgreSQL's own codes, so that nothing else can mean it.
_WRITTEN_AGAIN = "RN001"


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
    carried = await find_carried(connection, operator.relation, operator.target)
    await connection.execute(state.set_phase(names, Phase.CONTRACTING))
    sequences = await owned_sequences(operator)
    definition = {"column": f"{quote(names.old)} {column.type}", "not_null": column.not_null}
    definition |= {"dropped_with_it": [f"{one.kind} {one.old_name}" for one in carried]}
    await state.save(connection, names, definition=definition)
    await end_old_name(operator, contract_statements(names, carried, sequences))
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
    if not await state.has_state(operator.connection):
        return
    await write(operator.connection, *sync.drop_functions(operator.names))
    await operator.connection.execute(
        f"DELETE FROM {quote(STATE)}.range WHERE key = $1", operator.names.key
    )


def contract_statements(names: Names, carried: list[Carried], sequences: list[str]) -> list[str]:
    """Return what runs in one transaction, under one lock: everything in it is only the catalog."""
    table, new = names.relation, quote(names.new)
    statements = [f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", *sync.drop_triggers(names)]
    statements.append(marks.unmark_statement(names, names.new))
    # A sequence that the old column owns would go with it.
    statements += [f"ALTER SEQUENCE {one} OWNED BY {table}.{new}" for one in sequences]
    statements.append(f"ALTER TABLE {table} DROP COLUMN {quote(names.old)}")
    for one in carried:
        statements += _settle(one)
    return statements


async def owned_sequences(operator: Operator) -> list[str]:
    """Return the sequences that would be dropped with the old column."""
    rows = await operator.connection.fetch(
        "SELECT c.oid::regclass::text FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.objid"
        " JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
        " WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
        " AND c.relkind = 'S' AND d.deptype = 'a' AND d.refobjid = $1 AND a.attname = $2",
        operator.relation.oid,
        operator.names.old,
    )
    return [row[0] for row in rows]


def _settle(one: Carried) -> list[str]:
    """Return what gives a copy its final name and place, now that the original is gone."""
    alter = f"ALTER TABLE {one.relation}"
    name, final = quote(one.name), quote(one.final_name)
    statements = []
    if one.kind == "unique":
        statements.append(f"{alter} ADD CONSTRAINT {final} UNIQUE USING INDEX {name}{one.suffix}")
    elif one.name != one.final_name:
        statements.append(
            {
                "index": f"ALTER INDEX {one.sql_name} RENAME TO {final}",
                "statistics": f"ALTER STATISTICS {one.sql_name} RENAME TO {final}",
            }.get(one.kind, f"{alter} RENAME CONSTRAINT {name} TO {final}")
        )
    if one.clustered:
        statements.append(f"{alter} CLUSTER ON {final}")
    of_the_schema = f"{quote(one.schema)}.{final}"
    if one.comment is not None:
        what = {
            "index": f"INDEX {of_the_schema}",
            "statistics": f"STATISTICS {of_the_schema}",
        }.get(one.kind, f"CONSTRAINT {final} ON {one.relation}")
        statements.append(f"COMMENT ON {what} IS {literal(one.comment)}")
    if one.target is not None:
        statements.append(f"ALTER STATISTICS {of_the_schema} SET STATISTICS {one.target}")
    return statements


def way_back(target: Target) -> str:
    """Return what an operator can do after the contract."""
    return (
        f"{target.old} is gone with its values; {target.new} has them. To have both again, kept "
        f"equal: {target.command('restore')}"
    )
