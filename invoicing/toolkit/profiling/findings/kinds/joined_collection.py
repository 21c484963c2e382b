"""`joined-collection`: `joinedload` of a collection repeats its parents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings import joined_rows
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.findings.options import selected_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.statement import EntityRows, Statement


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find statements in which a joined collection repeats its parents."""
    for group, worst in joined_rows.joined_shapes(evidence):
        joined = [
            collection for collection in joined_rows.collections_of(worst) if collection.joined
        ]
        if joined and not joined_rows.is_product(evidence, worst) and _repeats(evidence, worst):
            yield _joined(evidence, group, worst, joined)


def _repeats(evidence: Evidence, statement: Statement) -> bool:
    parents = statement.entities[0].distinct
    repeated = (statement.rows or 0) - parents
    if parents <= 1:
        # Of one object a join repeats little, and saves a statement.
        return repeated >= evidence.thresholds.loaded
    many = repeated >= evidence.thresholds.wasted_rows
    return many or (statement.rows or 0) >= evidence.thresholds.multiplication * parents


def _joined(
    evidence: Evidence, group: list[Statement], worst: Statement, joined: list[EntityRows]
) -> Finding:
    entity, top, rows = joined[0], worst.entities[0], worst.rows or 0
    fixes = tuple(selected_in(evidence, worst, collection) for collection in joined)
    columns = sum(entity.columns for entity in worst.entities) or 1
    return joined_rows.finding(
        "joined-collection",
        f"joinedload of the collection {entity.path} repeated the columns of {top.distinct:,} "
        f"{top.entity} objects in {rows:,} rows",
        f"replace joinedload({entity.path}) by {fixes[0]}",
        entity,
        group,
        wasted=rows - top.distinct,
        part=top.columns / columns,
        fixes=fixes,
    )


KIND = FindingKind(
    slug="joined-collection",
    title="`joinedload` of a collection repeats its parents",
    why=(
        "Each child's row carries all columns of its parent again. `selectinload` sends one more "
        "statement, and every row once. A join that the program wrote itself (`contains_eager`) "
        "is its own choice."
    ),
    bad="""
for author in (await session.scalars(select(Author).options(joinedload(Author.books)))).unique():
    [book.title for book in author.books]
""",
    good="""
for author in await session.scalars(select(Author).options(selectinload(Author.books))):
    [book.title for book in author.books]
""",
    detect=detect,
    thresholds=(
        Threshold("wasted_rows", 10, "repeated rows that count below `multiplication` too"),
    ),
)
