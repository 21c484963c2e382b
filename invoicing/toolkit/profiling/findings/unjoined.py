"""A part of `cartesian-product`: a statement that names two tables and never says how they meet.

Read off its text by sqlglot, and judged by the rows: every row of the one came with every row of
the other. A join that says so (`CROSS JOIN`, `ON true`), a function and `LATERAL` are meant.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import numbers
from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.fix import JoinFix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.statement import EntityRows, PathStep, Statement

_SEVERAL_TABLES = re.compile(r"\bFROM [^()]*?,", re.IGNORECASE | re.DOTALL)


def unjoined_products(evidence: Evidence) -> Iterator[Finding]:
    """Find statements that bring every row of one table with every row of another."""
    for group in evidence.groups(_may_be_one, lambda statement: statement.fingerprint):
        worst = max(group, key=lambda statement: statement.rows or 0)
        apart = tables_apart(worst.text)
        if len(apart) > 1 and _multiplies(worst):
            yield _finding(group, worst, apart)


def _may_be_one(statement: Statement) -> bool:
    return (statement.rows or 0) > 1 and _SEVERAL_TABLES.search(statement.text) is not None


def tables_apart(text: str) -> tuple[str, ...]:
    """Return a table of each part of a SELECT's FROM that nothing connects with the others."""
    # sqlglot takes half a second to import, so late.
    from invoicing.toolkit.profiling.findings.unjoined_sqlglot import read

    return read(text)


def _multiplies(statement: Statement) -> bool:
    """Return whether all pairs came: as many rows as the product, or as the first rows show."""
    tops = _tops(statement)
    if len(tops) > 1:
        product = 1
        for entity in tops:
            product *= entity.distinct
        return all(entity.distinct > 1 for entity in tops) and (statement.rows or 0) >= product
    # Columns only: of each table some have different values, and the rows repeat each of them.
    different = [len(column) for column in statement.values]
    return len(different) > 1 and min(different) > 1 and _pairs(different, statement.rows or 0)


def _pairs(different: list[int], rows: int) -> bool:
    return max(different) < rows and rows % max(different) == 0


def _tops(statement: Statement) -> list[EntityRows]:
    return [entity for entity in statement.entities if entity.path is None]


def _finding(group: list[Statement], worst: Statement, apart: tuple[str, ...]) -> Finding:
    rows, tops = worst.rows or 0, _tops(worst)
    needed = max((entity.distinct for entity in tops), default=0)
    names = " and ".join(entity.entity for entity in tops) or " and ".join(sorted(apart))
    link = _link(tops)
    fixes = (JoinFix(link, worst.caller),) if link is not None and worst.caller is not None else ()
    how = f"add {fixes[0]}" if fixes else "add .join(..., the condition under which they meet)"
    every = ", or .join(..., true()) if every pair is meant"
    received = [statement.bytes_received for statement in group]
    share = (rows - needed) / rows
    known = sum(count or 0 for count in received)
    cost = Cost(
        rows=int(share * sum(statement.rows or 0 for statement in group)),
        bytes=None if None in received else int(share * known),
    )
    message = f"{names} are selected without a join: {rows:,} rows, every one with every other"
    return Finding(
        "cartesian-product",
        message,
        how + every,
        None,
        worst.caller,
        cost,
        numbers(group),
        fixes=fixes,
    )


def _link(tops: list[EntityRows]) -> PathStep | None:
    """Return the relationship that connects two entities, if there is exactly one."""
    if len(tops) != len(("this", "the other")) or any(entity.alias for entity in tops):
        return None
    links = [
        step
        for entity in tops
        for other in tops
        if other is not entity
        for step, _ in entity.targets.get(other.entity, ())
        if step.target is other.mapped
    ]
    return links[0] if len(links) == 1 else None
