"""Functions of the table's triggers that name the column: replaced with it, by the same swap.

A row of the table behind the view has the new name alone. Where every use of the old one in a
function is proven (see `dependents.rewriting`), and its owner has accepted it, the expand gives it
the new name, and the rollback the old one again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents import find_dependents
from invoicing.toolkit.rename.dependents.rewriting import find_rewrites
from invoicing.toolkit.rename.names import literal
from invoicing.toolkit.rename.view.sql import CHANGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.dependents.rewriting import Rewrite

_SLUG = "function-rewrite"


async def to_replace(context: RenameContext, *, accepted: bool) -> list[Rewrite]:
    """Return what the expand replaces.

    Args:
        context: the rename's.
        accepted: only what is accepted; else what could be, for a plan.
    """
    accept, target = context.options.accept, context.target
    if accepted and not any(name.partition(":")[0] == _SLUG for name in accept):
        return []
    wanted = {
        found.oid
        for found in await find_dependents(context)
        if found.kind.slug == _SLUG
        and (not accepted or not {_SLUG, f"{_SLUG}:{found.subject}"}.isdisjoint(accept))
    }
    found = await find_rewrites(context, target.old, target.new)
    return [rewrite for rewrite in found if rewrite.oid in wanted]


async def to_put_back(context: RenameContext, definition: Mapping[str, Any]) -> list[Rewrite]:
    """Return what the rollback replaces: a function that still is as the expand made it, exactly.

    Args:
        context: the rename's.
        definition: what was noted of it, if anything.
    """
    noted = {oid: (body, new_body) for oid, body, new_body in definition.get("functions", ())}
    found = []
    for rewrite in await find_rewrites(context, context.target.new, context.target.old):
        body, new_body = noted.get(rewrite.oid, (rewrite.new_body, rewrite.body))
        is_as_made = rewrite.body == new_body
        found.append(rewrite._replace(new_body=body) if is_as_made else rewrite)
    return found


def as_json(rewrites: Iterable[Rewrite]) -> list[list[Any]]:
    """Return what the rename notes of them."""
    return [[rewrite.oid, rewrite.body, rewrite.new_body] for rewrite in rewrites]


def statements(rewrites: Iterable[Rewrite]) -> list[str]:
    """Return what replaces them, each if it is as it was when it was read."""
    return [
        statement for rewrite in rewrites for statement in (_unchanged(rewrite), rewrite.statement)
    ]


def _unchanged(rewrite: Rewrite) -> str:
    message = f"function {rewrite.subject} was changed at the same moment"
    body = (
        "BEGIN IF (SELECT p.prosrc FROM pg_catalog.pg_proc AS p WHERE p.oid OPERATOR(pg_catalog.=)"
        f" {rewrite.oid}) IS DISTINCT FROM {literal(rewrite.body)} THEN RAISE EXCEPTION USING"
        f" ERRCODE = '{CHANGED}', MESSAGE = {literal(message)}; END IF; END"
    )
    return f"DO {literal(body)}"
