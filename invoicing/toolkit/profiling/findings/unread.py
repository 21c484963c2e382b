"""`unused-eager-load` and `over-fetch`: what was loaded, and nobody looked at.

Only where the program did look at the objects: what it merely hands on may be read by others.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.facts import numbers
from invoicing.toolkit.profiling.findings.model import Cost, Finding
from invoicing.toolkit.profiling.findings.options import leader_of
from invoicing.toolkit.profiling.model import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.facts import Facts
    from invoicing.toolkit.profiling.model import EntityRows, Statement, Step

    Loads = dict[tuple[Step, ...], list[tuple[Statement, EntityRows]]]


def unused(facts: Facts) -> Iterator[Finding]:
    """Find relationships that were loaded with their parents and never read."""
    loads = _eager_loads(facts)
    unread = {steps for steps in loads if _is_unread(facts, steps, loads[steps])}
    for steps in loads:
        if steps in unread and not any(steps[:length] in unread for length in range(len(steps))):
            yield _unused(facts, steps, loads[steps])


def _eager_loads(facts: Facts) -> Loads:
    found: Loads = defaultdict(list)
    for statement in facts.statements:
        if statement.cause is Cause.LAZY_LOAD or statement.error is not None:
            continue
        for entity in statement.entities:
            steps = statement.steps + entity.steps
            if steps and (entity.joined or not entity.steps):
                found[steps].append((statement, entity))
    return found


def _is_unread(
    facts: Facts, steps: tuple[Step, ...], loads: list[tuple[Statement, EntityRows]]
) -> bool:
    relationship = steps[-1].relationship
    if not facts.reads.knows(relationship) or facts.reads.of(relationship):
        return False
    # The parents: in the same rows, or those of the statement whose loader this was.
    for statement, entity in loads:
        leader = leader_of(facts, statement) if not entity.steps else statement
        if leader is None:
            return False
        parents = [one for one in leader.entities if one.keys]
        if any(facts.reads.looked_at(one.root) & (one.keys or set()) for one in parents):
            return True
    return False


def _unused(
    facts: Facts, steps: tuple[Step, ...], loads: list[tuple[Statement, EntityRows]]
) -> Finding:
    relationship = steps[-1].relationship
    statements = [statement for statement, _ in loads]
    own = [one for one, entity in loads if not entity.steps]
    received = [one.bytes_received for one in own]
    caller = (leader_of(facts, statements[0]) or statements[0]).caller if own else None
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
            None if None in received else sum(one or 0 for one in received),
            sum(one.database_seconds for one in own),
        ),
        numbers(statements),
    )


def over_fetched(facts: Facts) -> Iterator[Finding]:
    """Find many objects of which few were looked at, and wide columns that nobody read."""
    found: dict[tuple[str, str | None], list[tuple[Statement, EntityRows]]] = defaultdict(list)
    for statement in facts.statements:
        for entity in statement.entities:
            path = entity.path or statement.relationship
            found[entity.root, path].append((statement, entity))
    for (root, path), loads in found.items():
        yield from _over_fetched_objects(facts, root, path, loads)
    yield from _wide_columns(facts)


def _over_fetched_objects(
    facts: Facts, root: str, path: str | None, loads: list[tuple[Statement, EntityRows]]
) -> Iterator[Finding]:
    loaded = sum(entity.distinct for _, entity in loads)
    keys = set().union(*(entity.keys or set() for _, entity in loads))
    looked_at = len(facts.reads.looked_at(root) & keys)
    single = path is not None and not any(_is_collection(*one) for one in loads)
    if single or loaded < facts.thresholds.loaded:
        return
    # Where none was looked at, they were counted, handed on or read past their attributes.
    if not 0 < looked_at <= facts.thresholds.looked_at * loaded:
        return
    statement, entity = max(loads, key=lambda one: one[1].distinct)
    name = f"the collection {path}" if path else f"a list of {entity.entity}"
    yield Finding(
        "over-fetch",
        f"{name} was loaded whole, {loaded:,} objects, of which {looked_at:,} were looked at",
        _over_fetch_fix(entity, path),
        path,
        statement.caller,
        Cost(rows=loaded - looked_at, bytes=_part(statement, loaded - looked_at, loaded)),
        numbers(one for one, _ in loads),
    )


def _is_collection(statement: Statement, entity: EntityRows) -> bool:
    return entity.collection if entity.steps else statement.collection


def _over_fetch_fix(entity: EntityRows, path: str | None) -> str:
    if path is None:
        return ".limit(...) on the statement"
    return (
        f"a statement of its own, select({entity.entity}) with the parent's key, .order_by(...) and"
        f" .limit(...), in place of the whole {path}"
    )


def _wide_columns(facts: Facts) -> Iterator[Finding]:
    sizes: dict[str, list[tuple[Statement, EntityRows, int]]] = defaultdict(list)
    for statement in facts.statements:
        for entity in statement.entities:
            for attribute, size in entity.wide.items():
                sizes[attribute].append((statement, entity, size))
    for attribute, loads in sizes.items():
        rows = sum(entity.rows for _, entity, _ in loads)
        total = sum(size for *_, size in loads)
        statement, entity, _ = loads[0]
        if total < facts.thresholds.wide * max(rows, 1) or facts.reads.of(attribute):
            continue
        if not facts.reads.looked_at(entity.root):
            continue
        yield Finding(
            "over-fetch",
            f"the wide column {attribute} came with {rows:,} rows, and was never read",
            f"add .options(defer({attribute}))",
            None,
            statement.caller,
            Cost(bytes=total),
            numbers(one for one, *_ in loads),
        )


def _part(statement: Statement, part: int, whole: int) -> int | None:
    if statement.bytes_received is None:
        return None
    return statement.bytes_received * part // max(whole, 1)
