"""`n-plus-one`: one statement for each parent, where one for all of them would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.flushed_rows import flushed_rows
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.findings.loads import column_loads, lazy_loads
from invoicing.toolkit.profiling.findings.looped_queries import looped_queries
from invoicing.toolkit.profiling.findings.looped_writes import looped_writes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find loads of relationships and of columns, and queries, that came one by one."""
    findings = [
        *lazy_loads(evidence),
        *column_loads(evidence),
        *looped_queries(evidence),
        *looped_writes(evidence),
        *flushed_rows(evidence),
    ]
    of_relationships = {
        number for finding in findings if finding.relationship for number in finding.statements
    }
    for finding in findings:
        # A part of the loads of a relationship needs no fix of its own: the option covers both.
        if finding.relationship or not set(finding.statements) <= of_relationships:
            yield finding


KIND = FindingKind(
    slug="n-plus-one",
    title="one statement for each parent: lazy loads, `get`, `refresh` or queries in a loop",
    why=(
        "Each statement waits for the server once more: ten parents cost eleven round trips where "
        "two do. Judged by what was loaded for whom; pages, batches, retries and independent "
        "requests are none. Look-ups in a session each count where the source shows how their "
        "values came out of an earlier statement's rows; equal ids alone show nothing. "
        "An INSERT, UPDATE or DELETE for each row counts within one unit of work; a `flush()` for "
        "each object, from twice `repeats` on, where nothing in the loop needs what it brought. A "
        "lock (`FOR UPDATE`) for each row counts where one statement brought the rows; a pattern, "
        "a range or a list of ids where it is that row's own, and a pattern where a list in the "
        "program's text has it. Tasks and threads side by side, each with a session, count where "
        "one statement or one list in the program's text says for what."
    ),
    bad="""
for book in (await session.scalars(select(Book))).all():
    (await book.awaitable_attrs.author).name
""",
    good="""
for book in await session.scalars(select(Book).options(joinedload(Book.author))):
    book.author.name
""",
    detect=detect,
    thresholds=(
        Threshold("repeats", 3, "statements of one shape, for as many parents"),
        Threshold(
            "share",
            1 / 3,
            "share of the parents that came together; where fewer were asked for their part, and "
            "fewer than `many`, reading was conditional",
        ),
        Threshold("many", 10, "statements that count whatever the share"),
    ),
)
