"""`single-joined`: single objects are loaded by joinedload."""

from __future__ import annotations

from functools import partial

from invoicing.toolkit.policy.python.loaders import check_loaders
from invoicing.toolkit.policy.rule import Rule

SLUG = "single-joined"
RULE = Rule(
    SLUG,
    "single objects are loaded by joinedload",
    "A join to one object repeats nothing, and saves the round trip that selectinload takes.",
    {"selected in": "select(Invoice).options(selectinload(Invoice.account))"},
    {"joined": "select(Invoice).options(joinedload(Invoice.account))"},
    partial(check_loaders, slug=SLUG, collection=False),
    # A join more can fail where the statement is grouped, locked or built elsewhere.
    applicability="unsafe",
)
