"""`base-and-timestamps`: every mapped class inherits the project's Base and its mixin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.called import by_callee
from invoicing.toolkit.policy.python.project import DECLARATIVE
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project

SLUG = "base-and-timestamps"
# So many classes that lack what nothing is called are one finding, at their base.
MANY = 3


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find mapped classes without them: a family of subclasses at its root."""
    for wanted in filter(None, (project.settings.base, project.settings.mixin)):
        lacking = [mapped for mapped in project.mapped if _lacks(project, mapped, wanted)]
        families: dict[str, list[MappedClass]] = {}
        for mapped in lacking:
            families.setdefault(_root(project, mapped).name, []).append(mapped)
        # Where nothing has that name, and many lack it, it is called otherwise.
        unknown = wanted not in {
            each.syntax.name.rpartition(".")[2] for each in project.classes.values()
        }
        for base, below in _bases_of(project, families).items() if unknown else ():
            if len(below) >= MANY:
                yield _of_base(project, project.classes[base], wanted, len(below))
                families = {name: each for name, each in families.items() if name not in below}
        for name, members in families.items():
            # Whatever stands alone is named itself.
            shown = members[0] if len(members) == 1 else project.classes[name]
            _, outside = project.ancestors(shown)
            # What comes from files that are not checked may bring either.
            yield _finding(shown, wanted, strict=_is_open(outside))
        yield from _imperative(project, wanted)


def _bases_of(project: Project, roots: Iterable[str]) -> dict[str, set[str]]:
    """Return the checked declarative bases, each with the roots of the families below it."""
    bases: dict[str, set[str]] = {}
    for root in roots:
        for each in project.ancestors(project.classes[root])[0]:
            if any(base in DECLARATIVE for base in _bases(project, each)):
                bases.setdefault(each.name, set()).add(root)
    return bases


def _of_base(project: Project, base: MappedClass, wanted: str, count: int) -> PolicyFinding:
    """Say once what is true of all classes of a base."""
    finding = _finding(base, wanted, strict=_is_open(project.ancestors(base)[1]))
    name = "base" if wanted == project.settings.base else "mixin"
    return replace(
        finding,
        message=f"{count} classes below {base.syntax.name} do not inherit {wanted}, "
        "and no class has that name",
        fix=f"say in [tool.invoicing.policy] what it is called, as {name} = ..., or add it",
    )


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
        calls = (
            call
            for callee, calls in by_callee(project, module).items()
            if callee.rpartition(".")[2] == "map_imperatively" and not project.is_migration(module)
            for call in calls
        )
        for call in calls:
            mapped = project.class_of(module, call.arguments[0]) if call.arguments else None
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
