"""Functions with a NATURAL JOIN: which columns it joins by changes with the table's columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction, lines

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope


async def _joins(scope: Scope) -> FoundDependents:
    return [
        (function.subject, "pg_proc", function.oid, lines(joined))
        for function in scope.functions
        if (joined := function.body.lines_joining(scope.looked_for(function)))
    ]


_JOINS = Reaction(
    "refused",
    "it joins by whatever columns have the same name ({detail}): from the expand on {new} is one "
    "of them, and {old} is none in the end. Let it say USING, then begin",
    acceptable=True,
)
KINDS = (Kind("natural-join", _JOINS, _JOINS, find=_joins, same_name=NOTHING),)
