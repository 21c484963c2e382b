"""Check migrations by the settings of the project they belong to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations import MigrationSettings, check_revision, check_sql

if TYPE_CHECKING:
    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.settings import PolicySettings
    from invoicing.toolkit.policy.source import SourceFile


def check_migration(source: SourceFile, settings: PolicySettings) -> list[PolicyFinding]:
    """Return what a revision file breaks."""
    chosen = MigrationSettings(
        topics=settings.header,
        phases=settings.phases,
        destructive_operations=frozenset(settings.destructive_operations),
    )
    return check_revision(source.path, source.text, source.tree, chosen)


def check_locks(config: Path, root: Path, settings: PolicySettings) -> list[PolicyFinding]:
    """Return what would lock or rewrite a large table, by squawk on the SQL of the revisions."""
    chosen = MigrationSettings(lock_timeout_elsewhere=settings.lock_timeout_elsewhere)
    return [
        replace(finding, path=_relative(finding.path, root))
        for finding in check_sql(config, settings=chosen)
    ]


def _relative(path: str, root: Path) -> str:
    absolute = Path(path).resolve()
    top = root.resolve()
    return absolute.relative_to(top).as_posix() if absolute.is_relative_to(top) else path
