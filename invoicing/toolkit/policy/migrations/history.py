"""What needs several revisions: the chain itself, and the type a column had before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import Action, ColumnType, bare
from invoicing.toolkit.policy.migrations.narrowing import narrows
from invoicing.toolkit.policy.migrations.rules import destructive_flagged, migration_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

Types = dict[tuple[str, str], ColumnType | None]


def check_history(revisions: Iterable[Revision]) -> list[PolicyFinding]:
    """Find ids taken or missing, and narrower types where only earlier files say the old."""
    known = [revision for revision in revisions if revision.is_migration and revision.identifier]
    by_id = {revision.identifier or "": revision for revision in reversed(known)}
    found = [*twice(known, by_id), *missing(known, by_id)]
    types: Types = {}
    for revision in in_order(by_id):
        found += narrower(revision, types)
    return sorted(found, key=lambda finding: (finding.path, finding.line))


def twice(known: list[Revision], by_id: dict[str, Revision]) -> Iterator[PolicyFinding]:
    """Say that an id belongs to two files."""
    for revision in known:
        first = by_id[revision.identifier or ""]
        if first is not revision:
            message = f"revision {revision.identifier} is also {first.path}"
            yield revision.finding(
                migration_header.SLUG, (1, 1), message, "give this one an id of its own"
            )


def missing(known: list[Revision], by_id: dict[str, Revision]) -> Iterator[PolicyFinding]:
    """Say that a parent is not there."""
    for revision in known:
        for parent in revision.parents or ():
            # Alembic takes a beginning of an id for the id.
            if parent not in by_id and not any(
                identifier.startswith(parent) for identifier in by_id
            ):
                message = f"down_revision {parent} is no revision here"
                yield revision.finding(migration_header.SLUG, (1, 1), message, "name one that is")


def in_order(by_id: dict[str, Revision]) -> Iterator[Revision]:
    """Give parents before their children; what has no known parent is left out."""
    children: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    for identifier, revision in by_id.items():
        parents = [parent for parent in revision.parents or () if parent in by_id]
        waiting[identifier] = len(parents)
        for parent in parents:
            children.setdefault(parent, []).append(identifier)
    ready = [identifier for identifier, count in waiting.items() if not count]
    while ready:
        identifier = ready.pop(0)
        yield by_id[identifier]
        for child in children.get(identifier, ()):
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)


def narrower(revision: Revision, types: Types) -> Iterator[PolicyFinding]:
    """Follow the types of columns over a revision; say where one loses values unflagged."""
    node = revision.node("upgrade")
    for action in revision.run(node).actions if node else ():
        key = bare(action.table or ""), bare(action.name or "")
        old = types.get(key)
        if (
            action.verb == "retype"
            and action.old is None
            and is_narrower(old, action.new)
            and not destructive_flagged.flagged(revision)
        ):
            yield revision.finding(
                destructive_flagged.SLUG,
                (action.line, action.column),
                destructive_flagged.narrowed(action, old),
                destructive_flagged.FIX,
            )
        follow(action, key, types)


def is_narrower(old: ColumnType | None, new: ColumnType | None) -> bool:
    """Tell whether a type is narrower, where both are known."""
    return old is not None and new is not None and narrows(old, new)


def follow(action: Action, key: tuple[str, str], types: Types) -> None:
    """Note what a step does to the types that are known."""
    if action.kind == "column" and action.verb in {"create", "retype"}:
        types[key] = action.new
    elif action.kind == "column" and action.verb == "rename" and action.becomes:
        types[key[0], bare(action.becomes)] = types.pop(key, None)
    elif action.kind == "column" and action.verb == "drop":
        types.pop(key, None)
    elif action.kind == "table" and action.verb in {"rename", "drop"}:
        table = bare(action.name or "")
        for type_ in [type_ for type_ in types if type_[0] == table]:
            value = types.pop(type_)
            if action.becomes:
                types[bare(action.becomes), type_[1]] = value
