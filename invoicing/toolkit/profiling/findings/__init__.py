"""What a recording shows to be wasteful: which line, what it cost, and the option to add."""

from invoicing.toolkit.profiling.findings.find import SLUGS, find
from invoicing.toolkit.profiling.findings.model import Cost, Finding, Thresholds

__all__ = ["SLUGS", "Cost", "Finding", "Thresholds", "find"]
