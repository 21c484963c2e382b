"""What is known of a rule: its slug, why it is there, and examples that are run as tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.model import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invoicing.toolkit.policy.migrations.revision import Revision


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        slug: its id, its name on the command line and in a suppression.
        summary: what it asks, in one line.
        why: what goes wrong without it.
        check: finds what breaks it in one file; None where that takes more than reading.
        bad: snippets that break it, by what is wrong with them.
        good: snippets that keep it, by what they show.
    """

    slug: str
    summary: str
    why: str
    check: Callable[[Revision], Iterable[Finding]] | None
    bad: dict[str, str]
    good: dict[str, str]


def finding(
    revision: Revision, rule: str, place: tuple[int, int], message: str, mend: str
) -> Finding:
    """Make a finding at a place of a revision."""
    line, column = place
    return Finding(revision.path, line, column, rule, message, mend)
