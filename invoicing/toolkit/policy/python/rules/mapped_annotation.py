"""`mapped-annotation`: columns and relationships say what they hold by `Mapped[...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.columns import COLUMNS
from invoicing.toolkit.policy.python.relationships import RELATIONSHIP
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project

SLUG = "mapped-annotation"


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find columns and relationships without it."""
    for owner in project.classes.values():
        if project.is_migration(owner.module):
            continue
        for attribute in owner.syntax.attributes.values():
            made = attribute.call and project.resolve(owner.module, attribute.call.callee)
            place = attribute.place
            # What is set behind the class cannot be annotated; a declared_attr says it by `->`.
            is_inside = place.line <= owner.syntax.place.end_line
            if made in COLUMNS | RELATIONSHIP and attribute.mapped is None and is_inside:
                name = f"{owner.syntax.name}.{attribute.name}"
                yield PolicyFinding(
                    owner.module.path,
                    place.line,
                    place.column + 1,
                    SLUG,
                    f"{name} has no Mapped[...]",
                    "annotate it with what it holds",
                )


RULE = Rule(
    SLUG,
    "columns and relationships are annotated with Mapped[...]",
    "Without it a type checker takes every value for Any, and neither a reader nor a tool can tell "
    "whether a column may be NULL and whether a relationship is one object or many.",
    {
        "a bare column": "from sqlalchemy import Column, String\nclass Invoice(Base):\n"
        '    __tablename__ = "invoice"\n    note = Column(String)'
    },
    {
        "annotated": 'class Invoice(Base):\n    __tablename__ = "invoice"\n'
        "    note: Mapped[str | None]"
    },
    check,
)
