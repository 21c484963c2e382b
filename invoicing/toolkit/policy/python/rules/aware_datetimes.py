"""`aware-datetimes`: a moment is kept with its time zone.

An annotation alone, `Mapped[datetime]`, is judged by the type_annotation_map of the class's base;
for a mixin by those of all bases of the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.columns import columns
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.columns import ColumnAttribute
    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax

SLUG = "aware-datetimes"
MOMENTS = {"DateTime", "DATETIME", "TIMESTAMP"}


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find columns of moments that don't say where."""
    for column in columns(project):
        moments = [made for kind, made in column.types if kind in MOMENTS]
        if column.types and not any(map(_is_naive, moments)):
            continue
        is_moment = column.python == "datetime.datetime"
        if moments or (is_moment and _is_naive_by_default(project, column)):
            yield column.finding(
                SLUG,
                f"{column.name} is a datetime without a time zone",
                "use Field(sa_type=DateTime(timezone=True))"
                if column.is_field
                else "use DateTime(timezone=True), or say so in type_annotation_map of the base",
            )


def _is_naive(made: CallSyntax | None) -> bool:
    if made is None:
        return True
    given = made.keywords.get("timezone")
    return made.text != "True" if given is None else given.text == "False"


def _is_naive_by_default(project: Project, column: ColumnAttribute) -> bool:
    # SQLModel asks no type_annotation_map.
    return column.is_field or not _may_be_mapped(project, column.owner)


def _may_be_mapped(project: Project, owner: MappedClass) -> bool:
    """Return whether a base may say what a datetime is where it cannot be read."""
    _, outside = project.ancestors(owner)
    return any(
        "." in name and not name.startswith(("sqlalchemy.", "builtins.")) for name in outside
    )


RULE = Rule(
    SLUG,
    "columns of datetimes have a time zone",
    "A moment without a zone means another one on each server, and comparing it with an aware "
    "datetime raises. Of an hour that comes twice in October nothing says which it was.\n\n"
    "SQLModel maps a datetime to DateTime without a zone unless sa_type or sa_column says "
    "otherwise.",
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
