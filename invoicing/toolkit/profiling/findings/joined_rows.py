"""Rows that a join repeats.

Judged by the rows that came, against the pairs of parent and child that there are. A relationship
to one object repeats nothing; nor is a join that the program wrote itself (`contains_eager`) to be
replaced by another loader, unless it multiplies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import numbers
from invoicing.toolkit.profiling.findings.finding import Cost, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.fix import Fix
    from invoicing.toolkit.profiling.statement import EntityRows, Statement


def joined_shapes(evidence: Evidence) -> Iterator[tuple[list[Statement], Statement]]:
    """Return the statements with joined collections, by shape, and the worst of each."""
    shapes = evidence.groups(
        lambda statement: bool(collections_of(statement)), lambda statement: statement.fingerprint
    )
    for group in shapes:
        yield group, max(group, key=lambda statement: statement.rows or 0)


def is_product(evidence: Evidence, statement: Statement) -> bool:
    """Return whether collections of which none leads to another multiply each other's rows."""
    siblings = siblings_of(statement)
    needed = max((sibling.links for sibling in siblings), default=0)
    rows = statement.rows or 0
    return len(siblings) > 1 and rows >= evidence.thresholds.multiplication * needed


def collections_of(statement: Statement) -> list[EntityRows]:
    """Return the collections among the entities of a statement's rows."""
    return [entity for entity in statement.entities if entity.collection and entity.rows]


def siblings_of(statement: Statement) -> list[EntityRows]:
    """Return the collections of which none leads to another: those multiply each other."""
    collections = collections_of(statement)
    return [
        collection
        for collection in collections
        if not any(
            other is not collection and other.steps[: len(collection.steps)] == collection.steps
            for other in collections
        )
    ]


def finding(
    slug: str,
    message: str,
    fix: str,
    entity: EntityRows,
    group: list[Statement],
    *,
    wasted: int,
    part: float = 1.0,
    fixes: tuple[Fix, ...] = (),
) -> Finding:
    """Make the finding of so many rows too many, of which this part of the columns was repeated."""
    worst = max(group, key=lambda statement: statement.rows or 0)
    received = [statement.bytes_received for statement in group]
    known = sum(count for count in received if count is not None)
    share = wasted / max(worst.rows or 0, 1)
    cost = Cost(
        rows=int(share * sum(statement.rows or 0 for statement in group)),
        bytes=None if None in received else int(share * part * known),
    )
    return Finding(slug, message, fix, entity.path, worst.caller, cost, numbers(group), fixes=fixes)
