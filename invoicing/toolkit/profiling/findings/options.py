"""Write down the loader option that would have loaded what a statement loaded by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.statement import Cause, PathStep

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.findings.evidence import Evidence, Source
    from invoicing.toolkit.profiling.statement import Caller, Statement


def option_for(step: PathStep, before: tuple[PathStep, ...] = ()) -> str:
    """Return the option for a relationship, reached by those before it."""
    return ".".join(f"{_loader(part)}({part.relationship})" for part in (*before, step))


def path_to(
    evidence: Evidence, source: Source, depth: int = 0
) -> tuple[Statement, tuple[PathStep, ...]]:
    """Return the program's own statement behind a source, and the way from its top to there."""
    statement, entity = source
    if statement.cause not in {Cause.LAZY_LOAD, Cause.EAGER_LOAD} or depth > 20:  # noqa: PLR2004
        return statement, entity.steps
    if statement.cause is Cause.EAGER_LOAD or statement.parent is None:
        leader = leader_of(evidence, statement)
        # The steps of an eager loader begin at its leader, and its rows' at the last of them.
        return leader or statement, statement.steps + entity.steps
    above = evidence.sources(statement.parent_root, {statement.parent.key}, statement.number)
    if not above:
        return statement, entity.steps
    first, steps = path_to(evidence, above[0], depth + 1)
    return first, (*steps, *statement.steps[-1:], *entity.steps)


def leader_of(evidence: Evidence, statement: Statement) -> Statement | None:
    """Return the statement whose eager loader sent this one."""
    for earlier in reversed(evidence.statements[: statement.number - 1]):
        if earlier.cause is not Cause.EAGER_LOAD and earlier.session == statement.session:
            return earlier
    return None


def place(statement: Statement, missing: Caller | None) -> str:
    """Return where a statement can be changed."""
    caller = statement.caller
    return "" if caller is None or caller == missing else f" to the statement at {caller}"


def _loader(step: PathStep) -> str:
    return "selectinload" if step.collection else "joinedload"
