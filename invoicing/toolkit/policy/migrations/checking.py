"""Check revision files, each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.revision import Revision
from invoicing.toolkit.policy.migrations.settings import MigrationSettings
from invoicing.toolkit.policy.registry import migration_rules

if TYPE_CHECKING:
    import ast

    from invoicing.toolkit.policy.finding import PolicyFinding


def check_revision(
    path: str, source: str, tree: ast.Module, settings: MigrationSettings | None = None
) -> list[PolicyFinding]:
    """Find what breaks a rule in one revision file; a file that is no revision breaks none."""
    return check_rules(Revision(path, source, tree, settings or MigrationSettings()))


def check_rules(revision: Revision) -> list[PolicyFinding]:
    """Find what a revision breaks by itself."""
    findings = [
        finding
        for rule in migration_rules()
        if rule.check is not None
        for finding in rule.check(revision)
    ]
    return sorted(findings, key=lambda finding: (finding.line, finding.column, finding.rule))
