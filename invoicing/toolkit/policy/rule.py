"""A rule: its slug, what explains it, its examples, and how it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from invoicing.toolkit.policy.finding import PolicyFinding

# As ruff has it: a safe fix keeps what the code does, an unsafe one needs a review.
Applicability = Literal["safe", "unsafe"]
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
    """

    slug: str
    summary: str
    why: str
    bad: Mapping[str, str]
    good: Mapping[str, str]
    check: Callable[[Subject], Iterable[PolicyFinding]] | None = None
    applicability: Applicability | None = None
