"""A part of `n-plus-one`: a query, or `session.get`, that the program sends in a loop.

Judged by which parameters differ. Those that look rows up (`column = ?`) belong to one thing each;
those that cut a range, a page or a list belong to paging and to batches. In one unit of work a line
that comes again is enough. Across several of them (a session for each, as under `gather`), equal
shapes may be independent requests: there the values must have come from the rows of one earlier
statement, and the source must show how (`data_flow`). That they are equal says nothing. Or all of
them, sent by tasks or threads side by side, came out of one list in the program's text.

Patterns, ranges and lists tell rows from pages by the source alone: it has to lead to an earlier
statement's rows, a range to one row each, and a list has to be the row's own (`own_lists`).
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.profiling.findings.bulk_fix import bulk_get
from invoicing.toolkit.profiling.findings.evidence import (
    differing_places,
    is_repeated_line,
    numbers,
    repetition,
)
from invoicing.toolkit.profiling.findings.finding import Finding
from invoicing.toolkit.profiling.findings.options import fix_for, standing
from invoicing.toolkit.profiling.findings.own_lists import is_own_list
from invoicing.toolkit.profiling.findings.parameter_roles import ParameterRole, parameter_roles
from invoicing.toolkit.profiling.statement import Caller, Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import AnyFix, Finding
    from invoicing.toolkit.profiling.findings.fix import Fix
    from invoicing.toolkit.profiling.statement import EntityRows, PathStep, Statement


class Origin(NamedTuple):
    """Where looked-up values came from.

    Attributes:
        statement: in whose rows they stood.
        looked_up: the statements whose values those are.
    """

    statement: Statement
    looked_up: list[Statement]


_LOCKS = re.compile(r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE|KEY SHARE)\b", re.IGNORECASE)
# What takes the next free row is a queue's worker.
_TAKES_NEXT = re.compile(r"\b(?:SKIP LOCKED|LIMIT|FETCH FIRST)\b", re.IGNORECASE)
# Characters of a statement that a line of text can show.
_SHOWN = 200
# Tasks or threads that make a fan-out.
_SIDE_BY_SIDE = 2
_FROM = re.compile(r"\bFROM\b", re.IGNORECASE)


def looped_queries(evidence: Evidence) -> Iterator[Finding]:
    """Find queries that were sent for one thing after the other."""
    taken: set[int] = set()
    for group in evidence.groups(
        _is_query, lambda statement: (statement.transaction, statement.fingerprint)
    ):
        if _looks_up_one_by_one(evidence, group) and is_repeated_line(group):
            taken.update(numbers(group))
            yield _finding(evidence, group, _origin(evidence, group))
    elsewhere = evidence.groups(
        lambda statement: (
            _is_query(statement)
            and not _locks(statement)
            and statement.number not in taken
            and statement.transaction not in evidence.writing
        ),
        lambda statement: statement.fingerprint,
    )
    for group in elsewhere:
        several = len({statement.transaction for statement in group}) >= evidence.thresholds.repeats
        if not several or not _looks_up_one_by_one(evidence, group):
            continue
        origin = _origin(evidence, group)
        if origin is not None:
            yield _finding(evidence, origin.looked_up, origin)
        elif (written := _fanned_out(evidence, group)) is not None:
            yield _finding(evidence, group, None, f", side by side, for the list at {written}")


def _is_query(statement: Statement) -> bool:
    return (
        statement.cause in {Cause.STATEMENT, Cause.GET}
        and statement.operation in {"SELECT", "WITH"}
        and statement.error is None
        and statement.executions == 1
        and bool(statement.parameter_keys)
        and _FROM.search(statement.text) is not None
        and not (_locks(statement) and _TAKES_NEXT.search(statement.text))
    )


def _locks(statement: Statement) -> bool:
    return _LOCKS.search(statement.text) is not None


def _fanned_out(evidence: Evidence, group: list[Statement]) -> str | None:
    """Return the place of the list in the text over which tasks or threads sent one query each.

    A unit of work that asks for more is a request of its own.
    """
    if len({statement.task for statement in group}) < min(len(group), _SIDE_BY_SIDE):
        return None
    if any(evidence.sizes[statement.transaction] > 1 for statement in group):
        return None
    return _written_for(evidence, group)


def _written_for(evidence: Evidence, group: list[Statement]) -> str | None:
    """Return the place of the list in the program's text of which each is for one member."""
    flow = evidence.flow_from([])
    lists = [flow.written_lists(statement) for statement in group]
    same = set(lists[0]).intersection(*lists[1:])
    for file, line in sorted(same):
        if lists[0][file, line] in {None, len(group)}:
            return str(Caller(file, line, ""))
    return None


def _looks_up_one_by_one(evidence: Evidence, group: list[Statement]) -> bool:
    things = len({statement.parameters_key for statement in group})
    # A few locks may be taken in an order of the program's own.
    few = things < evidence.thresholds.repeats or (
        _locks(group[0]) and things < evidence.thresholds.many and _origin(evidence, group) is None
    )
    if few:
        return False
    roles = parameter_roles(group[0].text)
    lengths = {len(statement.parameter_keys) for statement in group}
    if len(lengths) > 1:
        return _has_own_list(evidence, group)
    if len(roles) != len(group[0].parameter_keys):
        return False
    kinds = {role for place in differing_places(group) for role in roles[place]}
    if ParameterRole.LIST in kinds and sum(ParameterRole.LIST in role for role in roles) > 1:
        return _has_own_list(evidence, group)
    if ParameterRole.LIST in kinds:
        # A list of one. An array is one parameter too: of one, if what is in it stood in some row.
        array = re.search(r"\bANY\b", group[0].text, re.IGNORECASE) is not None
        single = not array or _origin(evidence, group) is not None
        kinds = (kinds - {ParameterRole.LIST}) | ({ParameterRole.EQUAL} if single else set())
    return _by_value(evidence, group, kinds)


def _by_value(evidence: Evidence, group: list[Statement], kinds: set[ParameterRole]) -> bool:
    """Return whether the values that differ are of one thing each."""
    if ParameterRole.EQUAL in kinds:
        cut = kinds & {ParameterRole.RANGE, ParameterRole.PAGE}
        return not cut or _origin(evidence, group) is not None
    one_range = (
        kinds == {ParameterRole.RANGE}
        and len(differing_places(group)) == 1
        and all((statement.rows or 0) <= 1 for statement in group)
    )
    if kinds == {ParameterRole.PATTERN} and _written_for(evidence, group):
        return _TAKES_NEXT.search(group[0].text) is None
    by_row = one_range or ParameterRole.PATTERN in kinds
    return by_row and _row_by_row(evidence, group) is not None


def _has_own_list(evidence: Evidence, group: list[Statement]) -> bool:
    callers = {statement.caller for statement in group if statement.caller is not None}
    own = all(is_own_list(caller) for caller in callers)
    return bool(callers) and own and _row_by_row(evidence, group) is not None


def _row_by_row(evidence: Evidence, group: list[Statement]) -> Origin | None:
    """Return the last earlier statement whose rows the source shows each of these to be for."""
    candidates = [
        statement
        for statement in evidence.rarer_before(group[0], len(group) / evidence.thresholds.repeats)
        if statement.fingerprint != group[0].fingerprint
    ]
    flow = evidence.flow_from(candidates)
    for candidate in reversed(candidates):
        if all(flow.leads(statement, candidate) for statement in group):
            return Origin(candidate, group)
    return None


def _looking_up(group: list[Statement]) -> list[int]:
    roles = parameter_roles(group[0].text)
    return [
        place
        for place in differing_places(group)
        if place < len(roles) and roles[place] & {ParameterRole.EQUAL, ParameterRole.LIST}
    ]


def _origin(evidence: Evidence, group: list[Statement]) -> Origin | None:
    """Return the one earlier statement out of whose rows the looked-up values came, if any."""
    for place in _looking_up(group):
        wanted = {statement.parameter_keys[place] for statement in group}
        enough = min(len(wanted), evidence.thresholds.repeats)
        candidates = [
            statement
            # What runs as often itself is a part of the same work, not what the work is a list of.
            for statement in evidence.rarer_before(
                group[0], len(group) / evidence.thresholds.repeats
            )
            if any(len(wanted & column) >= enough for column in statement.values)
            and statement.fingerprint != group[0].fingerprint
        ]
        flow = evidence.flow_from(candidates)
        # Several may have brought the same values: the last that brought most of them.
        most: tuple[int, Origin | None] = (0, None)
        for candidate in reversed(candidates):
            looked_up = [statement for statement in group if flow.leads(statement, candidate)]
            values = {statement.parameter_keys[place] for statement in looked_up}
            brought = max(len(values & column) for column in candidate.values)
            if brought >= enough and brought > most[0]:
                most = brought, Origin(candidate, looked_up)
        if most[1] is not None:
            return most[1]
    return None if _looking_up(group) else _row_by_row(evidence, group)


def _finding(
    evidence: Evidence, group: list[Statement], origin: Origin | None, where: str = ""
) -> Finding:
    first, outer = group[0], origin and origin.statement
    things = len({each.parameters_key for each in group})
    entity = first.entities[0].entity if first.entities else None
    by_get = first.cause is Cause.GET and entity is not None
    what = f"session.get({entity}, ...)" if by_get else "one query"
    source = f", for the rows of the statement at {outer.caller}" if outer else where
    link = _relationship(outer, entity, group) if outer and by_get else None
    relationship = link.path[-1].step.relationship if link else None
    message = f"{what} was sent {len(group)} times, for {things} different values{source}"
    # What another session has loaded is not found by this session's `get`.
    found = outer is not None and {each.session for each in group} == {outer.session}
    fixes: tuple[AnyFix, ...] = (link,) if link and found else ()
    if link is None:
        fixes = _bulk(evidence, group)
    fix = f"{_fix(entity, by_get, link, group)}{_for_all(fixes) if link is None else ''}"
    if link is not None and not found:
        fix += f", and read {relationship}"
    return repetition(message, fix, relationship, group, "n-plus-one", fixes)


def _for_all(fixes: tuple[AnyFix, ...]) -> str:
    return "".join(f": {fix}" for fix in fixes if len(str(fix)) <= _SHOWN)


def _bulk(evidence: Evidence, group: list[Statement]) -> tuple[AnyFix, ...]:
    first = group[0]
    if first.cause is Cause.GET:
        mapped = first.entities[0].mapped if first.entities else None
        return tuple(bulk_get(mapped, first.caller, locks=_locks(first)))
    return evidence.bulk_form_of(group)


def _relationship(outer: Statement, entity: str | None, group: list[Statement]) -> Fix | None:
    """Return the relationship to `entity` of the objects that `outer` brought, if it is one.

    Of several to one class: that whose key holds most of the values, or stands in the line.
    """
    looked_up = {key for statement in group for key in statement.parameter_keys}
    line = group[0].caller.source if group[0].caller is not None else ""
    found: list[tuple[tuple[int, bool], PathStep, EntityRows]] = []
    for rows in outer.entities:
        for step, place in rows.targets.get(entity or "", ()):
            there = place is not None and place < len(outer.values)
            values = len(outer.values[place] & looked_up) if there and place is not None else 0
            named = re.search(rf"\b{step.relationship.partition('.')[2]}", line) is not None
            found.append(((values, named), step, rows))
    if not found:
        return None
    _, step, rows = max(found, key=itemgetter(0))
    return fix_for(step, outer, standing(rows.steps), entity=rows)


def _fix(entity: str | None, by_get: bool, link: Fix | None, group: list[Statement]) -> str:
    if link is not None:
        return f"add .options({link}) to the statement at {link.at}"
    if by_get:
        return f"one select({entity}).where({entity}.<primary key>.in_(...)) before the loop"
    name = f"select({entity})" if entity else "statement"
    roles, differing = parameter_roles(group[0].text), differing_places(group)
    if any(ParameterRole.PATTERN in roles[place] for place in differing if place < len(roles)):
        return f"one {name} with or_(...) of all the patterns before the loop"
    return (
        f"one {name} with .in_(...) of all the values before the loop, or a join with what gave"
        " them; then group the rows by that column"
    )
