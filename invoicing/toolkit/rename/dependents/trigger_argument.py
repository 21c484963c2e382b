"""Arguments of triggers that name the column, as those of tsvector_update_trigger do.

They are kept as text (`pg_trigger.tgargs`): neither a dependency nor renamed with the column.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction
from invoicing.toolkit.rename.dependents.tokens import identifiers

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope


async def _found(scope: Scope, *, on_table: bool, before: bool | None) -> FoundDependents:
    found = []
    for trigger in scope.triggers:
        if trigger.on_table is not on_table or before not in {None, trigger.before_row}:
            continue
        named = {name for text in trigger.arguments for name in identifiers(text)}
        needed = {scope.target.old} | (set() if on_table else {scope.table.name})
        if needed <= named:
            shown = ", ".join(trigger.arguments)
            found.append((trigger.subject, "pg_trigger", trigger.oid, shown))
    return found


_NO_SUCH = Reaction(
    "refused",
    "its arguments ({detail}) name {old}, which no row has from the expand on: each write would "
    "fail. Drop it first, or replace its function with one that takes either name: "
    "to_jsonb(NEW) ->> ...",
)
_LATER = Reaction(
    "later",
    "the contract is refused until its arguments ({detail}) do not name {old}. After the backfill "
    "create it again with {new}",
)
KINDS = (
    Kind(
        "trigger-argument",
        Reaction(
            "refused",
            "its arguments ({detail}) name {old}. It runs before the two columns are made equal, "
            "and would see no {old} in what new code writes. Drop it first. Or replace its "
            "function with one that takes either name (to_jsonb(NEW) ->> ...), and use --strategy "
            "view",
        ),
        _NO_SUCH,
        find=partial(_found, on_table=True, before=True),
        same_name=NOTHING,
    ),
    Kind("trigger-argument", _LATER, _NO_SUCH, find=partial(_found, on_table=True, before=False)),
    Kind("trigger-argument", _LATER, _LATER, find=partial(_found, on_table=False, before=None)),
)
