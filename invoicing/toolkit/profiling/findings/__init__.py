"""What a capture shows to be wasteful: which line, what it cost, and the option to add."""

from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.findings.fix import Fix
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.findings.page import findings_page
from invoicing.toolkit.profiling.findings.registry import KINDS, SLUGS, find
from invoicing.toolkit.profiling.findings.thresholds import Thresholds

__all__ = [
    "KINDS",
    "SLUGS",
    "Cost",
    "Finding",
    "FindingKind",
    "Fix",
    "Threshold",
    "Thresholds",
    "find",
    "findings_page",
]
