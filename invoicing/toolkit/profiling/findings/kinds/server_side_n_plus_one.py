"""`server-side-n-plus-one`: one statement that the server answers by one inner query for each row.

From EXPLAIN (ANALYZE) of the statements, on request. A SubPlan that PostgreSQL could hash, or an
InitPlan, runs once; one that depends on the row runs as often as there are rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.plans import nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find SubPlans that ran once for each row."""
    for number, plan in evidence.plans.items():
        statement = evidence.statements[number - 1]
        for node in nodes_of(plan):
            loops = int(node.get("Actual Loops", 0))
            if node.get("Parent Relationship") != "SubPlan" or loops < evidence.thresholds.loops:
                continue
            seconds = float(node.get("Actual Total Time", 0)) * loops / 1000
            table = _table(node)
            yield Finding(
                "server-side-n-plus-one",
                f"the plan runs {node.get('Subplan Name', 'a SubPlan')} on {table} {loops:,} times,"
                " once for each row",
                "a join with a grouped subquery (GROUP BY), or a LATERAL join on the few rows that"
                f" are shown, in place of the scalar subquery on {table}",
                None,
                statement.caller,
                Cost(seconds=seconds),
                (number,),
            )


def _table(node: dict[str, Any]) -> str:
    return next(
        (str(inner["Relation Name"]) for inner in nodes_of(node) if "Relation Name" in inner),
        "its rows",
    )


KIND = FindingKind(
    slug="server-side-n-plus-one",
    title="an inner query for each row, from the plan (`explain=True`)",
    why=(
        "One statement, one round trip, and still the server runs the scalar subquery once for "
        "each row. Only the plan shows it."
    ),
    bad="""
count = select(func.count()).where(Review.id <= Job.id, Review.id > 0).scalar_subquery()
(await session.execute(select(Job.id, count))).all()
""",
    good="""
counts = select(Review.book_id, func.count().label("reviews")).group_by(Review.book_id).subquery()
(await session.execute(select(Book.id, counts.c.reviews).outerjoin(counts))).all()
""",
    detect=detect,
    thresholds=(Threshold("loops", 100, "runs of one SubPlan in one statement"),),
    needs_plans=True,
)
