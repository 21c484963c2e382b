"""Loads that came one by one because nothing asked for them before: a part of `n-plus-one`.

Judged by what was loaded for whom: a relationship (or the columns) of several objects of one
session, one statement each. Where few of the objects that came together were asked, reading was
conditional. Loads of one object again and again are no N+1, whoever polls it.
"""

from __future__ import annotations

import linecache
import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, LargeBinary, Text, inspect

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
from invoicing.toolkit.profiling.findings.fix import Fix
from invoicing.toolkit.profiling.findings.options import fix_for, path_to
from invoicing.toolkit.profiling.statement import Cause, PathStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence, ObjectSource
    from invoicing.toolkit.profiling.statement import Statement

# Bytes of a wide row, and parents for each object from which on a join repeats it too often.
LARGE, SHARED = 2000, 2


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
    fixes = _lazy_fixes(evidence, group)
    how = "refreshes" if refreshed else "loads of immediateload" if eager else "lazy loads"
    message = f"{relationship} was loaded for {parents} parents by {len(group)} {how}, one for each"
    whole = sorted([*group, *_own_columns(evidence, group)], key=lambda statement: statement.number)
    return Finding(
        "n-plus-one",
        message,
        _lazy_fix(group, fixes, "session.refresh()" if refreshed else eager and "immediateload"),
        relationship,
        caller,
        cost_of(whole, kept=1),
        numbers(whole),
        # Who refreshes, or locks, asks for more than the relationship.
        fixes=() if refreshed else fixes,
    )


def _own_columns(evidence: Evidence, group: list[Statement]) -> list[Statement]:
    """Return what the same calls of `session.refresh()` read of the parents themselves."""
    calls = {
        (unit(statement), statement.caller) for statement in group if "refresh" in statement.within
    }
    return [statement for call in calls for statement in evidence.refreshes.get(call, ())]


def _lazy_fixes(evidence: Evidence, group: list[Statement]) -> tuple[Fix, ...]:
    first = group[0]
    step = first.steps[-1] if first.steps else PathStep(first.relationship or "", first.collection)
    sources = evidence.sources(group)
    outer = [source for source in sources if source.statement.relationship != step.relationship]
    # It was loaded for its own members, level by level.
    tree = len(outer) < len(sources)
    if tree and _is_chain(step, outer):
        return ()
    fixes = []
    for source in outer:
        top, before = path_to(evidence, source)
        loader = "selectinload" if _repeats_wide_rows(group, step, source) else None
        fixes.append(fix_for(step, top, before, entity=source.entity, loader=loader, tree=tree))
    return tuple(dict.fromkeys(fixes)) or (fix_for(step, None, tree=tree),)


def _is_chain(step: PathStep, outer: Iterable[ObjectSource]) -> bool:
    """Return whether each level has one member: a loader would send a statement for each, too."""
    return not step.collection and sum(source.entity.rows for source in outer) == 1


def _repeats_wide_rows(group: list[Statement], step: PathStep, source: ObjectSource) -> bool:
    """Return whether a join would send wide rows again and again, for the parents that share them.

    By the bytes that the loads received, or else by the types of the columns.
    """
    if step.collection or source.entity.rows < SHARED * len(group):
        return False
    received = [load.bytes_received for load in group if load.bytes_received is not None]
    if received:
        return sum(received) / len(received) >= LARGE
    columns: Any = inspect(step.target).columns if step.target is not None else ()
    return any(isinstance(column.type, (Text, LargeBinary, JSON)) for column in columns)


def _lazy_fix(group: list[Statement], fixes: tuple[Fix, ...], instead: str | bool) -> str:
    if not fixes:
        entity = (group[0].relationship or "").partition(".")[0]
        return (
            f"read the whole chain by one select({entity}) that joins a recursive CTE of its keys "
            "(select(...).cte(recursive=True)), for a loader would send a statement a level as well"
        )
    places: dict[str, list[str]] = {}
    for fix in fixes:
        places.setdefault(str(fix), []).append(_place(fix))
    here = f"the statement at {main_caller(group)}"
    how = ", and ".join(
        f".options({option}){'' if names == [here] else ' to ' + ' and '.join(names)}"
        for option, names in places.items()
    ) + _in_place_of(fixes)
    return f"add {how}{f' instead of {instead}' if instead else ''}"


_HELD_BACK = r"\b((?:lazyload|raiseload|noload|defer)\(\s*{}\b)"


def _in_place_of(fixes: tuple[Fix, ...]) -> str:
    """Name the option that holds a part back, where the source of the statement has it."""
    for fix in fixes:
        name = re.escape(fix.path[-1].step.relationship) if fix.path and fix.at else None
        source = "".join(linecache.getlines(fix.at.file)) if fix.at else ""
        held_back = re.search(_HELD_BACK.format(name), source) if name else None
        if held_back is not None:
            return f", in place of {held_back[1]})"
    return ""


def _place(fix: Fix) -> str:
    return f"the statement at {fix.at}" if fix.at else "the statement that loads the parents"


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
        fixes: tuple[Fix, ...] = ()
        if group[0].cause is Cause.REFRESH:
            what = "refreshed"
            fix = (
                f"one select({name}).where(...) with"
                " .execution_options(populate_existing=True) for all of them"
            )
        else:
            what = "loaded again, expired or deferred"
            fixes = _column_fixes(evidence, group)
            fix = _column_fix(group, fixes)
        message = f"columns of {objects} {name} objects were {what}, by one statement for each"
        yield repetition(message, fix, None, group, "n-plus-one", fixes)


def _column_fixes(evidence: Evidence, group: list[Statement]) -> tuple[Fix, ...]:
    """Return the options that load the columns with their objects; none where they expired."""
    first, fixes = group[0], []
    owner, name = first.parent_class, first.relationship
    for source in evidence.sources(group):
        top, before = path_to(evidence, source)
        expired = source.statement.transaction != first.transaction
        mapped = source.entity.mapped
        if expired or owner is None or top is None:
            continue
        if mapped is not None and mapped is not owner and issubclass(owner, mapped):
            fixes.append(Fix(before, top.caller, subclass=(mapped, owner)))
        elif name is not None:
            column = PathStep(name, collection=False, owner=owner)
            fixes.append(fix_for(column, top, before, entity=source.entity, loader="undefer"))
    return tuple(dict.fromkeys(fixes))


def _column_fix(group: list[Statement], fixes: tuple[Fix, ...]) -> str:
    if fixes:
        return _lazy_fix(group, fixes, instead=False)
    if group[0].relationship is None:
        return (
            "expire_on_commit=False for the session, if a commit or expire() let them expire, or"
            f" one select({_entity(group)}) for all of them, or undefer_group(...) where they are"
            " deferred"
        )
    return (
        f"add undefer({group[0].relationship}) where {_entity(group)} is selected, or"
        " expire_on_commit=False where a commit let it expire"
    )


def _entity(group: list[Statement]) -> str:
    entities = {statement.parent.entity for statement in group if statement.parent is not None}
    return " or ".join(sorted(entities)) or "mapped"
