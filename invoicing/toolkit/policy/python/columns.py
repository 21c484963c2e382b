"""The columns of mapped classes and mixins, and what types they are given.

A type comes from the column itself, from `Annotated[...]` by whatever name it has in the project,
or from the type_annotation_map of a base.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.aliases import meaning_of
from invoicing.toolkit.policy.python.fields import FIELD, table_fields
from invoicing.toolkit.policy.python.relationships import RELATIONSHIP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.aliases import TypeMeaning
    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import AttributeSyntax, CallSyntax, ModuleSyntax

COLUMNS = {
    "sqlalchemy.orm.mapped_column", "sqlalchemy.Column", "sqlalchemy.schema.Column",
    "sqlmodel.Column",
}  # fmt: skip
NO_TYPES = {"ForeignKey", "Identity", "Computed", "Sequence", "CheckConstraint"}
MAP = "type_annotation_map"
# A type that a base gives, and that cannot be read.
UNKNOWN = "?"

Types = list[tuple[str, "CallSyntax | None"]]


class ColumnAttribute(NamedTuple):
    """An attribute of a class that is a column.

    Attributes:
        owner: the class, a mixin as well.
        attribute: its name, its annotation and its place.
        types: the types it is given, as they are called and made; UNKNOWN for some other type.
        python: what its annotation holds, by its dotted name.
        is_field: whether it is a field of SQLModel, whose annotation is no `Mapped[...]`.
    """

    owner: MappedClass
    attribute: AttributeSyntax
    types: Types
    python: str | None
    is_field: bool = False

    @property
    def name(self) -> str:
        """`Model.attribute`."""
        return f"{self.owner.syntax.name}.{self.attribute.name}"

    @property
    def names(self) -> set[str]:
        """The attribute's name, and the one it has in the database."""
        call = self.attribute.call
        if call is None:
            return {self.attribute.name}
        column, more = (call.keywords.get(key) for key in ("sa_column", "sa_column_kwargs"))
        made = column.made if column is not None else call
        held = (more.held or {}) if more is not None else {}
        written = made.text if made is not None else None
        return {self.attribute.name, written or "", held.get("name", "")}

    def finding(self, slug: str, message: str, fix: str, *, strict: bool = False) -> PolicyFinding:
        """Make a finding at the column."""
        place = self.attribute.place
        path = self.owner.module.path
        return PolicyFinding(path, place.line, place.column + 1, slug, message, fix, strict)


def columns(project: Project) -> list[ColumnAttribute]:
    """Return the columns of all classes; those of migrations say what was true once."""
    notes = project.notes.setdefault("columns", {})
    if not notes:
        notes["all"] = list(_columns(project))
    known: list[ColumnAttribute] = notes["all"]
    return known


def _columns(project: Project) -> Iterator[ColumnAttribute]:
    fields = table_fields(project)
    for owner in project.classes.values():
        if project.is_migration(owner.module):
            continue
        for attribute in owner.syntax.attributes.values():
            call = attribute.call
            made = project.resolve(owner.module, call.callee) if call is not None else None
            is_mapped = attribute.mapped is not None and made not in RELATIONSHIP
            if (made in COLUMNS or is_mapped) and attribute.annotation != "collection":
                yield _column(project, owner, attribute)
            elif (owner.name, attribute.name) in fields:
                yield _field(project, owner, attribute)


def _column(project: Project, owner: MappedClass, attribute: AttributeSyntax) -> ColumnAttribute:
    meaning = meaning_of(project, owner.module, attribute.mapped)
    given = [(owner.module, [attribute.call] if attribute.call is not None else [])]
    given += [(owner.module, list(attribute.metadata)), *meaning.metadata]
    for module, calls in given:
        types = [each for call in calls for each in _types(project, module, call)]
        if types:
            return ColumnAttribute(owner, attribute, types, meaning.python)
    return ColumnAttribute(owner, attribute, _mapped(project, owner, meaning), meaning.python)


def _field(project: Project, owner: MappedClass, attribute: AttributeSyntax) -> ColumnAttribute:
    meaning = meaning_of(project, owner.module, attribute.plain)
    calls = [*filter(None, [attribute.call]), *attribute.metadata]
    for module, made in [(owner.module, calls), *meaning.metadata]:
        types = [each for call in made for each in _types_of_field(project, module, call)]
        if types:
            return ColumnAttribute(owner, attribute, types, meaning.python, is_field=True)
    return ColumnAttribute(owner, attribute, [], meaning.python, is_field=True)


def _types_of_field(project: Project, module: ModuleSyntax, call: CallSyntax) -> Types:
    if project.resolve(module, call.callee) not in FIELD:
        return []
    for name in ("sa_column", "sa_type"):
        given = call.keywords.get(name)
        if given is None or given.text is not None:
            continue
        if name == "sa_column":
            # A column with a name is made elsewhere.
            return _types(project, module, given.made) if given.made else [(UNKNOWN, None)]
        written = given.made.callee if given.made is not None else given.name
        return [(_kind(project, module, written or "") or UNKNOWN, given.made)]
    return []


def _types(project: Project, module: ModuleSyntax, call: CallSyntax) -> Types:
    inner = {f"{each.callee}()": each for each in call.inner}
    given = call.keywords.get("type_")
    types: Types = [(UNKNOWN, None)] if given is not None and given.name is None else []
    for written in (*call.arguments[:2], given.name if given is not None else None):
        kind = _kind(project, module, (written or "").removesuffix("()"))
        if written and kind not in NO_TYPES:
            # A type of the project's own may be anything.
            types.append((kind or UNKNOWN, inner.get(written)))
    return types


def _kind(project: Project, module: ModuleSyntax, written: str) -> str | None:
    name = project.resolve(module, written) or ""
    return name.rpartition(".")[2] if name.startswith(("sqlalchemy.", "sqlmodel.")) else None


def _mapped(project: Project, owner: MappedClass, meaning: TypeMeaning) -> Types:
    """Return the type that a base gives to what an annotation holds."""
    is_mixin = not project.is_declarative(owner)
    classes = _with_maps(project) if is_mixin else project.ancestors(owner)[0]
    for each in classes:
        attribute = each.syntax.attributes.get(MAP)
        registry = each.syntax.attributes.get("registry")
        if attribute is None:
            if registry is not None and registry.call is not None and MAP in registry.call.keywords:
                return [(UNKNOWN, None)]
            continue
        if not attribute.keys:
            return [(UNKNOWN, None)]
        wanted = [*meaning.names, meaning.python]
        pairs = zip(attribute.keys, attribute.values, strict=True)
        given = {_key(project, each.module, key): value for key, value in pairs}
        for name in wanted:
            if name in given:
                return _given(project, each.module, given[name])
    return []


def _key(project: Project, module: ModuleSyntax, written: str) -> str | None:
    meaning = meaning_of(project, module, written)
    return next(iter(meaning.names), meaning.python)


def _given(project: Project, module: ModuleSyntax, value: CallSyntax | str | None) -> Types:
    call = value if value is not None and not isinstance(value, str) else None
    written = call.callee if call is not None else value
    kind = _kind(project, module, written) if isinstance(written, str) else None
    return [(kind or UNKNOWN, call)]


def _with_maps(project: Project) -> list[MappedClass]:
    """Return the bases that a mixin may be mixed with."""
    notes = project.notes.setdefault(MAP, {})
    if not notes:
        notes["bases"] = [
            each
            for each in project.classes.values()
            if {MAP, "registry"} & each.syntax.attributes.keys()
        ]
    found: list[MappedClass] = notes["bases"]
    return found
