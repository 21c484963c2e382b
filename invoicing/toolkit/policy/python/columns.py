"""The columns of mapped classes and mixins, and what types they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.relationships import RELATIONSHIP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import AttributeSyntax, CallSyntax

COLUMNS = {"sqlalchemy.orm.mapped_column", "sqlalchemy.Column", "sqlalchemy.schema.Column"}


class Column(NamedTuple):
    """An attribute of a class that is a column.

    Attributes:
        owner: the class, a mixin as well.
        attribute: its name, its annotation and its place.
        types: the types it is given, as they are written and what they resolve to.
    """

    owner: MappedClass
    attribute: AttributeSyntax
    types: list[tuple[str, CallSyntax | None]]

    @property
    def name(self) -> str:
        """`Model.attribute`."""
        return f"{self.owner.syntax.name}.{self.attribute.name}"

    def finding(self, slug: str, message: str, fix: str, *, strict: bool = False) -> PolicyFinding:
        """Make a finding at the column."""
        place = self.attribute.place
        path = self.owner.module.path
        return PolicyFinding(path, place.line, place.column + 1, slug, message, fix, strict)


def columns(project: Project) -> Iterator[Column]:
    """Return the columns of all classes; those of migrations say what was true once."""
    for owner in project.classes.values():
        if project.is_migration(owner.module):
            continue
        for attribute in owner.syntax.attributes.values():
            call = attribute.call
            made = project.resolve(owner.module, call.callee) if call is not None else None
            is_mapped = attribute.mapped is not None and made not in RELATIONSHIP
            if (made in COLUMNS or is_mapped) and attribute.annotation != "collection":
                yield Column(owner, attribute, list(_types(project, owner, call)))


def _types(
    project: Project, owner: MappedClass, call: CallSyntax | None
) -> Iterator[tuple[str, CallSyntax | None]]:
    if call is None:
        return
    inner = {f"{each.callee}()": each for each in call.inner}
    given = call.keywords.get("type_")
    for written in (*call.arguments[:2], given.name if given is not None else None):
        name = project.resolve(owner.module, (written or "").removesuffix("()"))
        if written and name and name.startswith("sqlalchemy."):
            kind = name.rpartition(".")[2]
            if kind not in {"ForeignKey", "Identity", "Computed", "Sequence", "CheckConstraint"}:
                yield kind, inner.get(written)
