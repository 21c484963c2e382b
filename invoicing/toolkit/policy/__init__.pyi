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
