"""The policy gate: rules for SQLAlchemy code, checked without importing or running it.

What a check that finds its answer in the cache has no use for is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoicing.toolkit.policy.changes import on_changed_lines
    from invoicing.toolkit.policy.finding import Edit, PolicyFinding, Problem, Proof
    from invoicing.toolkit.policy.fixing import (
        FileFix,
        as_diff,
        explain_left,
        find_fixes,
        fix,
        write_fixes,
    )
    from invoicing.toolkit.policy.output import FORMATS
    from invoicing.toolkit.policy.page import rules_page
    from invoicing.toolkit.policy.registry import all_rules, fixable
    from invoicing.toolkit.policy.rule import Rule
    from invoicing.toolkit.policy.runner import Report, assert_clean, check, root_of
    from invoicing.toolkit.policy.settings import PolicySettings, read_settings

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
_HOMES = {
    "changes": ("on_changed_lines",),
    "finding": ("Edit", "PolicyFinding", "Problem", "Proof"),
    "fixing": ("FileFix", "as_diff", "explain_left", "find_fixes", "fix", "write_fixes"),
    "output": ("FORMATS",),
    "page": ("rules_page",),
    "registry": ("all_rules", "fixable"),
    "rule": ("Rule",),
    "runner": ("Report", "assert_clean", "check", "root_of"),
    "settings": ("PolicySettings", "read_settings"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
