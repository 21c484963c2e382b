"""What needs several revisions: the chain itself, and the type a column had before."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import Action, ColumnType, bare
from invoicing.toolkit.policy.migrations.narrowing import narrows
from invoicing.toolkit.policy.migrations.restoring import Schema, unrestored
from invoicing.toolkit.policy.migrations.rules import (
    destructive_flagged,
    one_history,
    reversible_migration,
)
from invoicing.toolkit.policy.migrations.schemas import kept_apart, names_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision
    from invoicing.toolkit.policy.migrations.steps import RevisionSteps

Types = dict[tuple[str, str], ColumnType | None]


def check_history(revisions: Iterable[Revision]) -> list[PolicyFinding]:
    """Find ids taken or missing, several heads, and narrower types that only earlier files tell."""
    return check_steps([revision.steps() for revision in revisions if revision.is_migration])


def check_steps(revisions: list[RevisionSteps]) -> list[PolicyFinding]:
    """Do so for the revisions of one folder."""
    revisions = by_schema(revisions)
    known = [revision for revision in revisions if revision.identifier]
    by_id = {revision.identifier or "": revision for revision in reversed(known)}
    ordered = list(in_order(by_id))
    found = [*twice(known, by_id), *missing(known, by_id), *circular(by_id, ordered)]
    found += several(known, by_id) if len(known) == len(revisions) and not found else []
    types: Types = {}
    for revision in ordered:
        found += narrower(revision, types)
    # Of an id that two files have, the file that comes before another cannot be known.
    if len(by_id) == len(known):
        found += unrestored_in(ordered, by_id)
    return sorted(found, key=lambda finding: (finding.path, finding.line))


def by_schema(revisions: list[RevisionSteps]) -> list[RevisionSteps]:
    """Give the revisions with their tables kept apart, where several schemas have one's name."""
    names = names_apart(
        step for each in revisions for step in (*each.upgrade, *(each.downgrade or ()))
    )
    if not names:
        return revisions
    return [
        replace(
            each,
            upgrade=kept_apart(each.upgrade, names),
            downgrade=None if each.downgrade is None else kept_apart(each.downgrade, names),
        )
        for each in revisions
    ]


def twice(known: list[RevisionSteps], by_id: dict[str, RevisionSteps]) -> Iterator[PolicyFinding]:
    """Say that an id belongs to two files."""
    for revision in known:
        first = by_id[revision.identifier or ""]
        if first is not revision:
            message = f"revision {revision.identifier} is also {first.path}"
            yield revision.finding(
                one_history.SLUG, (1, 1), message, "give this one an id of its own"
            )


def missing(known: list[RevisionSteps], by_id: dict[str, RevisionSteps]) -> Iterator[PolicyFinding]:
    """Say that a parent is not there."""
    for revision in known:
        for parent in revision.parents or ():
            if of_id(parent, by_id) is None:
                message = f"down_revision {parent} is no revision here"
                yield revision.finding(
                    one_history.SLUG, revision.place, message, "name one that is"
                )


def of_id(identifier: str, by_id: dict[str, RevisionSteps]) -> str | None:
    """Give the id that is meant: Alembic takes a beginning of one for it."""
    if identifier in by_id:
        return identifier
    return next((known for known in by_id if known.startswith(identifier)), None)


def circular(
    by_id: dict[str, RevisionSteps], ordered: list[RevisionSteps]
) -> Iterator[PolicyFinding]:
    """Say that a revision comes after itself."""
    done = {revision.path for revision in ordered}
    for revision in by_id.values():
        if revision.path not in done:
            message = f"revision {revision.identifier} comes after itself, by its down_revision"
            yield revision.finding(
                one_history.SLUG, revision.place, message, "put it after another one"
            )
            return


def several(known: list[RevisionSteps], by_id: dict[str, RevisionSteps]) -> Iterator[PolicyFinding]:
    """Say that there are several heads, but for branches that have labels."""
    parents = {of_id(parent, by_id) for each in known for parent in each.parents or ()}
    heads = [each for each in known if each.identifier not in parents and each.parents is not None]
    plain = [head for head in heads if not is_labelled(head, by_id)]
    for head in plain[1:]:
        others = ", ".join(f"{each.identifier} ({each.path})" for each in plain if each is not head)
        message = f"revision {head.identifier} is a second head beside {others}"
        fix = "put it after that one, or merge them by alembic merge heads"
        yield head.finding(one_history.SLUG, head.place, message, fix)


def is_labelled(head: RevisionSteps, by_id: dict[str, RevisionSteps]) -> bool:
    """Tell whether a head belongs to a branch that has a name."""
    seen: set[str] = set()
    waiting = [head]
    while waiting:
        revision = waiting.pop()
        if revision.is_labelled:
            return True
        for parent in revision.parents or ():
            known = of_id(parent, by_id)
            if known is not None and known not in seen:
                seen.add(known)
                waiting.append(by_id[known])
    return False


def in_order(by_id: dict[str, RevisionSteps]) -> Iterator[RevisionSteps]:
    """Give parents before their children; what has no known parent is left out."""
    children: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    for identifier, revision in by_id.items():
        before = (*(revision.parents or ()), *revision.needs)
        named = [of_id(parent, by_id) for parent in before]
        parents = [parent for parent in named if parent is not None]
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


def narrower(revision: RevisionSteps, types: Types) -> Iterator[PolicyFinding]:
    """Follow the types of columns over a revision; say where one loses values unflagged.

    `existing_type` and the history may differ, where a database of another kind was reflected:
    then both have to lose.
    """
    fresh: set[str] = set()
    for action in revision.upgrade:
        table, name = bare(action.table or ""), bare(action.name or "")
        olds = [old for old in (action.old, types.get((table, name))) if old is not None]
        is_new = table in fresh or f"{table}.{name}" in fresh
        if action.verb == "create":
            fresh.add(f"{table}.{name}" if action.kind == "column" else name)
        can_lose = action.verb == "retype" and not (revision.is_flagged or is_new)
        if can_lose and olds and action.new and all(narrows(old, action.new) for old in olds):
            yield revision.finding(
                destructive_flagged.SLUG,
                (action.line, action.column),
                destructive_flagged.narrowed(action, olds[0]),
                destructive_flagged.FIX,
            )
        follow(action, (table, name), types)


def unrestored_in(
    ordered: list[RevisionSteps], by_id: dict[str, RevisionSteps]
) -> Iterator[PolicyFinding]:
    """Follow the schema over revisions; each beginning has one of its own, and so has a branch."""
    schemas: dict[str, Schema] = {}
    parents = {
        revision.path: [of_id(parent, by_id) or "" for parent in revision.parents or ()]
        for revision in ordered
    }
    children = Counter(chain.from_iterable(parents.values()))
    for revision in ordered:
        before = [
            (parent, schemas[parent]) for parent in parents[revision.path] if parent in schemas
        ]
        if len(before) == 1 and children[before[0][0]] == 1:
            schema = before[0][1]
        else:
            schema = Schema(
                {key: each for _, known in before for key, each in known.things.items()}
            )
        schemas[revision.identifier or ""] = schema
        yield from taken(revision, schema)
        schema.follow(revision.upgrade)


def taken(revision: RevisionSteps, schema: Schema) -> Iterator[PolicyFinding]:
    """Say what a revision takes and its downgrade does not give back."""
    if revision.downgrade is None:
        return
    for step, message, fix in unrestored(schema, revision.upgrade, revision.downgrade):
        yield revision.finding(
            reversible_migration.SLUG,
            (step.line, step.column),
            f"downgrade() {message}",
            f"{fix} in downgrade()",
        )


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
