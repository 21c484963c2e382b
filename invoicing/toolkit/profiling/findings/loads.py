"""Loads that came one by one because nothing asked for them before: a part of `n-plus-one`.

Judged by what was loaded for whom: a relationship (or the columns) of several objects of one
session, one statement each. Where few of the objects that came together were asked, reading was
conditional. Loads of one object again and again are no N+1, whoever polls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import (
    cost_of,
    is_repeated_line,
    is_unasked,
    main_caller,
    numbers,
    repetition,
    unit,
)
from invoicing.toolkit.profiling.findings.finding import Finding
from invoicing.toolkit.profiling.findings.options import option_for, path_to
from invoicing.toolkit.profiling.statement import Cause, PathStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.statement import Statement


def lazy_loads(evidence: Evidence) -> Iterator[Finding]:
    """Find relationships that were loaded for one parent after the other."""
    loads = evidence.groups(
        lambda statement: (
            statement.parent is not None
            and (statement.cause is Cause.LAZY_LOAD or statement.loader == "immediate")
            and not is_unasked(statement)
        ),
        lambda statement: (
            unit(statement),
            statement.relationship,
            statement.loader == "immediate",
        ),
    )
    for group in loads:
        parents = {statement.parent for statement in group}
        if len(parents) >= evidence.thresholds.repeats and _is_systematic(evidence, group):
            yield _lazy_finding(evidence, group, len(parents))


def keys_of(group: list[Statement]) -> set[tuple[object, ...]]:
    """Return the primary keys of the parents whose parts were loaded."""
    return {statement.parent.key for statement in group if statement.parent is not None}


def _is_systematic(evidence: Evidence, group: list[Statement]) -> bool:
    keys = keys_of(group)
    if len(keys) >= evidence.thresholds.many or group[0].loader == "immediate":
        return True
    siblings: set[tuple[object, ...]] = set()
    for source in evidence.sources(group):
        siblings |= source.entity.keys or set()
    if not siblings:
        return True
    reads = evidence.attribute_reads.of(group[0].relationship or "", group[0].session)
    # Those, too, whose part was there already: of ten books by two authors, two load theirs.
    asked = keys | (reads & siblings)
    return len(asked) / len(siblings | keys) >= evidence.thresholds.share


def _lazy_finding(evidence: Evidence, group: list[Statement], parents: int) -> Finding:
    first, caller = group[0], main_caller(group)
    relationship = first.relationship or ""
    eager = first.loader == "immediate"
    refreshed = "refresh" in first.within
    how = "refreshes" if refreshed else "loads of immediateload" if eager else "lazy loads"
    message = f"{relationship} was loaded for {parents} parents by {len(group)} {how}, one for each"
    whole = sorted([*group, *_own_columns(evidence, group)], key=lambda statement: statement.number)
    return Finding(
        "n-plus-one",
        message,
        _lazy_fix(evidence, group, "session.refresh()" if refreshed else eager and "immediateload"),
        relationship,
        caller,
        cost_of(whole, kept=1),
        numbers(whole),
    )


def _own_columns(evidence: Evidence, group: list[Statement]) -> list[Statement]:
    """Return what the same calls of `session.refresh()` read of the parents themselves."""
    calls = {
        (unit(statement), statement.caller) for statement in group if "refresh" in statement.within
    }
    return [statement for call in calls for statement in evidence.refreshes.get(call, ())]


def _lazy_fix(evidence: Evidence, group: list[Statement], instead: str | bool) -> str:
    step = PathStep(group[0].relationship or "", group[0].collection)
    sources = evidence.sources(group)
    outer = [source for source in sources if source.statement.relationship != step.relationship]
    # It was loaded for its own members, level by level.
    tree = step.collection and len(outer) < len(sources)
    places: dict[str, dict[str, None]] = {}
    for source in outer:
        first, steps = path_to(evidence, source)
        option = option_for(step, steps, tree=tree)
        places.setdefault(option, {})[_place(first)] = None
    if not places:
        places = {option_for(step, tree=tree): {_place(None): None}}
    here = f"the statement at {main_caller(group)}"
    how = ", and ".join(
        f".options({option}){'' if [*names] == [here] else ' to ' + ' and '.join(names)}"
        for option, names in places.items()
    )
    return f"use {how} instead of {instead}" if instead else f"add {how}"


def _place(statement: Statement | None) -> str:
    if statement is None or statement.caller is None:
        return "the statement that loads the parents"
    return f"the statement at {statement.caller}"


def column_loads(evidence: Evidence) -> Iterator[Finding]:
    """Find columns (expired, deferred, refreshed) that were loaded for one object after another."""
    loads = evidence.groups(
        lambda statement: (
            statement.cause in {Cause.COLUMN_LOAD, Cause.REFRESH}
            and not is_unasked(statement)
            and statement.error is None
        ),
        lambda statement: (unit(statement), statement.cause, statement.fingerprint),
    )
    for group in loads:
        objects = len({statement.parameters_key for statement in group})
        if objects < evidence.thresholds.repeats or not is_repeated_line(group):
            continue
        name = _entity(group)
        if group[0].cause is Cause.REFRESH:
            what, fix = (
                "refreshed",
                (
                    f"one select({name}).where(...) with"
                    " .execution_options(populate_existing=True) for all of them"
                ),
            )
        else:
            what, fix = (
                "loaded again, expired or deferred",
                (
                    f"undefer({group[0].relationship or '...'}) where {name} is selected, or"
                    " selectin_polymorphic(...) for columns of subclasses, or"
                    " expire_on_commit=False where a commit expired them"
                ),
            )
        message = f"columns of {objects} {name} objects were {what}, by one statement for each"
        yield repetition(message, fix, None, group, "n-plus-one")


def _entity(group: list[Statement]) -> str:
    entities = {statement.parent.entity for statement in group if statement.parent is not None}
    return " or ".join(sorted(entities)) or "mapped"
