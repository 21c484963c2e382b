"""`duplicate-statement` and `missing-limit`: rows asked for again, and rows asked for without end.

Reading again is meant where something was written in between, where the first attempt failed, and
where the program waited for a change.
"""

from __future__ import annotations

import re
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.facts import is_unasked, is_write, main_caller, numbers
from invoicing.toolkit.profiling.findings.model import Cost, Finding
from invoicing.toolkit.profiling.model import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.facts import Facts
    from invoicing.toolkit.profiling.model import Statement

SEVERAL = 3
_FROM = re.compile(r"\bFROM\b", re.IGNORECASE)
# What is meant to be asked again: a claim, a number, the time, chance.
_CHANGING = re.compile(
    r"\b(?:FOR (?:NO KEY )?(?:UPDATE|SHARE|KEY SHARE)|nextval|clock_timestamp|random|pg_\w+)\b",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"\b(?:LIMIT|FETCH (?:FIRST|NEXT)|TOP)\b", re.IGNORECASE)


def duplicates(facts: Facts) -> Iterator[Finding]:
    """Find statements sent again with the same parameters in one unit of work."""
    groups = facts.groups(
        _is_read, lambda one: (one.transaction, one.connection, one.text, one.parameters_key)
    )
    for group in groups:
        again = _in_one_go(facts, group)
        if len(again) >= facts.thresholds.duplicates:
            yield _duplicate(again)


def _is_read(one: Statement) -> bool:
    return (
        one.operation in {"SELECT", "WITH"}
        and one.error is None
        and one.cause not in {Cause.REFRESH, Cause.FLUSH}
        and not is_unasked(one)
        and one.executions == 1
        and _FROM.search(one.text) is not None
        and _CHANGING.search(one.text) is None
    )


def _in_one_go(facts: Facts, group: list[Statement]) -> list[Statement]:
    """Return the longest part of `group` between which nothing changed and nobody waited."""
    pauses = [_pause(facts, *pair) for pair in pairwise(group)]
    # One pause may be the machine's; where there are several, their median is the program's.
    if len(pauses) >= SEVERAL and median(pauses) > facts.thresholds.pause / 4:
        return []
    parts = [[group[0]]]
    for pause, (before, one) in zip(pauses, pairwise(group), strict=True):
        # A savepoint or a rollback to one says that what was read may not count any more.
        changed = any(
            is_write(each) or "SAVEPOINT" in each.text.upper()
            for each in _between(facts, before, one)
        )
        if changed or pause > facts.thresholds.pause:
            parts.append([])
        parts[-1].append(one)
    return max(parts, key=len)


def _between(facts: Facts, before: Statement, one: Statement) -> list[Statement]:
    return [
        each
        for each in facts.statements[before.number : one.number - 1]
        if each.transaction == one.transaction
    ]


def _pause(facts: Facts, before: Statement, one: Statement) -> float:
    """Return the seconds between two statements in which nothing of theirs was going on."""
    statements = (before, *_between(facts, before, one))
    busy = sum(each.database_seconds + each.orm_seconds for each in statements)
    return one.started - before.started - busy


def _duplicate(group: list[Statement]) -> Finding:
    first = group[0]
    again = group[1:]
    received = [one.bytes_received for one in again]
    return Finding(
        "duplicate-statement",
        f"the same statement with the same parameters was sent {len(group)} times in one unit of "
        f"work, from {_lines(group)}",
        "keep the first result and pass it on",
        first.relationship,
        main_caller(again),
        Cost(
            len(again),
            sum(one.rows or 0 for one in again),
            None if None in received else sum(one or 0 for one in received),
            sum(one.database_seconds for one in again),
        ),
        numbers(group),
    )


def _lines(group: list[Statement]) -> str:
    lines = list(dict.fromkeys(str(one.caller) for one in group if one.caller is not None))
    return " and ".join(lines[:3]) or "no line of your own"


def limits(facts: Facts) -> Iterator[Finding]:
    """Find statements that brought very many rows at once, and might bring any number."""
    groups = facts.groups(
        lambda one: (
            one.cause is Cause.STATEMENT
            and one.operation in {"SELECT", "WITH"}
            and not one.streamed
            and (one.rows or 0) > facts.thresholds.rows
            and _LIMIT.search(one.text) is None
        ),
        lambda one: one.fingerprint,
    )
    for group in groups:
        worst = max(group, key=lambda one: one.rows or 0)
        yield Finding(
            "missing-limit",
            f"a statement without LIMIT brought {worst.rows:,} rows at once",
            ".limit(...) and pages; or .execution_options(yield_per=1000) with session.stream(...)",
            None,
            worst.caller,
            Cost(
                rows=(worst.rows or 0) - facts.thresholds.rows,
                bytes=worst.bytes_received,
                seconds=worst.database_seconds,
            ),
            numbers(group),
        )
