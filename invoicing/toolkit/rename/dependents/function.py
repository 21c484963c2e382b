"""Functions and procedures, other than those of the table's triggers, that name the column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import FOLLOWS, STAYS, Kind, Reaction, lines

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope


async def _find(scope: Scope) -> FoundDependents:
    found = []
    for function in scope.functions:
        if scope.triggers_of(function):
            continue
        named = function.body.lines_naming(scope.looked_for(function))
        if named:
            found.append((function.subject, "pg_proc", function.oid, lines(named)))
    return found


KINDS = (
    Kind(
        "function",
        Reaction(
            "later",
            "the contract is refused until it does not name {old} ({detail}). After the backfill "
            "run: CREATE OR REPLACE FUNCTION with {new}",
            acceptable=True,
        ),
        Reaction(
            "later",
            "the contract is refused until it does not name {old} ({detail}); from the expand on "
            "it may name {new}: CREATE OR REPLACE FUNCTION",
            acceptable=True,
        ),
        find=_find,
    ),
    Kind(
        "function",
        Reaction(
            "later",
            "the contract is refused until its body does not name {old}. After the backfill run: "
            "CREATE OR REPLACE FUNCTION with {new}",
        ),
        FOLLOWS,
        """
        SELECT p.oid::regprocedure::text, 'pg_proc', p.oid
        FROM hanging AS h JOIN pg_catalog.pg_proc AS p ON p.oid = h.objid
        WHERE h.classid = 'pg_proc'::regclass
        """,
        in_place=STAYS,
    ),
)
