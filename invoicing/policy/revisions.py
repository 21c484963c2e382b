"""The rules for migrations, as rules like the others: each reads one revision file by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.policy.migrations import RULES, MigrationSettings, check_revision
from invoicing.policy.model import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.policy.model import Finding
    from invoicing.policy.project import Project
    from invoicing.policy.settings import PolicySettings
    from invoicing.policy.source import Source


def check_migration(source: Source, settings: PolicySettings) -> list[Finding]:
    """Return what a revision file breaks."""
    chosen = MigrationSettings(topics=settings.header)
    return check_revision(source.path, source.text, source.tree, chosen)


def _nothing(_project: Project) -> Iterable[Finding]:
    """Say nothing: these rules are judged while the files are read."""
    return ()


MIGRATION_RULES = tuple(
    Rule(
        one.slug,
        one.summary,
        one.why,
        next(iter(one.bad.values()), ""),
        next(iter(one.good.values()), ""),
        _nothing,
    )
    for one in RULES
)
