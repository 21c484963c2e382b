"""A part of `cartesian-product`: a statement that names two tables and never says how they meet.

Read off its text by sqlglot, and judged by the rows: every row of the one came with every row of
the other. A join that says so (`CROSS JOIN`, `ON true`), a function and `LATERAL` are meant.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from invoicing.toolkit.profiling.findings.evidence import numbers
from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.fix import JoinFix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.statement import EntityRows, PathStep, Statement

_SEVERAL_TABLES = re.compile(r"\bFROM [^()]*?,", re.IGNORECASE | re.DOTALL)
_PLACEHOLDERS = re.compile(r"\$\d+|%s|%\(\w+\)s|\?|(?<![:\w]):[A-Za-z_]\w*")


def unjoined_products(evidence: Evidence) -> Iterator[Finding]:
    """Find statements that bring every row of one table with every row of another."""
    for group in evidence.groups(_may_be_one, lambda statement: statement.fingerprint):
        worst = max(group, key=lambda statement: statement.rows or 0)
        apart = tables_apart(worst.text)
        if len(apart) > 1 and _multiplies(worst):
            yield _finding(group, worst, apart)


def _may_be_one(statement: Statement) -> bool:
    return (statement.rows or 0) > 1 and _SEVERAL_TABLES.search(statement.text) is not None


@lru_cache(maxsize=256)
def tables_apart(text: str) -> tuple[str, ...]:
    """Return a table of each part of a SELECT's FROM that nothing connects with the others."""
    try:
        select = sqlglot.parse_one(_PLACEHOLDERS.sub("0", text), dialect="postgres")
    except SqlglotError:
        return ()
    if not isinstance(select, exp.Select):
        return ()
    first = select.args.get("from_") or select.args.get("from")
    if first is None:
        return ()
    joins = select.args.get("joins") or []
    parts: list[set[str]] = [{first.this.alias_or_name}]
    for join in joins:
        parts.append({join.this.alias_or_name})
        if not isinstance(join.this, (exp.Table, exp.Subquery)) or not _is_comma(join):
            # Whatever it is joined with, it is meant.
            parts = [set().union(*parts[-2:]), *parts[:-2]] if len(parts) > 1 else parts
    where = select.args.get("where")
    conditions = [join.args.get("on") for join in joins] + [where and where.this]
    for condition in filter(None, conditions):
        for term in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            named = {column.table for column in term.find_all(exp.Column) if column.table}
            met = [part for part in parts if part & named]
            parts = [part for part in parts if not part & named]
            parts += [set().union(*met)] if met else []
    return tuple(min(part) for part in parts)


def _is_comma(join: exp.Join) -> bool:
    return not any(
        join.args.get(name) for name in ("on", "using", "kind", "side", "method", "lateral")
    )


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
