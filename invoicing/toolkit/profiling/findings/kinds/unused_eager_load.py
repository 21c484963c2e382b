"""`unused-eager-load`: relationships that were loaded with their parents and never read.

Only where the program did look at the parents: what it merely hands on may be read by others. Nor
where the source reads the relationship on a condition that was not met this time, nor where the
objects were read by another way: their loading was what spared it a statement.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import numbers
from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.kind import FindingKind
from invoicing.toolkit.profiling.findings.options import fix_for, standing
from invoicing.toolkit.profiling.findings.source_code import COMPREHENSIONS, module_of
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.statement import EntityRows, PathStep, Statement

    Loads = dict[tuple[PathStep, ...], list[tuple[Statement, EntityRows]]]


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find relationships that were loaded with their parents and never read."""
    loads = _eager_loads(evidence)
    unread = {steps for steps in loads if _is_unread(evidence, steps, loads[steps])}
    for steps in loads:
        if steps in unread and not any(steps[:length] in unread for length in range(len(steps))):
            yield _unused(evidence, steps, loads[steps])


def _eager_loads(evidence: Evidence) -> Loads:
    found: Loads = defaultdict(list)
    for statement in evidence.statements:
        if statement.cause is Cause.LAZY_LOAD or statement.error is not None:
            continue
        for entity in statement.entities:
            steps = statement.steps + entity.steps
            if steps and (entity.joined or not entity.steps):
                found[steps].append((statement, entity))
    return found


def _is_unread(
    evidence: Evidence, steps: tuple[PathStep, ...], loads: list[tuple[Statement, EntityRows]]
) -> bool:
    relationship = steps[-1].relationship
    if not evidence.attribute_reads.knows(relationship) or evidence.attribute_reads.of(
        relationship
    ):
        return False
    if any(_filled(evidence, *load) for load in loads):
        return False
    # The parents: in the same rows, or those of the statement whose loader this was.
    if any(_is_conditional(evidence.leader_of(load[0]) or load[0], relationship) for load in loads):
        return False
    for statement, entity in loads:
        leader = evidence.leader_of(statement) if not entity.steps else statement
        if leader is None:
            return False
        parents = [entity for entity in leader.entities if entity.keys]
        if any(
            evidence.attribute_reads.looked_at(parent.root, leader.session) & (parent.keys or set())
            for parent in parents
        ):
            return True
    return False


def _is_conditional(leader: Statement, relationship: str) -> bool:
    """Return whether the source reads the relationship on a condition, not met this time."""
    owner, _, name = relationship.partition(".")
    for caller in leader.stack:
        module = module_of(caller.file)
        function = module.function_at(caller.line)
        for node in ast.walk(function) if function is not None else ():
            if not isinstance(node, ast.Attribute) or node.attr != name:
                continue
            option = isinstance(node.value, ast.Name) and node.value.id == owner
            if not option and any(map(_decides, module.above(node))):
                return True
    return False


def _decides(node: ast.AST) -> bool:
    if isinstance(node, COMPREHENSIONS):
        return any(generator.ifs for generator in node.generators)
    return isinstance(node, (ast.If, ast.IfExp, ast.BoolOp, ast.Match))


def _filled(evidence: Evidence, statement: Statement, entity: EntityRows) -> bool:
    """Return whether objects that only this load has brought were read by another way.

    The session had them for a `get`, or for another relationship that leads to them.
    """
    read = evidence.attribute_reads.looked_at(entity.root, statement.session)
    brought = evidence.brought[statement.session, entity.root]
    return any(brought[key] == 1 for key in read & (entity.keys or set()))


def _unused(
    evidence: Evidence, steps: tuple[PathStep, ...], loads: list[tuple[Statement, EntityRows]]
) -> Finding:
    relationship = steps[-1].relationship
    statements = [statement for statement, _ in loads]
    own = [statement for statement, entity in loads if not entity.steps]
    received = [statement.bytes_received for statement in own]
    leaders = [evidence.leader_of(statement) or statement for statement in own] or statements
    caller = (evidence.leader_of(statements[0]) or statements[0]).caller if own else None
    fixes = [
        fix_for(steps[-1], leader, standing(steps[:-1]), loader="lazyload", remove=True)
        for leader in leaders
    ]
    rows = sum(entity.distinct for _, entity in loads)
    return Finding(
        "unused-eager-load",
        f"{relationship} was loaded eagerly ({rows:,} rows) and never read",
        f"remove the loader option for {relationship} (or lazy=... of the relationship)",
        relationship,
        caller or statements[0].caller,
        Cost(
            len(own),
            rows,
            None if None in received else sum(count or 0 for count in received),
            sum(statement.database_seconds for statement in own),
        ),
        numbers(statements),
        fixes=tuple(dict.fromkeys(fixes)),
    )


KIND = FindingKind(
    slug="unused-eager-load",
    title="loaded with its parents, and never read",
    why=(
        "An eager load costs a statement, or a wider join, and its rows. It is worth that only "
        "where something reads them."
    ),
    bad="""
for book in await session.scalars(select(Book).options(selectinload(Book.reviews))):
    book.title
""",
    good="""
for book in await session.scalars(select(Book)):
    book.title
""",
    detect=detect,
)
