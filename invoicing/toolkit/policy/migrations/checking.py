"""Check revision files: one at a time, or all of a history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations import destructive, header, reversible, safe
from invoicing.toolkit.policy.migrations.revision import Revision
from invoicing.toolkit.policy.migrations.settings import MigrationSettings

if TYPE_CHECKING:
    import ast

    from invoicing.toolkit.policy.migrations.rule import Rule
    from invoicing.toolkit.policy.model import Finding

RULES: tuple[Rule, ...] = (reversible.RULE, destructive.RULE, header.RULE, safe.RULE)


def check_revision(
    path: str, source: str, tree: ast.Module, settings: MigrationSettings | None = None
) -> list[Finding]:
    """Find what breaks a rule in one revision file; a file that is no revision breaks none."""
    revision = Revision(path, source, tree, settings or MigrationSettings())
    found = [one for rule in RULES if rule.check for one in rule.check(revision)]
    return sorted(found, key=lambda one: (one.line, one.column, one.rule))
