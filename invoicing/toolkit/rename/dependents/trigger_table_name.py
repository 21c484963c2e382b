"""Triggers whose function asks for the table's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope

_ASKS = frozenset({"tg_table_name", "tg_relname", "tg_relid"})


async def _find(scope: Scope) -> FoundDependents:
    return [
        (trigger.subject, "pg_trigger", trigger.oid, "")
        for function in scope.functions
        if any(token.text in _ASKS for token in function.body.tokens)
        for trigger in scope.triggers_of(function)
    ]


KINDS = (
    Kind(
        "table-name",
        NOTHING,
        Reaction(
            "refused",
            "its function asks for the table's name, which is another while the view stands. If "
            "that does no harm: --accept table-name",
            acceptable=True,
            at_gate=False,
        ),
        find=_find,
    ),
)
