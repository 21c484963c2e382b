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
from invoicing.toolkit.rename.dependents.kind import Dependent, Kind, look, read_scope
from invoicing.toolkit.rename.model import PlanFinding
from invoicing.toolkit.rename.names import quote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.strategy import RenameStrategy


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


async def find_dependents(context: RenameContext) -> list[Dependent]:
    """Return what names the column or its table, and last what no kind has claimed."""
    scope = await read_scope(context)
    found = await look(kinds(), scope)
    claimed = {(dependent.catalog, dependent.oid) for dependent in found}
    found += await unclaimed.find(scope, claimed)
    return list(dict.fromkeys(found))


def judge(
    found: Iterable[Dependent],
    target: Target,
    strategy: RenameStrategy,
    accept: Collection[str] = (),
    *,
    at_gate: bool = False,
    in_place: bool = False,
) -> list[PlanFinding]:
    """Return what the strategy does with each of them.

    Args:
        found: what there is.
        target: the column.
        strategy: which one.
        accept: what a person has accepted.
        at_gate: whether it is the contract that is asked about.
        in_place: whether that renames the column itself.
    """
    findings = []
    for dependent in found:
        kind, subject = dependent.kind, dependent.subject
        reaction = kind.reaction(strategy.name, keeps_name=target.keeps_name, in_place=in_place)
        verdict, message, acceptable, stays = reaction
        if verdict is None or (at_gate and not stays):
            continue
        said = message.format(
            slug=kind.slug,
            old=quote(target.old),
            new=quote(target.new),
            then=quote(target.old if target.keeps_name else target.new),
            subject=subject,
            table=quote(target.table),
            detail=dependent.detail,
        )
        name = ""
        if verdict == "refused" and acceptable:
            name = f"{kind.slug}:{subject}"
            if not {kind.slug, name}.isdisjoint(accept):
                verdict, said = "noted", "accepted: " + said
            elif "--accept" not in said:
                said += f". If you know it to be harmless: --accept {shlex.quote(name)}"
        findings.append(PlanFinding(kind.slug, subject, verdict, said, name))
    return findings


async def judged(
    context: RenameContext, strategy: RenameStrategy, dependents: Iterable[Dependent]
) -> list[PlanFinding]:
    """Return what the strategy's plan does with what names the column or its table."""
    in_place, accept = await strategy.in_place(context), context.options.accept
    return judge(dependents, context.target, strategy, accept, in_place=in_place)


async def cannot_follow(context: RenameContext, strategy: RenameStrategy) -> list[PlanFinding]:
    """Return what came after the plan, which would refuse it: the contract would be refused too."""
    in_place = await strategy.in_place(context)
    dependents = await find_dependents(context)
    found = judge(dependents, context.target, strategy, at_gate=True, in_place=in_place)
    return [finding for finding in found if finding.verdict == "refused" and not finding.name]


def word(name: str) -> str:
    """Return a pattern of PostgreSQL's that finds `name` as a word by itself, or quoted in SQL."""
    spelled = {re.escape(name): None, re.escape(name.replace('"', '""')): None}
    return rf"(^|[^\w$])(?:{'|'.join(spelled)})([^\w$]|$)"
