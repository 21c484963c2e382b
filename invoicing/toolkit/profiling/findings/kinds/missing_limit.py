"""`missing-limit`: a statement that brought very many rows at once, and might bring any number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import numbers
from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.statement import Statement

_LIMIT = re.compile(r"\b(?:LIMIT|FETCH (?:FIRST|NEXT)|TOP)\b", re.IGNORECASE)


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find statements that brought very many rows at once, and might bring any number."""
    groups = evidence.groups(
        lambda statement: (
            statement.cause is Cause.STATEMENT
            and statement.operation in {"SELECT", "WITH"}
            and not statement.streamed
            and (statement.rows or 0) > evidence.thresholds.rows
            and _LIMIT.search(statement.text) is None
        ),
        lambda statement: statement.fingerprint,
    )
    for group in groups:
        worst = max(group, key=lambda statement: statement.rows or 0)
        stream = f".execution_options(yield_per=1000) {_reading(evidence, worst)}"
        yield Finding(
            "missing-limit",
            f"a statement without LIMIT brought {worst.rows:,} rows at once",
            f".limit(...) and pages; or {stream}",
            None,
            worst.caller,
            Cost(
                rows=(worst.rows or 0) - int(evidence.thresholds.rows),
                bytes=worst.bytes_received,
                seconds=worst.database_seconds,
            ),
            numbers(group),
        )


def _reading(evidence: Evidence, statement: Statement) -> str:
    """Return how the program that sent a statement reads it as a stream."""
    transaction = evidence.transactions[(statement.transaction or 0) - 1]
    if not transaction.is_async:
        return "and a loop over the result, without .all()"
    return f"with {'connection' if statement.session is None else 'session'}.stream(...)"


KIND = FindingKind(
    slug="missing-limit",
    title="more rows at once than a reader can use",
    why=(
        "A table grows; the memory of the program does not. Pages, or a stream, hold it to what it "
        "can take."
    ),
    bad="""
pairs = select(Job.id, Chapter.id).join(Chapter, Chapter.id <= 10)
(await session.execute(pairs)).all()
""",
    good="""
pairs = select(Job.id, Chapter.id).join(Chapter, Chapter.id <= 10).limit(1000)
(await session.execute(pairs)).all()
""",
    detect=detect,
    thresholds=(Threshold("rows", 5000, "rows of one statement without LIMIT"),),
    covered_by=frozenset({"over-fetch"}),
)
