"""`single-joined`: single objects are loaded by joinedload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.loaders import check_loaders
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import Project

SLUG = "single-joined"


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find single objects that are loaded by anything but joinedload."""
    yield from check_loaders(project, SLUG, collection=False)


RULE = Rule(
    SLUG,
    "single objects are loaded by joinedload",
    "A join to one object repeats nothing, and saves the round trip that selectinload takes.",
    {"selected in": "select(Invoice).options(selectinload(Invoice.account))"},
    {"joined": "select(Invoice).options(joinedload(Invoice.account))"},
    check,
    # A join more can fail where the statement is grouped, locked or built elsewhere.
    applicability="unsafe",
)
