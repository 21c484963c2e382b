"""`base-and-timestamps`: every mapped class inherits the project's Base and its mixin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project

SLUG = "base-and-timestamps"


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find mapped classes without them."""
    for mapped in project.mapped:
        if project.is_migration(mapped.module):
            continue
        classes, outside = project.ancestors(mapped)
        names = {each.syntax.name.rpartition(".")[2] for each in classes if each is not mapped}
        # As they are written, too: `Base = declarative_base()` is no class.
        names |= {(base or "").rpartition(".")[2] for each in classes for base in each.syntax.bases}
        names |= {name.rpartition(".")[2] for name in outside}
        # What comes from files that are not checked may bring either.
        strict = _is_open(outside)
        for wanted in filter(None, (project.settings.base, project.settings.mixin)):
            if wanted not in names:
                yield _finding(mapped, wanted, strict=strict)


def _is_open(outside: list[str]) -> bool:
    known = ("sqlalchemy.", "typing.", "enum.", "abc.", "builtins.")
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
