"""`missing-index`: a whole table is read for a few of its rows, from the plan.

From EXPLAIN (ANALYZE) of the statements, on request: a sequential scan whose filter removed nearly
every row, by columns that no index begins with. What a filter joins by OR, or compares with another
column of its table, is left alone.

A partition is named by itself: its index can be made CONCURRENTLY, which that of a partitioned
table cannot. `CREATE INDEX` on the partitioned table attaches the indexes that its partitions have,
builds those that are missing, and gives one to each later partition.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.plans import INDEXED, PARTITION_OF, TABLE, nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence


# A comment without names: a name may have a line break.
_PARTITION = " -- likewise for each partition; CREATE INDEX on the parent then attaches them"


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find sequential scans that kept few of the rows they read."""
    for number, plan in evidence.plans.items():
        for node in nodes_of(plan):
            loops = int(node.get("Actual Loops", 1))
            removed = int(node.get("Rows Removed by Filter", 0)) * loops
            kept = int(node.get("Actual Rows", 0)) * loops
            few = kept <= evidence.thresholds.selected * (removed + kept)
            if "Seq Scan" not in str(node.get("Node Type")) or TABLE not in node or not few:
                continue
            columns = columns_of(node) if removed >= evidence.thresholds.scanned else []
            if columns:
                yield _finding(evidence, number, node, columns, (removed, kept))


def columns_of(node: dict[str, Any]) -> list[str]:
    """Return what an index for the filter of a scan has, or nothing where one begins so."""
    # sqlglot takes half a second to import, so late.
    from invoicing.toolkit.profiling.findings.filters_sqlglot import indexed_terms

    equal, ranges = indexed_terms(str(node.get("Filter", "")))
    wanted = [*equal, *ranges[:1]]
    there = {_bare(str(name)) for name in node.get(INDEXED, ())}
    return [] if there & {_bare(name) for name in equal or ranges} else wanted


def _bare(name: str) -> str:
    """Return a column or an expression as it can be compared, however its casts are written."""
    return re.sub(r"""("(?:[^"]|"")*"|'(?:[^']|'')*')|::text|[()\s]""", r"\1", name)


def _finding(
    evidence: Evidence,
    number: int,
    node: dict[str, Any],
    columns: list[str],
    rows: tuple[int, int],
) -> Finding:
    statement = evidence.statements[number - 1]
    table = named = str(node[TABLE])
    removed, kept = rows
    create = f"CREATE INDEX CONCURRENTLY ON {table} ({', '.join(columns)})"
    if PARTITION_OF in node:
        named += f", a partition of {node[PARTITION_OF]}"
        create += _PARTITION
    return Finding(
        "missing-index",
        f"the plan reads all of {named}: {removed + kept:,} rows, of which the filter keeps"
        f" {kept:,}, and no index begins with {columns[0]}",
        create,
        None,
        statement.caller,
        Cost(seconds=float(node.get("Actual Total Time", 0)) / 1000),
        (number,),
    )


KIND = FindingKind(
    slug="missing-index",
    title="a whole table is read for a few of its rows, from the plan (`explain=True`)",
    why=(
        "The server reads every row to keep a few, and more with every row that is added. Judged "
        "by the plan of the data that is there: a table of a few rows is read as a whole whatever "
        "index it has. An index costs something with every write; a report that runs once a month "
        "may do without."
    ),
    bad="""
[job.id for job in await session.scalars(select(Job).where(Job.state == "nowhere"))]
""",
    good="""
[job.id for job in await session.scalars(select(Job).where(Job.id == 7))]
""",
    detect=detect,
    thresholds=(
        Threshold("scanned", 1000, "rows that the filter of one scan removes"),
        Threshold("selected", 0.05, "share of the rows that it may keep"),
    ),
    needs_plans=True,
)
