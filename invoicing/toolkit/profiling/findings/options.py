"""Write down the loader option that would have loaded what a statement loaded by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.statement import Cause, PathStep

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.findings.evidence import Evidence, Source
    from invoicing.toolkit.profiling.statement import Statement


# A way through loaders that is longer than this goes round in circles.
_DEEPEST = 20


def option_for(step: PathStep, before: tuple[PathStep, ...] = (), *, tree: bool = False) -> str:
    """Return the option for a relationship, reached by those before it; down a whole `tree`."""
    parts = [f"{_loader(part)}({part.relationship}" for part in (*before, step)]
    return ").".join(parts) + (", recursion_depth=-1)" if tree else ")")


def path_to(
    evidence: Evidence, source: Source, depth: int = 0
) -> tuple[Statement | None, tuple[PathStep, ...]]:
    """Return the program's own statement behind a source, and the way from its top to there.

    The statement is None where it was not recorded.
    """
    statement, entity = source
    if statement.cause not in {Cause.LAZY_LOAD, Cause.EAGER_LOAD} or depth > _DEEPEST:
        return statement, entity.steps
    if statement.cause is Cause.EAGER_LOAD and statement.parent is None:
        # The steps of an eager loader begin at its leader, and its rows' at the last of them.
        leader = evidence.leader_of(statement)
        if leader is None or leader.cause is not Cause.LAZY_LOAD:
            return leader, statement.steps + entity.steps
        below, statement = statement.steps[len(leader.steps) :] + entity.steps, leader
    else:
        below = entity.steps
    above = evidence.sources([statement])
    if not above:
        return None, ()
    first, steps = path_to(evidence, above[0], depth + 1)
    return first, (*steps, *statement.steps[-1:], *below)


def _loader(step: PathStep) -> str:
    return "selectinload" if step.collection else "joinedload"
