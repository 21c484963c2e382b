"""Check migrations by the settings of the project they belong to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.files import home_of
from invoicing.toolkit.policy.migrations import (
    MigrationSettings,
    Revision,
    check_rules,
    check_sql,
    check_steps,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations import RevisionSteps
    from invoicing.toolkit.policy.settings import PolicySettings
    from invoicing.toolkit.policy.source import SourceFile


def check_migration(
    source: SourceFile, settings: PolicySettings
) -> tuple[list[PolicyFinding], RevisionSteps | None]:
    """Return what a revision file breaks, and what its history needs; None if it is none."""
    chosen = MigrationSettings(
        topics=settings.header,
        phases=settings.phases,
        destructive_operations=frozenset(settings.destructive_operations),
    )
    revision = Revision(source.path, source.text, source.tree, chosen)
    return check_rules(revision), revision.steps() if revision.is_migration else None


def check_histories(revisions: Iterable[RevisionSteps], root: Path) -> Iterator[PolicyFinding]:
    """Return what revisions break together; each env.py has a history of its own."""
    histories: dict[Path, list[RevisionSteps]] = defaultdict(list)
    for revision in revisions:
        histories[home_of((root / revision.path).parent)].append(revision)
    for history in histories.values():
        yield from check_steps(history)


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
