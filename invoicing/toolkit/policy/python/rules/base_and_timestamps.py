"""`base-and-timestamps`: every mapped class inherits the project's Base and its mixin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.project import DECLARATIVE
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project

SLUG = "base-and-timestamps"


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find mapped classes without them: a family of subclasses at its root."""
    for wanted in filter(None, (project.settings.base, project.settings.mixin)):
        lacking = [mapped for mapped in project.mapped if _lacks(project, mapped, wanted)]
        families: dict[str, list[MappedClass]] = {}
        for mapped in lacking:
            families.setdefault(_root(project, mapped).name, []).append(mapped)
        for name, members in families.items():
            # Whatever stands alone is named itself.
            shown = members[0] if len(members) == 1 else project.classes[name]
            _, outside = project.ancestors(shown)
            # What comes from files that are not checked may bring either.
            yield _finding(shown, wanted, strict=_is_open(outside))
        yield from _imperative(project, wanted)


def _lacks(project: Project, mapped: MappedClass, wanted: str) -> bool:
    if project.is_migration(mapped.module):
        return False
    classes, outside = project.ancestors(mapped)
    names = {each.syntax.name.rpartition(".")[2] for each in classes if each is not mapped}
    # As they are written, too: `Base = declarative_base()` is no class.
    names |= {(base or "").rpartition(".")[2] for each in classes for base in each.syntax.bases}
    names |= {name.rpartition(".")[2] for name in outside}
    return wanted not in names


def _root(project: Project, mapped: MappedClass) -> MappedClass:
    """Return the topmost class that is mapped, or made to be, below the declarative base."""
    root = mapped
    for each in project.ancestors(mapped)[0]:
        is_base = any(base in DECLARATIVE for base in _bases(project, each))
        if project.is_declarative(each) and not is_base:
            root = each
    return root


def _bases(project: Project, mapped: MappedClass) -> list[str | None]:
    return [project.resolve(mapped.module, base) for base in mapped.syntax.bases]


def _imperative(project: Project, wanted: str) -> Iterator[PolicyFinding]:
    """Find classes that are mapped by a call, and inherit nothing."""
    for module in project.modules:
        for call in () if project.is_migration(module) else module.calls:
            if call.callee.rpartition(".")[2] != "map_imperatively" or not call.arguments:
                continue
            mapped = project.class_of(module, call.arguments[0])
            if mapped is not None and _lacks(project, mapped, wanted):
                message = f"{mapped.syntax.name} is mapped and does not inherit {wanted}"
                place = call.place
                yield PolicyFinding(
                    module.path, place.line, place.column + 1, SLUG, message, f"inherit {wanted}"
                )


def _is_open(outside: list[str]) -> bool:
    known = ("sqlalchemy.", "sqlmodel.", "typing.", "enum.", "abc.", "builtins.")
    return any(not name.startswith(known) and "." in name for name in outside)


def _finding(mapped: MappedClass, wanted: str, *, strict: bool) -> PolicyFinding:
    place = mapped.syntax.place
    return PolicyFinding(
        mapped.module.path,
        place.line,
        place.column + 1,
        SLUG,
        f"{mapped.syntax.name} is mapped and does not inherit {wanted}",
        f"inherit {wanted}",
        strict,
    )


RULE = Rule(
    SLUG,
    "every mapped class inherits Base and TimeStampedMixin",
    "One Base is one MetaData, one naming convention and one map of types: what does not inherit "
    "it is missing from the migrations. Rows without time stamps cannot be dated when "
    "something has gone wrong.",
    {"without the mixin": 'class Invoice(Base):\n    __tablename__ = "invoice"'},
    {"with both": 'class Invoice(TimeStampedMixin, Base):\n    __tablename__ = "invoice"'},
    check,
    seen_by="--models",
)
