"""Find out which loader option would have loaded what a statement loaded by itself, and where."""

from __future__ import annotations

import linecache
import re
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import ObjectSource
from invoicing.toolkit.profiling.findings.fix import Fix, OptionStep
from invoicing.toolkit.profiling.findings.source_code import module_of
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.statement import Caller, EntityRows, PathStep, Statement


# A way through loaders that is longer than this goes round in circles.
_DEEPEST = 20


def fix_for(
    step: PathStep,
    first: Statement | None,
    before: tuple[OptionStep, ...] = (),
    *,
    entity: EntityRows | None = None,
    loader: str | None = None,
    tree: bool = False,
    remove: bool = False,
) -> Fix:
    """Return the fix for a relationship or column of what `entity` says, reached by `before`."""
    at = first.caller if first is not None else None
    name = loader or ("selectinload" if tree else loader_of(step, entity))
    top = first.entities[0] if first is not None and first.entities else None
    root = None
    path = (*before, OptionStep(name, step))
    if top is not None and top.alias:
        root = _name_of_alias(at, top.entity) or f"aliased({top.entity})"
        part = path[0].step.owner
        if part is not None and top.mapped is not part and issubclass(part, top.mapped or part):
            root = f"{root}.{part.__name__}"
    elif at is not None:
        path = (*(_as_written(at, each) for each in before), path[-1])
    subclass = None
    if entity is not None and entity.mapped is not None and step.owner is not None:
        below = step.owner is not entity.mapped and issubclass(step.owner, entity.mapped)
        if below and not entity.alias:
            subclass = entity.mapped, step.owner
    return Fix(path, at, tree, root, subclass, remove)


def standing(steps: tuple[PathStep, ...]) -> tuple[OptionStep, ...]:
    """Return the way along loaders that the program has asked for, leaving each as it is."""
    return tuple(OptionStep("defaultload", step) for step in steps)


# Loaders that say nothing but what to load: written once more they change nothing.
_PLAIN = ("selectinload", "joinedload", "subqueryload", "immediateload")


def _as_written(at: Caller, standing: OptionStep) -> OptionStep:
    """Return a step as the program's chain has it, so that the fix can stand in its place too.

    Only where the function of the statement names its loader once, and without criteria or settings
    of its own: those are kept by `defaultload`.
    """
    if standing.loader != "defaultload" or standing.step.of is not None:
        return standing
    module, lines = module_of(at.file), linecache.getlines(at.file)
    function = module.function_at(at.line)
    if function is not None:
        lines = lines[function.lineno - 1 : function.end_lineno]
    named = rf"\b(\w+)\(\s*(?:\w+\.)?{re.escape(standing.step.relationship)}\b\s*(\)?)"
    found = {match.groups() for match in re.finditer(named, "".join(lines))}
    loaders = {loader for loader, _ in found if "load" in loader or loader == "contains_eager"}
    if len(loaders) != 1 or not loaders <= {*_PLAIN}:
        return standing
    (loader,) = loaders
    return standing._replace(loader=loader) if (loader, "") not in found else standing


def loader_of(step: PathStep, entity: EntityRows | None = None) -> str:
    """Return the loader for a relationship of rows like these.

    A join cannot widen what is no SELECT of its own, nor what locks its rows.
    """
    widened = entity is None or entity.widens
    return "joinedload" if widened and not step.collection else "selectinload"


def _name_of_alias(at: Caller | None, entity: str) -> str | None:
    if at is None:
        return None
    alias = re.compile(rf"\b(\w+)\s*:?=\s*(?:orm\.)?(?:aliased|with_polymorphic)\(\s*{entity}\b")
    names = [match[1] for line in linecache.getlines(at.file) for match in alias.finditer(line)]
    return names[0] if len({*names}) == 1 else None


def selected_in(evidence: Evidence, statement: Statement, entity: EntityRows) -> Fix:
    """Return the fix for a joined collection: a statement of its own."""
    top, path = path_to(evidence, ObjectSource(statement, entity))
    return fix_for(entity.steps[-1], top, path[:-1], loader="selectinload")


def path_to(
    evidence: Evidence, source: ObjectSource, depth: int = 0
) -> tuple[Statement | None, tuple[OptionStep, ...]]:
    """Return the program's own statement behind a source, and the way from its top to there.

    The statement is None where it was not recorded.
    """
    statement, entity = source
    if statement.cause not in {Cause.LAZY_LOAD, Cause.EAGER_LOAD} or depth > _DEEPEST:
        return statement, standing(entity.steps)
    if statement.cause is Cause.EAGER_LOAD and statement.parent is None:
        # The steps of an eager loader begin at its leader, and its rows' at the last of them.
        leader = evidence.leader_of(statement)
        if leader is None or leader.cause is not Cause.LAZY_LOAD:
            return leader, standing(statement.steps + entity.steps)
        below, statement = statement.steps[len(leader.steps) :] + entity.steps, leader
    else:
        below = entity.steps
    above = evidence.sources([statement])
    if not above:
        return None, ()
    first, steps = path_to(evidence, above[0], depth + 1)
    own = tuple(OptionStep(loader_of(step), step) for step in statement.steps[-1:])
    return first, (*steps, *own, *standing(below))
