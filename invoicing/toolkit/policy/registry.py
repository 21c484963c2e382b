"""Every rule, discovered: a module of `python/rules` or `migrations/rules` ends in its RULE.

What is said of them where none has to run is kept in a cache: importing all takes longer.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from invoicing.toolkit.policy.cache import tool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.policy.cache import Cache
    from invoicing.toolkit.policy.finding import PolicyFinding
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
    from invoicing.toolkit.policy.suppressions import UNUSED_SUPPRESSION

    rules: tuple[Rule[Any], ...] = (*code_rules(), *migration_rules(), UNUSED_SUPPRESSION)
    return {rule.slug: rule for rule in rules}


class RuleFacts(NamedTuple):
    """What is known of a rule without it.

    Attributes:
        needs: the option of a check without which it does not run.
        applicability: whether its fixes are safe or unsafe; None without fixes.
    """

    needs: str | None
    applicability: str | None


def rule_facts(cache: Cache | None = None) -> dict[str, RuleFacts]:
    """Return what is known of every rule, by its slug: from a cache where that has it."""
    name = f"rules-{tool()[:24]}" if cache is not None else ""
    kept = cache.read(name) if cache is not None else None
    if isinstance(kept, dict):
        return kept
    facts = {slug: RuleFacts(rule.needs, rule.applicability) for slug, rule in all_rules().items()}
    if cache is not None:
        cache.write(name, facts)
    return facts


def fixable(
    findings: Iterable[PolicyFinding], *, unsafe: bool, facts: dict[str, RuleFacts] | None = None
) -> list[PolicyFinding]:
    """Return the findings that have a fix: a safe one, or with `unsafe` any."""
    known = rule_facts() if facts is None else facts
    kinds = {"safe", "unsafe"} if unsafe else {"safe"}
    return [
        finding
        for finding in findings
        if finding.is_fixable and known[finding.rule].applicability in kinds
    ]


def _discover(package: str) -> tuple[Rule[Any], ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(import_module(package).__path__))
    return tuple(import_module(f"{package}.{name}").RULE for name in names)
