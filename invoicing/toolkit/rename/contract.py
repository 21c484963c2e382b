"""The contract of either strategy: confirmed, through the gate, and tidied up; and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import ended, journal, state
from invoicing.toolkit.rename.connection.pool import write
from invoicing.toolkit.rename.errors import (
    ConfirmationError,
    ContractRefusedError,
    RenameFailedError,
)
from invoicing.toolkit.rename.gate import ask_gate
from invoicing.toolkit.rename.model import Phase, PlanFinding
from invoicing.toolkit.rename.names import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.strategy import RenameStrategy

# Not one of PostgreSQL's own codes, so that nothing else can mean it.
_WRITTEN_AGAIN = "RN001"


async def contract(session: RenameSession, strategy: RenameStrategy, confirm: str | None) -> bool:
    """End the old name, once it is confirmed and the gate is open.

    Returns:
        Whether the column itself was renamed.

    Raises:
        ConfirmationError: `confirm` is not the column's name, and the table is not empty.
        ContractRefusedError: the gate has objections.
    """
    rows = await refuse_unconfirmed(session, strategy, session.target, confirm)
    gate = await ask_gate(session, strategy)
    if not gate.open:
        raise ContractRefusedError(str(session.target), gate.objections)
    session.entry.result |= {"gate": "open", "rows": rows} | {
        "unseen": [str(finding) for finding in gate.unseen]
    }
    await strategy.contract(session)
    await tidy(session, strategy)
    if not rows:
        # Nothing was lost, so that no way back is needed.
        await ended.forget(session)
    return bool(session.entry.result.get("in_place"))


async def was_in_place(session: RenameSession) -> bool:
    """Tell whether the contract that ended the old name renamed the column itself."""
    runs = await journal.read_runs(session.connection, session.names)
    ways = [run.result["in_place"] for run in runs if "in_place" in run.result]
    return bool(ways and ways[-1])


async def refuse_unconfirmed(
    session: RenameSession, strategy: RenameStrategy, target: Target, confirm: str | None
) -> int:
    """Return how many rows lose the old name of `target`, once that is confirmed.

    Args:
        session: of the rename, or of the way back that has added the old column again.
        strategy: the session's.
        target: whose old name is confirmed.
        confirm: `table.old`, or `schema.table.old`.

    Raises:
        ConfirmationError: it is not that name.
    """
    rows = await strategy.count_rows(session)
    bare = f"{target.table}.{target.old}"
    if rows and confirm not in {bare, f"{session.names.schema}.{bare}"}:
        wording = strategy.wording_of_type if target.keeps_name else strategy.wording
        loss = wording.confirm.format(rows=f"{rows:,}")
        raise ConfirmationError(str(target), bare, loss)
    return rows


def in_other_schema(schema: str, table: str, old: str) -> str:
    """Return the condition under which `table.old` names a column of another schema, too.

    Args:
        schema: SQL that gives its name.
        table: the same.
        old: the same.
    """
    return (
        "EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n"
        " ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid"
        f" WHERE c.relname = {table} AND n.nspname <> {schema}"
        f" AND c.relkind IN ('r', 'p') AND a.attname = {old} AND NOT a.attisdropped)"
    )


async def end_old_name(
    session: RenameSession, statements: Sequence[str], also: Iterable[int] = ()
) -> None:
    """Run the contract's transaction, the first statement of which takes its lock.

    Raises:
        ContractRefusedError: old code wrote while it waited for the lock.
    """
    names, (lock, *rest) = session.names, statements
    contracted = state.set_phase(names, Phase.CONTRACTED)
    last_look = await _last_look(session)
    try:
        await session.ddl.short(lock, *last_look, *rest, contracted, also=also)
    except RenameFailedError as error:
        if error.sqlstate != _WRITTEN_AGAIN:
            raise
        objection = PlanFinding("old-writes", "old code", "refused", error.reason)
        await state.save(session.connection, names, watch={})
        raise ContractRefusedError(str(session.target), [objection]) from None


async def _last_look(session: RenameSession) -> list[str]:
    """Return what refuses the contract if old code wrote while it waited for its lock."""
    found = await session.state()
    if found is None or not found.watch or "old-writes" in session.options.accept:
        return []
    body = (
        f"BEGIN IF {session.names.old_writes} > {int(found.watch['writes'])} THEN RAISE EXCEPTION"
        f" USING ERRCODE = '{_WRITTEN_AGAIN}', MESSAGE = 'it wrote the old column while the"
        " contract waited for its lock: it still runs. Stop it first'; END IF; END"
    )
    return [f"DO {literal(body)}"]


async def tidy(session: RenameSession, strategy: RenameStrategy) -> None:
    """Drop what nothing uses any more; a killed contract is tidied up by running it again."""
    connection, names = session.connection, session.names
    if not await state.has_state(connection):
        return
    found = await session.state()
    if found is not None and found.phase is not Phase.CONTRACTED:
        # The old column was dropped by hand, and what kept both equal may still be there.
        left = strategy.leftovers(names)
        await session.ddl.short(*left, state.set_phase(names, Phase.CONTRACTED))
    await strategy.clean(session)
    await write(connection, *names.drop_functions())
    await state.forget_ranges(connection, names)


def under_way_back(target: Target) -> str:
    """Return what can be done while the new name is renamed to the old one."""
    back = target.reversed()
    return (
        f"{target.old} is there, and the rename of {target.new} to {target.old} is under way. To "
        f"drop {target.old}: {back.command('rollback')}; to drop {target.new}: "
        f"{back.command('contract')}"
    )


def way_back(target: Target) -> str:
    """Return what can be done after the contract."""
    if target.keeps_name:
        return (
            f"{target.old} has its new type. To change it back, retype it to the old one, with "
            f"--using and --back the other way round: {target.command('plan')} TYPE"
        )
    return (
        f"{target.old} is gone with its values; {target.new} has them. To have both again, kept "
        f"equal: {target.command('restore')}"
    )
