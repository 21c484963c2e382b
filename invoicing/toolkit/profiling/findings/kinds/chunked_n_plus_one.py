"""`chunked-n-plus-one`: an eager loader that asks for a few parents at a time.

Judged by how many parents each of its statements was for, between two statements of the program's
own: pages that are loaded one after the other are a loader's work each.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import cost_of, numbers
from invoicing.toolkit.profiling.findings.finding import Finding
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.statement import Statement


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find selectin loaders whose chunks are tiny."""
    leaders = {
        statement.number: evidence.leader_of(statement)
        for statement in evidence.statements
        if statement.cause is Cause.EAGER_LOAD and statement.loader == "selectin"
    }
    groups = evidence.groups(
        lambda statement: statement.number in leaders and statement.relationship is not None,
        # A loader that recurses goes one step deeper with each level, and is as deep in each part.
        lambda statement: (
            statement.session,
            _number(leaders[statement.number]),
            statement.relationship,
            len(statement.steps),
        ),
    )
    for group in groups:
        parents = [statement.parameter_count for statement in group]
        # The last chunk has what is left.
        tiny = median(parents) < evidence.thresholds.chunk
        if len(group) < evidence.thresholds.repeats or not tiny or len(set(parents[:-1])) > 1:
            continue
        if _goes_deeper(group) or _is_chain(group, leaders[group[0].number]):
            continue
        yield _finding(group, leaders[group[0].number], parents)


def _goes_deeper(group: list[Statement]) -> bool:
    """Tell whether each asks for what the rows before it named: a level of a tree, not a chunk."""
    return all(
        set(after.parameter_keys) <= frozenset().union(*before.values)
        for before, after in pairwise(group)
    )


def _is_chain(group: list[Statement], leader: Statement | None) -> bool:
    """Tell whether a loader that recurses went from one object to the next."""
    if leader is None or leader.streamed or leader.rows != 1:
        return False
    return all(statement.parameter_count == 1 for statement in group)


def _number(leader: Statement | None) -> int:
    return leader.number if leader is not None else 0


def _finding(group: list[Statement], leader: Statement | None, parents: list[int]) -> Finding:
    relationship = str(group[0].relationship)
    streamed = leader is not None and leader.streamed
    knob = "yield_per" if streamed else "chunksize"
    fix = (
        "a yield_per of 500 or more: the loader runs once for each part of the stream"
        if streamed
        else f"selectinload({relationship}) without chunksize: 500 parents a statement by default"
    )
    return Finding(
        "chunked-n-plus-one",
        f"selectinload of {relationship} sent {len(group)} statements for {sum(parents):,} "
        f"parents, {parents[0]} at a time: a tiny {knob} is an N+1 inside the loader",
        fix,
        relationship,
        (leader or group[0]).caller,
        cost_of(group, kept=-(-sum(parents) // 500)),
        numbers(group),
    )


KIND = FindingKind(
    slug="chunked-n-plus-one",
    title="an eager loader with a tiny `chunksize` or `yield_per`",
    why=(
        "selectinload asks for 500 parents at a time; with a chunk of two it is an N+1 inside the "
        "loader. Judged between two statements of the program's own, so pages are none."
    ),
    bad="""
tiny = select(Author).options(selectinload(Author.books)).execution_options(yield_per=2)
async for author in await session.stream_scalars(tiny):
    [book.title for book in author.books]
""",
    good="""
fair = select(Author).options(selectinload(Author.books)).execution_options(yield_per=500)
async for author in await session.stream_scalars(fair):
    [book.title for book in author.books]
""",
    detect=detect,
    thresholds=(Threshold("chunk", 50, "parents for each statement of an eager loader"),),
)
