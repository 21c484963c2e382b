"""Functions of the table's triggers: what they name of a row, and where they use it whole."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction, lines
from invoicing.toolkit.rename.dependents.rewriting import find_rewrites

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Scope


async def _naming(scope: Scope, *, before: bool) -> FoundDependents:
    found = []
    for function in scope.functions:
        triggers = scope.triggers_of(function)
        if triggers and any(trigger.before_row for trigger in triggers) is before:
            named = function.body.lines_naming(scope.looked_for(function))
            if named:
                found.append((function.subject, "pg_proc", function.oid, lines(named)))
    return found


async def _replaceable(scope: Scope, *, replaceable: bool) -> FoundDependents:
    """Return the functions in which the name can be replaced, or the others."""
    rewrites = await find_rewrites(scope, scope.target.old, scope.target.new)
    oids = {rewrite.oid for rewrite in rewrites}
    found = [row for before in (True, False) for row in await _naming(scope, before=before)]
    return [row for row in found if (row[2] in oids) is replaceable]


async def _whole(scope: Scope) -> FoundDependents:
    return [
        (function.subject, "pg_proc", function.oid, lines(used))
        for function in scope.functions
        if scope.triggers_of(function) and (used := function.body.lines_of_whole_rows())
    ]


async def _opaque(scope: Scope) -> FoundDependents:
    return [
        (trigger.subject, "pg_trigger", trigger.oid, trigger.language)
        for trigger in scope.triggers
        if trigger.on_table and not trigger.known
    ]


_before, _after = (partial(_naming, before=before) for before in (True, False))
_NO_SUCH = Reaction(
    "refused",
    "names {old} ({detail}), which no row has from the expand on. Let it read either name: "
    "to_jsonb(NEW) ->> ..., then: --accept trigger-function",
    acceptable=True,
    at_gate=False,
)
_REPLACED = Reaction(
    "refused",
    "names {old} ({detail}), which no row has from the expand on. It does so as NEW.{old} or "
    "OLD.{old} alone, so the expand can replace it at that moment by one with {new}, and a "
    "rollback takes that back; plan --sql shows the whole statement. To have it replaced: "
    "--accept function-rewrite",
    acceptable=True,
    at_gate=False,
)
_OPAQUE = Reaction(
    "refused",
    "its function is in {detail}, and cannot be looked into. If it does not name {old}: --accept "
    "opaque-trigger",
    acceptable=True,
)
KINDS = (
    Kind(
        "before-trigger-function",
        Reaction(
            "refused",
            "it names {old} ({detail}), runs before the two columns are made equal, and would see "
            "no {old} in what new code writes. Let it not name {old}, then begin. Or use "
            "--strategy view",
        ),
        NOTHING,
        find=_before,
        same_name=NOTHING,
    ),
    Kind("trigger-function", NOTHING, _NO_SUCH, find=partial(_replaceable, replaceable=False)),
    Kind("function-rewrite", NOTHING, _REPLACED, find=partial(_replaceable, replaceable=True)),
    Kind(
        "trigger-function",
        Reaction(
            "later",
            "the contract is refused until it does not name {old} ({detail}). After the backfill "
            "run: CREATE OR REPLACE FUNCTION with {new}",
            acceptable=True,
        ),
        NOTHING,
        find=_after,
    ),
    Kind(
        "whole-row-trigger",
        Reaction(
            "noted",
            "uses the row as a whole ({detail}): by both names from the expand on, by {new} alone "
            "after the contract",
        ),
        Reaction(
            "noted",
            "uses the row as a whole ({detail}): by {new} alone from the expand on",
        ),
        find=_whole,
        same_name=Reaction(
            "noted", "uses the row as a whole ({detail}): with {new} in it until the contract"
        ),
    ),
    Kind(
        "opaque-trigger",
        _OPAQUE,
        _OPAQUE,
        find=_opaque,
        same_name=Reaction(
            "refused",
            "its function is in {detail}, and cannot be looked into. If it finds columns by their "
            "names: --accept opaque-trigger",
            acceptable=True,
        ),
    ),
)
