"""`collection-selectin`: collections are loaded by selectinload."""

from __future__ import annotations

from functools import partial

from invoicing.toolkit.policy.python.loaders import check_loaders
from invoicing.toolkit.policy.rule import Rule

SLUG = "collection-selectin"
RULE = Rule(
    SLUG,
    "collections are loaded by selectinload",
    "joinedload repeats every column of the parent in a row for each child, and two joined "
    "collections multiply each other; lazyload and immediateload send a statement for each parent.",
    {"joined": "select(Account).options(joinedload(Account.invoices))"},
    {"selected in": "select(Account).options(selectinload(Account.invoices))"},
    partial(check_loaders, slug=SLUG, collection=True),
    applicability="safe",
)
