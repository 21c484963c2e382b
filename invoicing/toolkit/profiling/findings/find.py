"""Ask each family of findings, and report each waste once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.chunks import chunks
from invoicing.toolkit.profiling.findings.joins import joins
from invoicing.toolkit.profiling.findings.lazy import column_loads, hidden_loads, lazy_loads
from invoicing.toolkit.profiling.findings.loops import loops
from invoicing.toolkit.profiling.findings.plans import plans
from invoicing.toolkit.profiling.findings.repeats import duplicates, limits
from invoicing.toolkit.profiling.findings.suppressed import without_suppressed
from invoicing.toolkit.profiling.findings.unread import over_fetched, unused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.profiling.findings.facts import Facts
    from invoicing.toolkit.profiling.findings.model import Finding

FAMILIES = (
    lazy_loads,
    column_loads,
    loops,
    joins,
    chunks,
    hidden_loads,
    unused,
    over_fetched,
    duplicates,
    limits,
    plans,
)
SLUGS = (
    "n-plus-one",
    "cartesian-product",
    "joined-collection",
    "chunked-n-plus-one",
    "hidden-load",
    "unused-eager-load",
    "over-fetch",
    "duplicate-statement",
    "missing-limit",
    "server-side-n-plus-one",
)
# What is said of a statement makes these of it no news.
COVERED = {"duplicate-statement": {"n-plus-one"}, "missing-limit": {"over-fetch"}}


def find(facts: Facts, allow: Iterable[str] = ()) -> list[Finding]:
    """Return the findings in the order of their statements; those in `allow` are left out."""
    found = [one for family in FAMILIES for one in family(facts)]
    told = {slug: _statements(found, slug) for slug in SLUGS}
    named = _statements((one for one in found if one.relationship), "n-plus-one")
    kept = [
        one
        for one in found
        if not any(_are(one, told[other]) for other in COVERED.get(one.slug, ()))
        # Part of the loads of a relationship: one option mends both.
        and not (one.slug == "n-plus-one" and not one.relationship and _are(one, named))
    ]
    kept.sort(key=lambda one: one.statements[:1])
    return without_suppressed(facts, kept, allow)


def _are(finding: Finding, statements: set[int]) -> bool:
    return set(finding.statements) <= statements


def _statements(findings: Iterable[Finding], slug: str) -> set[int]:
    return {number for one in findings if one.slug == slug for number in one.statements}
