"""The policy gate: rules for SQLAlchemy code, checked without importing or running it.

What its names are for a type checker is in `__init__.pyi`.
"""

from invoicing.toolkit.policy.exports import __getattr__ as __getattr__

__all__ = [
    "FORMATS",
    "Edit",
    "FileFix",
    "PolicyFinding",
    "PolicySettings",
    "Problem",
    "Proof",
    "Report",
    "Rule",
    "all_rules",
    "as_diff",
    "assert_clean",
    "check",
    "explain_left",
    "find_fixes",
    "fix",
    "fixable",
    "on_changed_lines",
    "read_settings",
    "root_of",
    "rules_page",
    "write_fixes",
]
