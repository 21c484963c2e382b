"""Find every kind of finding, ask each of them, and report each waste once."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings import kinds
from invoicing.toolkit.profiling.findings.finding import together
from invoicing.toolkit.profiling.findings.suppressed import without_suppressed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.findings.kind import FindingKind


def _discover() -> dict[str, FindingKind]:
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    modules = [importlib.import_module(f"{kinds.__name__}.{name}") for name in names]
    return {module.KIND.slug: module.KIND for module in modules}


KINDS = _discover()
SLUGS = tuple(KINDS)


def find(evidence: Evidence, allow: Iterable[str] = ()) -> list[Finding]:
    """Return the findings in the order of their statements; those in `allow` are left out."""
    found = [finding for kind in KINDS.values() for finding in kind.detect(evidence)]
    covered = {slug: _statements(found, slug) for slug in SLUGS}
    kept = [
        finding
        for finding in found
        if not any(
            set(finding.statements) <= covered[slug] for slug in KINDS[finding.slug].covered_by
        )
    ]
    left = without_suppressed(evidence, kept, allow)
    alike: dict[Hashable, list[Finding]] = defaultdict(list)
    for finding in left:
        what = finding.slug, finding.caller, finding.relationship, finding.fix
        # Without a line of its own nothing says that two are of one place.
        alike[(*what, finding.statements if finding.caller is None else None)].append(finding)
    found = [together(each) for each in alike.values()]
    return sorted(found, key=lambda finding: finding.statements[:1])


def _statements(findings: Iterable[Finding], slug: str) -> set[int]:
    return {number for finding in findings if finding.slug == slug for number in finding.statements}
