"""`lazy-raise`: every relationship says that reading it unloaded is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import Edit, PolicyFinding
from invoicing.toolkit.policy.python.relationships import (
    BACKREF,
    RELATIONSHIP,
    loose_relationships,
    relationships,
)
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.relationships import Relationship
    from invoicing.toolkit.policy.python.syntax import CallSyntax

SLUG = "lazy-raise"
# What loads by itself; dynamic, write_only and noload are used in ways of their own.
LOADING = {"select", "joined", "selectin", "subquery", "immediate", "raise_on_sql"}
LOADING |= {"True", "False", "None"}
# What is never read as a whole does not load by itself.
KEPT = {"raise", "write_only"}
FIX = 'write lazy="raise", and load it where the query is'


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find relationships that load by themselves."""
    for relationship in relationships(project):
        if relationship.attribute.annotation == "write_only":
            continue
        yield from _relationship(project, relationship)
        yield from _backref(project, relationship)
    for module, call in loose_relationships(project):
        lazy = project.keyword(module, call, "lazy")
        if lazy.text not in KEPT:
            name = call.text or (call.arguments[0] if call.arguments else None) or "..."
            what = f'has lazy="{lazy.text}"' if lazy.text else "has no lazy="
            message = f"relationship to {name} {what}"
            yield module.finding(call.place, SLUG, message, FIX, strict=not lazy.is_known)


def _relationship(project: Project, relationship: Relationship) -> Iterator[PolicyFinding]:
    lazy = project.keyword(relationship.module, relationship.call, "lazy")
    if lazy.text in KEPT:
        return
    if not lazy.is_known:
        message = f"{relationship.name}: its lazy= cannot be determined"
        yield relationship.module.finding(relationship.call.place, SLUG, message, FIX, strict=True)
        return
    what = f'has lazy="{lazy.text}"' if lazy.is_given or lazy.text else "has no lazy="
    # Where it is written elsewhere, in a constant or a partial, others use that too.
    edits = (
        _edits(relationship.call)
        if relationship.attribute.call is relationship.call
        and not relationship.call.expanded
        and relationship.attribute.annotation != "dynamic"
        and project.resolve(relationship.module, relationship.call.callee) in RELATIONSHIP
        else ()
    )
    message = f"relationship {relationship.name} {what}"
    yield relationship.module.finding(relationship.call.place, SLUG, message, FIX, edits=edits)


def _backref(project: Project, relationship: Relationship) -> Iterator[PolicyFinding]:
    backref = relationship.call.keywords.get("backref")
    if backref is None:
        return
    made = next(
        (
            call
            for call in relationship.module.calls
            if project.resolve(relationship.module, call.callee) == BACKREF
            and call.place == backref.place
        ),
        None,
    )
    lazy = project.keyword(relationship.module, made, "lazy").text if made is not None else None
    if lazy == "raise":
        return
    said = (made.text or next(iter(made.arguments), None)) if made is not None else None
    name = backref.text or said or "..."
    has = f'lazy="{lazy}"' if lazy is not None else "no lazy="
    yield relationship.module.finding(
        (made or relationship.call).place,
        SLUG,
        f"the backref {name} of {relationship.name} has {has}",
        'write a relationship with lazy="raise" on both sides, by back_populates',
    )


def _edits(call: CallSyntax) -> tuple[Edit, ...]:
    given = call.keywords.get("lazy")
    if given is not None:
        return (Edit(*given.place, '"raise"'),) if given.text in LOADING else ()
    place, begin = call.place, call.callee_place
    positional, last = call.ends
    if last == (place.end_line, place.end_column - 1):
        line, column, text = *last, ', lazy="raise"'
    elif call.arguments:
        # Behind it there may be a comma or a comment, and a keyword fits before both.
        line, column, text = *positional, ', lazy="raise"'
    else:
        comma = ", " if call.keywords else ""
        line, column, text = begin.end_line, begin.end_column + 1, f'lazy="raise"{comma}'
    return (Edit(line, column, line, column, text),)


RULE = Rule(
    SLUG,
    'every relationship has lazy="raise"',
    "A relationship that loads by itself sends one statement for each parent as soon as it is "
    "read in a loop, and under asyncio it fails at a place that has no await. With "
    'lazy="raise" a missing loader is an error in the first test.',
    {"no lazy": 'lines: Mapped[list["InvoiceLine"]] = relationship(back_populates="invoice")'},
    {
        "raise": 'lines: Mapped[list["InvoiceLine"]] = relationship('
        'back_populates="invoice", lazy="raise")'
    },
    check,
    # What reads it without a loader fails from then on.
    applicability="unsafe",
    seen_by="--models",
)
