"""Arguments of triggers that name the column, as those of tsvector_update_trigger do.

They are kept as text (`pg_trigger.tgargs`): neither a dependency nor renamed with the column.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction
from invoicing.toolkit.rename.dependents.tokens import identifiers

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope, Trigger


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


# An ordinary trigger of the table's own, fired as it was made: it can be replaced where it stands.
_PLAIN = """
SELECT t.oid FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
WHERE t.tgrelid = $1 AND c.relkind = 'r' AND NOT c.relispartition AND t.tgconstraint = 0
    AND t.tgenabled = 'O' AND $2 = $2 AND pg_catalog.has_function_privilege(t.tgfoid, 'EXECUTE')
"""


async def replaceable(scope: Scope) -> list[Trigger]:
    """Return the triggers of which an argument is the column's name, and no other names it."""
    plain, old = {row["oid"] for row in await scope.fetch(_PLAIN)}, scope.target.old
    return [
        trigger
        for trigger in scope.triggers
        if trigger.oid in plain and old in trigger.arguments
        if not any(old in identifiers(text) for text in trigger.arguments if text != old)
    ]


async def _on_table(scope: Scope, *, replaced: bool) -> FoundDependents:
    oids = {trigger.oid for trigger in await replaceable(scope)}
    found = await _found(scope, on_table=True, before=None)
    return [row for row in found if (row[2] in oids) is replaced]


_REPLACED = Reaction(
    "refused",
    "its arguments ({detail}) name {old}, which no row has from the expand on. The expand can "
    "replace it at that moment by one with {new}, and a rollback takes that back. If the argument "
    "means the column: --accept argument-rewrite",
    acceptable=True,
    at_gate=False,
)
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
        NOTHING,
        find=partial(_found, on_table=True, before=True),
        same_name=NOTHING,
    ),
    Kind("trigger-argument", _LATER, NOTHING, find=partial(_found, on_table=True, before=False)),
    Kind("trigger-argument", NOTHING, _NO_SUCH, find=partial(_on_table, replaced=False)),
    Kind("argument-rewrite", NOTHING, _REPLACED, find=partial(_on_table, replaced=True)),
    Kind("trigger-argument", _LATER, _LATER, find=partial(_found, on_table=False, before=None)),
)
