"""What the gate says: findings, problems, and the rules themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invoicing.toolkit.policy.project import Project

# As ruff has it: a safe fix keeps what the code does, an unsafe one is to be looked at.
Applicability = Literal["safe", "unsafe"]


class Edit(NamedTuple):
    """A piece of text to be replaced: lines from 1, columns from 0 in UTF-8 bytes, as `ast` has.

    `needs` are names that have to be bound at the module's top by an import, and by nothing else.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A place where a rule is broken.

    Attributes:
        path: the file; for a notebook with the cell, `notebooks/01.ipynb[3]`.
        line: from 1.
        column: from 1.
        rule: the rule's slug.
        message: what is wrong.
        mend: how to mend it.
        strict: whether it could not be told for certain, and is said under `--strict` only.
        edits: what would fix it, where that is known; whether it is safe is said by the rule.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    mend: str
    strict: bool = False
    edits: tuple[Edit, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: [{self.rule}] {self.message}; {self.mend}"

    @property
    def is_fixable(self) -> bool:
        """Whether `--fix` can change it; the cells of a notebook are left to people."""
        return bool(self.edits) and re.search(r"\.ipynb\[\d+\]$", self.path) is None

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same when lines above it come and go: for a baseline."""
        return self.path, self.rule, self.message


@dataclass(frozen=True)
class Problem:
    """A file that could not be checked."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: not checked: {self.message}"


@dataclass(frozen=True)
class Rule:
    """A rule, with what explains it; the documentation is made of this.

    Attributes:
        slug: its id, its name in settings, and in suppressions.
        summary: what it asks for.
        why: what goes wrong otherwise.
        bad: an example that breaks it.
        good: the same, mended.
        check: finds the places that break it.
        fix: whether the edits of its findings are safe or unsafe; None where it has none.
    """

    slug: str
    summary: str
    why: str
    bad: str
    good: str
    check: Callable[[Project], Iterable[Finding]]
    fix: Applicability | None = None
