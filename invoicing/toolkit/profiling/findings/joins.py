"""`cartesian-product` and `joined-collection`: rows that a join repeats.

Judged by the rows that came, against the pairs of parent and child that there are. A relationship
to one object repeats nothing; nor is a join that the program wrote itself (`contains_eager`) to be
replaced by another loader, unless it multiplies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.model import Cost, Finding
from invoicing.toolkit.profiling.findings.options import option_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.facts import Facts
    from invoicing.toolkit.profiling.model import EntityRows, Statement


def joins(facts: Facts) -> Iterator[Finding]:
    """Find statements whose joined collections repeat rows."""
    shapes = facts.groups(lambda one: bool(_collections(one)), lambda one: one.fingerprint)
    for group in shapes:
        worst = max(group, key=lambda one: one.rows or 0)
        yield from _of_statement(facts, group, worst)


def _collections(statement: Statement) -> list[EntityRows]:
    return [one for one in statement.entities if one.collection and one.rows]


def _of_statement(facts: Facts, group: list[Statement], worst: Statement) -> Iterator[Finding]:
    siblings = _siblings(worst)
    needed = max((one.links for one in siblings), default=0)
    rows = worst.rows or 0
    if len(siblings) > 1 and rows >= facts.thresholds.multiplication * needed:
        yield _product(group, worst, siblings)
        return
    joined = [one for one in _collections(worst) if one.joined]
    if joined and _repeats(facts, worst):
        yield _joined(group, worst, joined)


def _siblings(statement: Statement) -> list[EntityRows]:
    """Return the collections of which none leads to another: those multiply each other."""
    collections = _collections(statement)
    return [
        one
        for one in collections
        if not any(
            other is not one and other.steps[: len(one.steps)] == one.steps for other in collections
        )
    ]


def _repeats(facts: Facts, statement: Statement) -> bool:
    parents = statement.entities[0].distinct
    repeated = (statement.rows or 0) - parents
    if parents < 2:  # noqa: PLR2004 -- of one object a join repeats little, and saves a statement
        return repeated >= facts.thresholds.loaded
    many = repeated >= facts.thresholds.wasted_rows
    return many or (statement.rows or 0) >= facts.thresholds.multiplication * parents


def _product(group: list[Statement], worst: Statement, siblings: list[EntityRows]) -> Finding:
    names = " and ".join(str(one.path) for one in siblings)
    parents = max(worst.entities[0].distinct, 1)
    rows = worst.rows or 0
    needed = sum(one.links for one in siblings)
    # The first of them may stay joined; it would have brought so many rows.
    kept = max(one.links for one in siblings)
    return Finding(
        "cartesian-product",
        f"{names} are joined in one statement, and multiply each other: {rows:,} rows for "
        f"{parents:,} parents with {needed:,} children, {rows / kept:.1f} times as many as needed",
        "replace joinedload by "
        f".options({', '.join(option_for(one.steps[-1], one.steps[:-1]) for one in siblings)})",
        siblings[0].path,
        worst.caller,
        _waste(group, rows - kept, rows),
        tuple(one.number for one in group),
    )


def _joined(group: list[Statement], worst: Statement, joined: list[EntityRows]) -> Finding:
    one, top, rows = joined[0], worst.entities[0], worst.rows or 0
    columns = sum(entity.columns for entity in worst.entities) or 1
    return Finding(
        "joined-collection",
        f"joinedload of the collection {one.path} repeated the columns of {top.distinct:,} "
        f"{top.entity} objects in {rows:,} rows",
        f"replace joinedload({one.path}) by {option_for(one.steps[-1], one.steps[:-1])}",
        one.path,
        worst.caller,
        _waste(group, rows - top.distinct, rows, top.columns / columns),
        tuple(each.number for each in group),
    )


def _waste(group: list[Statement], wasted: int, rows: int, part: float = 1.0) -> Cost:
    """Return the cost of so many rows too many, of which this part of the columns was repeated."""
    received = [one.bytes_received for one in group]
    known = sum(one for one in received if one is not None)
    share = wasted / max(rows, 1)
    return Cost(
        rows=int(share * sum(one.rows or 0 for one in group)),
        bytes=None if None in received else int(share * part * known),
    )
