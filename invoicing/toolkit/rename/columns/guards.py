"""What keeps the two columns equal, and what to say where other hands took it off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.columns.expand import unguarded
from invoicing.toolkit.rename.columns.identity import find_identity
from invoicing.toolkit.rename.model import Phase

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext

# Phases in which the triggers and the defaults of the rename have to stand.
_GUARDED = frozenset(
    {Phase.EXPANDED, Phase.BACKFILLING, Phase.BACKFILLED, Phase.VERIFYING, Phase.VERIFIED}
)
_MEANING = {
    False: "missing, or not enabled ALWAYS, so a write by one name can fail, or not reach the "
    "other. {run}; then backfill and verify",
    True: "changed since. Until it is taken over, UPDATE ... SET {names.new} = DEFAULT gives "
    "the former one, and an INSERT that leaves {names.old} out may count as one by the old name. "
    "{run}, which takes it over",
}
_LEFT = """
SELECT tgname FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND tgname = ANY ($2::text[]) ORDER BY 1
"""


async def notes(context: RenameContext) -> list[str]:
    """Return what is missing, disabled or left over, what it means, and what to run."""
    connection, names, target = context.connection, context.names, context.target
    noted = await state.load(connection, names)
    if noted is None or noted.phase not in _GUARDED:
        return []
    if target.old not in context.table.columns:
        ours = [*names.triggers, *names.statement_triggers]
        left = [row[0] for row in await connection.fetch(_LEFT, context.table.oid, ours)]
        means = f"{names.old} was dropped by other means than the contract, and writes can fail by"
        run = f"Run: {target.command('contract')}, which takes it off"
        return [f"{means} the trigger {trigger}. {run}" for trigger in left]
    run = f"Run: {target.command('expand')}"
    if identity := await find_identity(context):
        return [str(finding) for finding in identity]
    found = await unguarded(context)
    noted_of = {
        of_default: "; ".join(each.subject for each in found if each.of_default is of_default)
        for of_default in _MEANING
    }
    return [
        f"{subjects}: {_MEANING[of_default].format(run=run, names=names)}"
        for of_default, subjects in noted_of.items()
        if subjects
    ]
