"""The rules for migrations, as rules like the others: each reads one revision file by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations import RULES, MigrationSettings, check_revision, check_sql
from invoicing.toolkit.policy.model import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.policy.model import Finding
    from invoicing.toolkit.policy.project import Project
    from invoicing.toolkit.policy.settings import PolicySettings
    from invoicing.toolkit.policy.source import Source


def check_migration(source: Source, settings: PolicySettings) -> list[Finding]:
    """Return what a revision file breaks."""
    chosen = MigrationSettings(
        topics=settings.header,
        phases=settings.phases,
        destructive_operations=frozenset(settings.destructive_operations),
    )
    return check_revision(source.path, source.text, source.tree, chosen)


def check_locks(config: Path, root: Path, settings: PolicySettings) -> list[Finding]:
    """Return what would lock or rewrite a large table, by squawk on the SQL of the revisions."""
    chosen = MigrationSettings(lock_timeout_elsewhere=settings.lock_timeout_elsewhere)
    return [
        replace(one, path=_relative(one.path, root)) for one in check_sql(config, settings=chosen)
    ]


def _relative(path: str, root: Path) -> str:
    found = Path(path).resolve()
    top = root.resolve()
    return found.relative_to(top).as_posix() if found.is_relative_to(top) else path


def _nothing(_project: Project) -> Iterable[Finding]:
    """Say nothing: these rules are judged while the files are read."""
    return ()


MIGRATION_RULES = tuple(
    Rule(
        rule.slug,
        rule.summary,
        rule.why,
        next(iter(rule.bad.values()), ""),
        next(iter(rule.good.values()), ""),
        _nothing,
    )
    for rule in RULES
)
