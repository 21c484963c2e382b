"""The relationships of a project, however they are written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import (
        AttributeSyntax,
        CallSyntax,
        ClassSyntax,
        ModuleSyntax,
    )

RELATIONSHIP = {"sqlalchemy.orm.relationship", "sqlalchemy.orm.relation"}
BACKREF = "sqlalchemy.orm.backref"


class Relationship(NamedTuple):
    """A relationship of a class.

    Attributes:
        module: where it is written.
        owner: the class.
        attribute: its name there.
        call: the call that makes it, with what `partial` adds to it.
    """

    module: ModuleSyntax
    owner: ClassSyntax
    attribute: AttributeSyntax
    call: CallSyntax

    @property
    def name(self) -> str:
        """`Model.attribute`."""
        return f"{self.owner.name}.{self.attribute.name}"


def relationships(project: Project) -> Iterator[Relationship]:
    """Return every relationship, of mapped classes and of mixins."""
    for module in project.modules:
        if project.is_migration(module):
            continue
        for owner in module.classes:
            for attribute in owner.attributes.values():
                call = relationship_of(project, module, attribute)
                if call is not None:
                    yield Relationship(module, owner, attribute, call)


def relationship_of(
    project: Project, module: ModuleSyntax, attribute: AttributeSyntax
) -> CallSyntax | None:
    """Return the call by which an attribute is a relationship; None if it is none."""
    if attribute.call is None:
        return None
    callee, call = project.calls_of(module, attribute.call)
    return call if callee in RELATIONSHIP else None


def is_collection(
    project: Project, module: ModuleSyntax, attribute: AttributeSyntax, call: CallSyntax
) -> bool | None:
    """Return whether a relationship is a collection; None where nothing written says so."""
    if attribute.annotation in {"write_only", "dynamic"}:
        return True
    if attribute.annotation is not None:
        return attribute.annotation == "collection"
    uselist = project.keyword(module, call, "uselist")
    if uselist.is_known and uselist.is_given:
        return uselist.text == "True"
    if "collection_class" in call.keywords or "secondary" in call.keywords:
        return True
    return None


def collection_kind(
    project: Project, owner: MappedClass, name: str
) -> tuple[str, bool | None, CallSyntax] | None:
    """Return `Model.attribute`, whether it is a collection, and what makes it; else None."""
    bound = project.attribute(owner, name)
    if bound is None:
        return None
    where, attribute = bound
    call = relationship_of(project, where.module, attribute)
    if call is None:
        return None
    kind = is_collection(project, where.module, attribute, call)
    return f"{where.syntax.name}.{name}", kind, call
