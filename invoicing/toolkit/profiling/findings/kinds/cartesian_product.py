"""`cartesian-product`: two joined collections multiply each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings import joined_rows
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.findings.options import selected_in
from invoicing.toolkit.profiling.findings.unjoined import unjoined_products

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.statement import EntityRows, Statement


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find statements whose joined collections, or tables, multiply each other."""
    for group, worst in joined_rows.joined_shapes(evidence):
        if joined_rows.is_product(evidence, worst):
            yield _product(evidence, group, worst, joined_rows.siblings_of(worst))
    yield from unjoined_products(evidence)


def _product(
    evidence: Evidence, group: list[Statement], worst: Statement, siblings: list[EntityRows]
) -> Finding:
    names = " and ".join(str(sibling.path) for sibling in siblings)
    parents = max(worst.entities[0].distinct, 1)
    rows = worst.rows or 0
    needed = sum(sibling.links for sibling in siblings)
    # The first of them may stay joined; it would have brought so many rows.
    kept = max(sibling.links for sibling in siblings)
    fixes = tuple(selected_in(evidence, worst, sibling) for sibling in siblings)
    options = ", ".join(map(str, fixes))
    return joined_rows.finding(
        "cartesian-product",
        f"{names} are joined in one statement, and multiply each other: {rows:,} rows for "
        f"{parents:,} parents with {needed:,} children, {rows / kept:.1f} times as many as needed",
        f"replace joinedload by .options({options})",
        siblings[0],
        group,
        wasted=rows - kept,
        fixes=fixes if all(sibling.joined for sibling in siblings) else (),
    )


KIND = FindingKind(
    slug="cartesian-product",
    title="two joined collections, or two tables without a join, multiply each other",
    why=(
        "Ten lines and ten payments of one invoice make a hundred rows in one statement, each with "
        "the invoice's own columns. Judged by the rows that came, against the pairs of parent and "
        "child that there are. Two tables that a statement selects without a join multiply too; "
        "one that says so (`join(..., true())`) is meant."
    ),
    bad="""
both = select(Book).options(joinedload(Book.chapters), joinedload(Book.reviews))
for book in (await session.scalars(both)).unique():
    [chapter.heading for chapter in book.chapters]
    [review.stars for review in book.reviews]
""",
    good="""
both = select(Book).options(selectinload(Book.chapters), selectinload(Book.reviews))
for book in await session.scalars(both):
    [chapter.heading for chapter in book.chapters]
    [review.stars for review in book.reviews]
""",
    detect=detect,
    thresholds=(
        Threshold("multiplication", 1.5, "rows that a join brings for each row that is needed"),
    ),
)
