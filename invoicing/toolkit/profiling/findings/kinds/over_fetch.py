"""`over-fetch`: objects of which few were looked at, and wide columns that were never read.

Only where the program did look at the objects: what it merely hands on may be read by others.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import ObjectSource, numbers
from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.findings.options import fix_for, path_to
from invoicing.toolkit.profiling.statement import PathStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.fix import Fix
    from invoicing.toolkit.profiling.statement import EntityRows, Statement


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find many objects of which few were looked at, and wide columns that were never read."""
    found: dict[tuple[str, str | None], list[tuple[Statement, EntityRows]]] = defaultdict(list)
    for statement in evidence.statements:
        for entity in statement.entities:
            path = entity.path or statement.relationship
            found[entity.root, path].append((statement, entity))
    for (root, path), loads in found.items():
        yield from _over_fetched_objects(evidence, root, path, loads)
    yield from _wide_columns(evidence)


def _over_fetched_objects(
    evidence: Evidence, root: str, path: str | None, loads: list[tuple[Statement, EntityRows]]
) -> Iterator[Finding]:
    loaded = sum(entity.distinct for _, entity in loads)
    keys = set().union(*(entity.keys or set() for _, entity in loads))
    if all(entity.keys is not None for _, entity in loads):
        # A many-to-many brings the same objects for many parents.
        loaded = len(keys)
    looked_at = len(evidence.attribute_reads.looked_at(root) & keys)
    single = path is not None and not any(_is_collection(*load) for load in loads)
    if single or loaded < evidence.thresholds.loaded:
        return
    # Where none was looked at, they were counted, handed on or read past their attributes.
    if not 0 < looked_at <= evidence.thresholds.looked_at * loaded:
        return
    statement, entity = max(loads, key=lambda load: load[1].distinct)
    name = f"the collection {path}" if path else f"a list of {entity.entity}"
    yield Finding(
        "over-fetch",
        f"{name} was loaded whole, {loaded:,} objects, of which {looked_at:,} were looked at",
        _over_fetch_fix(entity, path),
        path,
        statement.caller,
        Cost(rows=loaded - looked_at, bytes=_part(statement, loaded - looked_at, loaded)),
        numbers(statement for statement, _ in loads),
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


def _wide_columns(evidence: Evidence) -> Iterator[Finding]:
    sizes: dict[str, list[tuple[Statement, EntityRows, int]]] = defaultdict(list)
    for statement in evidence.statements:
        for entity in statement.entities:
            for attribute, size in entity.wide.items():
                sizes[attribute].append((statement, entity, size))
    for attribute, loads in sizes.items():
        rows = sum(entity.rows for _, entity, _ in loads)
        total = sum(size for *_, size in loads)
        statement, entity, _ = loads[0]
        if total < evidence.thresholds.wide * max(rows, 1) or evidence.attribute_reads.of(
            attribute
        ):
            continue
        if not evidence.attribute_reads.looked_at(entity.root):
            continue
        fixes = _deferring(evidence, attribute, loads)
        yield Finding(
            "over-fetch",
            f"the wide column {attribute} came with {rows:,} rows, and was never read",
            " and ".join(f"add .options({fix})" for fix in dict.fromkeys(map(str, fixes)))
            or f"leave {attribute} out of the statement",
            None,
            statement.caller,
            Cost(bytes=total),
            numbers(statement for statement, *_ in loads),
            fixes=fixes,
        )


def _deferring(
    evidence: Evidence, attribute: str, loads: list[tuple[Statement, EntityRows, int]]
) -> tuple[Fix, ...]:
    """Return the options that leave a column out, by the way to its objects."""
    fixes: dict[Fix, None] = {}
    for statement, entity, _ in loads:
        top, before = path_to(evidence, ObjectSource(statement, entity))
        column = PathStep(attribute, collection=False, owner=entity.mapped)
        if entity.mapped is not None:
            fixes[fix_for(column, top, before, loader="defer")] = None
    return tuple(fixes)


def _part(statement: Statement, part: int, whole: int) -> int | None:
    if statement.bytes_received is None:
        return None
    return statement.bytes_received * part // max(whole, 1)


KIND = FindingKind(
    slug="over-fetch",
    title="a whole collection, list or wide column, of which little was looked at",
    why=(
        "Rows that are not looked at are read, sent and made into objects all the same. What is "
        "only counted or handed on may be read elsewhere, and is no finding."
    ),
    bad="""
jobs = (await session.scalars(select(Job).order_by(Job.id))).all()
[job.state for job in jobs[:10]]
""",
    good="""
jobs = (await session.scalars(select(Job).order_by(Job.id).limit(10))).all()
[job.state for job in jobs]
""",
    detect=detect,
    thresholds=(
        Threshold("loaded", 100, "objects loaded, from which on it counts how many were looked at"),
        Threshold("looked_at", 0.1, "share of them that has to be looked at"),
        Threshold("wide", 2000, "bytes of one value from which on a column is wide"),
    ),
)
