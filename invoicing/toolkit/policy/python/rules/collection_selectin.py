"""`collection-selectin`: collections are loaded by selectinload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.loaders import check_loaders
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import Project

SLUG = "collection-selectin"


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find collections that are loaded by anything but selectinload."""
    yield from check_loaders(project, SLUG, collection=True)


RULE = Rule(
    SLUG,
    "collections are loaded by selectinload",
    "joinedload repeats every column of the parent in a row for each child, and two joined "
    "collections multiply each other; lazyload and immediateload send a statement for each parent.",
    {"joined": "select(Account).options(joinedload(Account.invoices))"},
    {"selected in": "select(Account).options(selectinload(Account.invoices))"},
    check,
    applicability="safe",
)
