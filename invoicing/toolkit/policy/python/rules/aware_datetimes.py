"""`aware-datetimes`: a moment is kept with its time zone.

An annotation alone, `Mapped[datetime]`, is judged by the type_annotation_map of the class's base;
for a mixin by those of all bases of the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.columns import Column, columns
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

SLUG = "aware-datetimes"
MOMENTS = {"DateTime", "DATETIME", "TIMESTAMP"}
MAP = "type_annotation_map"


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find columns of moments that don't say where."""
    for column in columns(project):
        moments = [made for kind, made in column.types if kind in MOMENTS]
        if column.types and not any(map(_is_naive, moments)):
            continue
        if moments or (_is_moment(column) and not _is_mapped(project, column.owner)):
            yield column.finding(
                SLUG,
                f"{column.name} is a datetime without a time zone",
                "use DateTime(timezone=True), or say so in type_annotation_map of the base",
            )


def _is_naive(made: CallSyntax | None) -> bool:
    if made is None:
        return True
    given = made.keywords.get("timezone")
    return made.text != "True" if given is None else given.text == "False"


def _is_moment(column: Column) -> bool:
    written = column.attribute.mapped or ""
    head, dot, rest = written.partition(".")
    # As it is imported: an alias may be an Annotated one with its own type.
    target = column.owner.module.imports.get(head)
    return target is not None and target + dot + rest == "datetime.datetime"


def _is_mapped(project: Project, owner: MappedClass) -> bool:
    """Return whether a base says what a datetime is, or may say so where it cannot be read."""
    classes, outside = project.ancestors(owner)
    if not project.is_declarative(owner):
        classes = list(project.classes.values())
    if any(_has_map(project, each.module, each) for each in classes):
        return True
    return any(
        "." in name and not name.startswith(("sqlalchemy.", "builtins.")) for name in outside
    )


def _has_map(project: Project, module: ModuleSyntax, owner: MappedClass) -> bool:
    attribute = owner.syntax.attributes.get(MAP)
    if attribute is not None:
        named = {project.resolve(module, key) for key in attribute.keys}
        return not attribute.keys or "datetime.datetime" in named
    registry = owner.syntax.attributes.get("registry")
    return registry is not None and registry.call is not None and MAP in registry.call.keywords


RULE = Rule(
    SLUG,
    "columns of datetimes have a time zone",
    "A moment without a zone means another one on each server, and comparing it with an aware "
    "datetime raises. Of an hour that comes twice in October nothing says which it was.",
    {
        "naive": "from sqlalchemy import DateTime\nfrom datetime import datetime\n"
        'class Invoice(Base):\n    __tablename__ = "invoice"\n'
        "    sent_at: Mapped[datetime] = mapped_column(DateTime)"
    },
    {
        "aware": "from sqlalchemy import DateTime\nfrom datetime import datetime\n"
        'class Invoice(Base):\n    __tablename__ = "invoice"\n'
        "    sent_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))"
    },
    check,
)
