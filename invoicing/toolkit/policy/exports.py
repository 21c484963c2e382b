"""The public names of the gate, each imported from its module when it is asked for.

A check that finds its answer in the cache has no use for most of them.
"""

from __future__ import annotations

from importlib import import_module

HOMES = {
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
NAMES = sorted(name for names in HOMES.values() for name in names)


def __getattr__(name: str) -> object:
    """Return a public name of the package."""
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__package__}.{home}"), name)
    raise AttributeError(f"module {__package__!r} has no attribute {name!r}")
