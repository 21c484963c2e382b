"""The relationships of a project, however they are written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.python.called import called
from invoicing.toolkit.policy.python.syntax import Keyword

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import (
        AttributeSyntax,
        CallSyntax,
        ClassSyntax,
        ModuleSyntax,
        Place,
    )

RELATIONSHIP = {"sqlalchemy.orm.relationship", "sqlalchemy.orm.relation"}
SQLMODEL = {"sqlmodel.Relationship", "sqlmodel.main.Relationship"}
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
    if callee in SQLMODEL:
        return _of_sqlmodel(project, module, call)
    return call if callee in RELATIONSHIP else None


def _of_sqlmodel(project: Project, module: ModuleSyntax, call: CallSyntax) -> CallSyntax:
    """Return a relationship of SQLModel with the keywords that it hands on to SQLAlchemy."""
    given = call.keywords.get("sa_relationship_kwargs")
    if given is None or "sa_relationship" in call.keywords:
        return call
    held = given.held if given.held is not None else project.constant(module, given.name)
    handed = held if isinstance(held, dict) else {}
    more = {name: Keyword(text, None, given.place) for name, text in handed.items()}
    unknown = () if isinstance(held, dict) else (given.name,)
    keywords = {**call.keywords, **more}
    return call._replace(keywords=keywords, expanded=(*call.expanded, *unknown))


def loose_relationships(project: Project) -> Iterator[tuple[ModuleSyntax, CallSyntax]]:
    """Return the relationships that no class's body binds: set later, or mapped imperatively."""
    bound: set[tuple[str, Place]] = set()
    factories: set[int] = set()
    for module in project.modules:
        for owner in module.classes:
            for attribute in owner.attributes.values():
                if attribute.call is not None:
                    bound.add((module.path, attribute.call.place))
                    made = project.factory(project.resolve(module, attribute.call.callee))
                    factories |= {id(made[1].made)} if made is not None else set()
    for module in project.modules:
        for call in () if project.is_migration(module) else called(project, module, RELATIONSHIP):
            if (module.path, call.place) not in bound and id(call) not in factories:
                yield module, call


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
    return _by_keys(project, module, call)


def _by_keys(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool | None:
    """Return what foreign keys say: many, where the other side has the only one."""
    owner = project.classes.get(f"{module.module}.{call.class_name}")
    written = (call.text or (call.arguments[0] if call.arguments else None) or "").rpartition(".")
    targets = [each for each in project.mapped if each.syntax.name.rpartition(".")[2] == written[2]]
    if owner is None or len(targets) != 1 or targets[0] is owner:
        return None
    here, there = refers(project, owner, targets[0]), refers(project, targets[0], owner)
    return there if here != there else None


def refers(project: Project, owner: MappedClass, target: MappedClass) -> bool:
    """Return whether a class has a foreign key to another's table."""
    table = project.attribute(target, "__tablename__")
    name = table[1].constant if table is not None else None
    return name is not None and any(
        (inner.text or "").rpartition(".")[0].rpartition(".")[2] == name
        for each in project.ancestors(owner)[0]
        for attribute in each.syntax.attributes.values()
        if attribute.call is not None
        for inner in attribute.call.inner
        if inner.callee.rpartition(".")[2] == "ForeignKey"
    )


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
