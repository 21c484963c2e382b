"""Arguments of the table's triggers that are the column's name: replaced with it, by the same swap.

See `dependents.trigger_argument` for which. A trigger is replaced where it stands: its oid, comment
and place in the order stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.context import RenameContext
from invoicing.toolkit.rename.dependents.kind import read_scope
from invoicing.toolkit.rename.dependents.trigger_argument import replaceable
from invoicing.toolkit.rename.names import literal
from invoicing.toolkit.rename.view.sql import CHANGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from invoicing.toolkit.rename.dependents.kind import Trigger
    from invoicing.toolkit.rename.model import Target

_SLUG = "argument-rewrite"


async def to_replace(context: RenameContext, *, accepted: bool) -> list[Trigger]:
    """Return what the expand replaces: what is accepted, or for a plan what could be."""
    accept = context.options.accept
    if accepted and not any(name.partition(":")[0] == _SLUG for name in accept):
        return []
    return [
        trigger
        for trigger in await replaceable(await read_scope(context))
        if not accepted or not {_SLUG, f"{_SLUG}:{trigger.subject}"}.isdisjoint(accept)
    ]


async def to_put_back(context: RenameContext, definition: Mapping[str, Any]) -> list[Trigger]:
    """Return what the rollback replaces: what was noted; without a note, what names the column."""
    back = context.target.reversed()
    scope = RenameContext(context.connection, back, context.options, context.table)
    found = await replaceable(await read_scope(scope))
    noted = definition.get("arguments")
    return [trigger for trigger in found if noted is None or trigger.oid in noted]


def statements(triggers: Iterable[Trigger], target: Target) -> list[str]:
    """Return what replaces them, once the table and its column have their names."""
    return [_statement(trigger, target) for trigger in triggers]


def _statement(trigger: Trigger, target: Target) -> str:
    before = _listed(trigger.arguments)
    after = _listed([target.new if text == target.old else text for text in trigger.arguments])
    message = f"trigger {trigger.subject} was changed at the same moment"
    body = (
        f"DECLARE made pg_catalog.text := pg_catalog.pg_get_triggerdef({trigger.oid}); "
        f"BEGIN IF pg_catalog.right(made, {len(before)}) IS DISTINCT FROM {literal(before)} THEN "
        f"RAISE EXCEPTION USING ERRCODE = '{CHANGED}', MESSAGE = {literal(message)}; END IF; "
        "EXECUTE pg_catalog.concat('CREATE OR REPLACE ', pg_catalog.substr(made, 8, "
        f"pg_catalog.length(made) OPERATOR(pg_catalog.-) {len(before) + 7}), {literal(after)}); END"
    )
    return f"DO {literal(body)}"


def _listed(arguments: Iterable[str]) -> str:
    """Return them as `pg_get_triggerdef` does while standard_conforming_strings is on."""
    return "(" + ", ".join("'" + text.replace("'", "''") + "'" for text in arguments) + ")"
