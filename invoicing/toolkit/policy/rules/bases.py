"""`base-and-timestamps`: every mapped class inherits the project's Base and its mixin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.model import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.project import Mapped, Project

SLUG = "base-and-timestamps"


def check(project: Project) -> Iterator[Finding]:
    """Find mapped classes without them."""
    for one in project.mapped:
        if project.is_migration(one.module):
            continue
        classes, outside = project.ancestors(one)
        names = {each.facts.name.rpartition(".")[2] for each in classes if each is not one}
        # As they are written, too: `Base = declarative_base()` is no class.
        names |= {(base or "").rpartition(".")[2] for each in classes for base in each.facts.bases}
        names |= {name.rpartition(".")[2] for name in outside}
        # What comes from files that are not checked may bring either.
        strict = _is_open(outside)
        for wanted in filter(None, (project.settings.base, project.settings.mixin)):
            if wanted not in names:
                yield _finding(one, wanted, strict=strict)


def _is_open(outside: list[str]) -> bool:
    known = ("sqlalchemy.", "typing.", "enum.", "abc.", "builtins.")
    return any(not name.startswith(known) and "." in name for name in outside)


def _finding(mapped: Mapped, wanted: str, *, strict: bool) -> Finding:
    place = mapped.facts.place
    return Finding(
        mapped.module.path,
        place.line,
        place.column + 1,
        SLUG,
        f"{mapped.facts.name} is mapped and does not inherit {wanted}",
        f"inherit {wanted}",
        strict,
    )


BASE_AND_TIMESTAMPS = Rule(
    SLUG,
    "every mapped class inherits Base and TimeStampedMixin",
    "One Base is one MetaData, one naming convention and one map of types: what does not inherit "
    "it is missing from the migrations. Rows without time stamps cannot be told old from new when "
    "something has gone wrong.",
    'class Invoice(Base):\n    __tablename__ = "invoice"',
    'class Invoice(TimeStampedMixin, Base):\n    __tablename__ = "invoice"',
    check,
)
