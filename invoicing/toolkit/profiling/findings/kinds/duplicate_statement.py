"""`duplicate-statement`: rows asked for again.

Reading again is meant where something was written in between, where the first attempt failed, and
where the program waited for a change.
"""

from __future__ import annotations

import re
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import is_unasked, is_write, main_caller, numbers
from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.statement import Statement

SEVERAL = 3
_FROM = re.compile(r"\bFROM\b", re.IGNORECASE)
# What is meant to be asked again: a claim, a number, the time, chance.
_CHANGING = re.compile(
    r"\b(?:FOR (?:NO KEY )?(?:UPDATE|SHARE|KEY SHARE)|nextval|clock_timestamp|random|pg_\w+)\b",
    re.IGNORECASE,
)


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find statements sent again with the same parameters in one unit of work."""
    groups = evidence.groups(
        _is_read,
        lambda statement: (
            statement.transaction,
            statement.connection,
            statement.text,
            statement.parameters_key,
        ),
    )
    for group in groups:
        again = _in_one_go(evidence, group)
        if len(again) >= evidence.thresholds.duplicates:
            yield _duplicate(again)


def _is_read(statement: Statement) -> bool:
    return (
        statement.operation in {"SELECT", "WITH"}
        and statement.error is None
        and statement.cause not in {Cause.REFRESH, Cause.FLUSH}
        and not is_unasked(statement)
        and statement.executions == 1
        and _FROM.search(statement.text) is not None
        and _CHANGING.search(statement.text) is None
    )


def _in_one_go(evidence: Evidence, group: list[Statement]) -> list[Statement]:
    """Return the longest part of `group` between which nothing changed and nothing waited."""
    pauses = [_pause(evidence, *pair) for pair in pairwise(group)]
    # One pause may be the machine's; where there are several, their median is the program's.
    if len(pauses) >= SEVERAL and median(pauses) > evidence.thresholds.pause / 4:
        return []
    parts = [[group[0]]]
    for pause, (before, statement) in zip(pauses, pairwise(group), strict=True):
        # A savepoint or a rollback to one says that what was read may not count any more.
        changed = any(
            is_write(each) or "SAVEPOINT" in each.text.upper()
            for each in _between(evidence, before, statement)
        )
        if changed or pause > evidence.thresholds.pause:
            parts.append([])
        parts[-1].append(statement)
    return max(parts, key=len)


def _between(evidence: Evidence, before: Statement, statement: Statement) -> list[Statement]:
    return [
        each
        for each in evidence.statements[before.number : statement.number - 1]
        if each.transaction == statement.transaction
    ]


def _pause(evidence: Evidence, before: Statement, statement: Statement) -> float:
    """Return the seconds between two statements in which nothing of theirs was going on."""
    statements = (before, *_between(evidence, before, statement))
    busy = sum(each.database_seconds + each.orm_seconds for each in statements)
    return statement.started - before.started - busy


def _duplicate(group: list[Statement]) -> Finding:
    first = group[0]
    again = group[1:]
    received = [statement.bytes_received for statement in again]
    return Finding(
        "duplicate-statement",
        f"the same statement with the same parameters was sent {len(group)} times in one unit of "
        f"work, from {_lines(group)}",
        "keep the first result and pass it on",
        first.relationship,
        main_caller(again),
        Cost(
            len(again),
            sum(statement.rows or 0 for statement in again),
            None if None in received else sum(count or 0 for count in received),
            sum(statement.database_seconds for statement in again),
        ),
        numbers(group),
    )


def _lines(group: list[Statement]) -> str:
    lines = list(
        dict.fromkeys(str(statement.caller) for statement in group if statement.caller is not None)
    )
    return " and ".join(lines[:3]) or "no line of your own"


KIND = FindingKind(
    slug="duplicate-statement",
    title="the same statement with the same parameters again in one unit of work",
    why=(
        "The answer was there already. Reading again is meant where something was written in "
        "between, where the first attempt failed, and where the program waited for a change."
    ),
    bad="""
for _ in range(2):
    (await session.scalars(select(Tag.word))).all()
""",
    good="""
words = (await session.scalars(select(Tag.word))).all()
for _ in range(2):
    len(words)
""",
    detect=detect,
    thresholds=(
        Threshold("duplicates", 2, "times a statement was sent in one unit of work"),
        Threshold("pause", 0.01, "seconds between two equal statements that make it polling"),
    ),
    covered_by=frozenset({"n-plus-one"}),
)
