"""`duplicate-statement`: rows asked for again.

Reading again is meant where something may have changed in between, where the first attempt failed,
and where the program waited. Judged by what the program did, not by how long it took: see
`changes` and `Statement.waits`.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.changes import may_change, names_table
from invoicing.toolkit.profiling.findings.evidence import is_unasked, main_caller, numbers
from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.findings.source_code import module_of, spans
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.source_code import Module
    from invoicing.toolkit.profiling.statement import Caller, Statement

_FROM = re.compile(r"\bFROM\b", re.IGNORECASE)
_LOCK = re.compile(r"lock|mutex|semaphore", re.IGNORECASE)


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
        if len(group) < evidence.thresholds.duplicates:
            continue
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
        and not may_change(statement.text)
    )


def _in_one_go(evidence: Evidence, group: list[Statement]) -> list[Statement]:
    """Return the longest part of `group` between which nothing changed and nothing waited."""
    parts = [[group[0]]]
    for before, statement in pairwise(group):
        if _is_meant(evidence, before, statement):
            parts.append([])
        parts[-1].append(statement)
    return max(parts, key=len)


def _is_meant(evidence: Evidence, before: Statement, statement: Statement) -> bool:
    """Return whether the answer may be another one by now."""
    if before.task == statement.task:
        waited = statement.waits > before.waits
    else:
        # One of the two was started, and by whom is not known.
        waited = statement.all_waits > before.all_waits
    return (
        waited
        or evidence.changed_between(before, statement)
        or _is_written_elsewhere(evidence, statement)
        or _is_behind_a_lock(before.stack, statement.stack)
    )


def _is_written_elsewhere(evidence: Evidence, statement: Statement) -> bool:
    # Whether before or after is chance: it is another task.
    return any(
        task != statement.task and names_table(statement.text, tables)
        for task, tables in evidence.written_by.items()
    )


def _is_behind_a_lock(before: tuple[Caller, ...], stack: tuple[Caller, ...]) -> bool:
    """Return whether a line of the second holds a lock that the first did not (double-checked)."""
    return before != stack and any(
        not any(caller.file == each.file and spans(lock, each.line) for each in before)
        for caller in stack
        for lock in _locks_at(module_of(caller.file), caller.line)
    )


@lru_cache(maxsize=2048)
def _locks_at(module: Module, line: int) -> tuple[ast.stmt, ...]:
    statement = module.statement_at(line)
    around = () if statement is None else (statement, *module.above(statement))
    return tuple(
        block
        for block in around
        if isinstance(block, (ast.With, ast.AsyncWith))
        and any(_LOCK.search(ast.unparse(item.context_expr)) for item in block.items)
    )


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
        "The answer was there already. Reading again is meant where something in between may have "
        "changed it (a write, `SET`, a lock, a function that may write, `expire`, `refresh`), "
        "where the first attempt failed, and where the program waited: for a timer, a `sleep`, an "
        "event. How long anything took counts for nothing."
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
    thresholds=(Threshold("duplicates", 2, "times a statement was sent in one unit of work"),),
    covered_by=frozenset({"n-plus-one"}),
)
