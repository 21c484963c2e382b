"""Every rule, discovered: a module of `python/rules` or `migrations/rules` ends in its RULE."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.policy.suppressions import UNUSED_SUPPRESSION

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations.revision import Revision
    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.rule import Rule


@cache
def code_rules() -> tuple[Rule[Project], ...]:
    """Return the rules that read the project's code as a whole."""
    return _discover(f"{__package__}.python.rules")


@cache
def migration_rules() -> tuple[Rule[Revision], ...]:
    """Return the rules that read one revision at a time."""
    return _discover(f"{__package__}.migrations.rules")


def all_rules() -> dict[str, Rule[Any]]:
    """Return every rule by its slug."""
    rules: tuple[Rule[Any], ...] = (*code_rules(), *migration_rules(), UNUSED_SUPPRESSION)
    return {rule.slug: rule for rule in rules}


def _discover(package: str) -> tuple[Rule[Any], ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(import_module(package).__path__))
    return tuple(import_module(f"{package}.{name}").RULE for name in names)
