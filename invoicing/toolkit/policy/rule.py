"""A rule: its slug, what explains it, its examples, and how it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from invoicing.toolkit.policy.finding import PolicyFinding

# As ruff has it: a safe fix keeps what the code does, an unsafe one needs a review.
Applicability = Literal["safe", "unsafe"]
# What takes more than reading the files, and is done on request.
Option = Literal["--sql", "--models", "--database"]
# What a rule reads: all of the project's code, or one revision of its migrations.
Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """A rule, with what explains it; the documentation is generated from this.

    Attributes:
        slug: its id, its name in settings, on the command line and in suppressions.
        summary: what it asks for, in one line.
        why: what goes wrong otherwise.
        bad: examples that break it, by what is wrong with them; the page shows the first.
        good: examples that keep it, by what they show; the page shows the first.
        check: finds the places that break it; None where that takes more than reading the code.
        applicability: whether the edits of its findings are safe or unsafe; None without edits.
        needs: the option of a check without which it does not run.
        seen_by: the option by which it sees more than the text shows.
    """

    slug: str
    summary: str
    why: str
    bad: Mapping[str, str]
    good: Mapping[str, str]
    check: Callable[[Subject], Iterable[PolicyFinding]] | None = None
    applicability: Applicability | None = None
    needs: Option | None = None
    seen_by: Option | None = None

    @property
    def options(self) -> str:
        """Which options of a check it needs, or sees more by; "" where it needs none."""
        if self.needs:
            return f"Runs only with `{self.needs}`."
        return f"Sees more with `{self.seen_by}`." if self.seen_by else ""
