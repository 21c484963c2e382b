"""All kinds of dependents, discovered; both strategies and the gate ask them here."""

from __future__ import annotations

import pkgutil
import re
import shlex
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents import unclaimed
from invoicing.toolkit.rename.dependents.kind import Dependent, Kind, read_scope
from invoicing.toolkit.rename.model import Finding
from invoicing.toolkit.rename.names import quote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.model import Strategy, Target
    from invoicing.toolkit.rename.table import Relation


@cache
def kinds() -> tuple[Kind, ...]:
    """Return every kind that a module of this package has."""
    found: list[Kind] = []
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        found += getattr(import_module(f"{__package__}.{module.name}"), "KINDS", ())
    return tuple(found)


def slugs() -> frozenset[str]:
    """Return what a finding about a dependent may be called."""
    return frozenset(kind.slug for kind in (*kinds(), unclaimed.UNCLAIMED))


async def find_dependents(
    connection: Connection, relation: Relation, target: Target
) -> list[Dependent]:
    """Return what names the column or its table, and last what no kind has claimed."""
    # Behind a view the column has the new name already; texts may still have the old.
    column = target.new if relation.base else target.old
    scope = await read_scope(connection, relation, target, column)
    found = [one for kind in kinds() for one in await kind.look(scope)]
    found += await unclaimed.find(scope, {(one.catalog, one.oid) for one in found})
    return list(dict.fromkeys(found))


def judge(
    found: Iterable[Dependent],
    target: Target,
    strategy: Strategy,
    accept: Collection[str] = (),
    *,
    at_gate: bool = False,
) -> list[Finding]:
    """Return what the strategy does with each of them."""
    findings = []
    for one in found:
        reaction = one.kind.view if strategy == "view" else one.kind.columns
        verdict, message, acceptable, stays = reaction
        if verdict is None or (at_gate and not stays):
            continue
        said = message.format(
            slug=one.kind.slug,
            old=quote(target.old),
            new=quote(target.new),
            subject=one.subject,
            table=quote(target.table),
            detail=one.detail,
        )
        name = ""
        if verdict == "refused" and acceptable:
            name = f"{one.kind.slug}:{one.subject}"
            if not {one.kind.slug, name}.isdisjoint(accept):
                verdict, said = "noted", "accepted: " + said
            elif "--accept" not in said:
                said += f". If you know it to be harmless: --accept {shlex.quote(name)}"
        findings.append(Finding(one.kind.slug, one.subject, verdict, said, name))
    return findings


async def dependents_of(
    connection: Connection,
    relation: Relation,
    target: Target,
    strategy: Strategy,
    accept: Collection[str] = (),
) -> list[Finding]:
    """Return what names the column or its table, and what the strategy does with it."""
    return judge(await find_dependents(connection, relation, target), target, strategy, accept)


def word(name: str) -> str:
    """Return a pattern of PostgreSQL's that finds `name` as a word by itself."""
    return rf"(^|[^\w$]){re.escape(name)}([^\w$]|$)"
