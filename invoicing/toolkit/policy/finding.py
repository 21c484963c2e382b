"""What the gate reports: findings with their edits, and files that could not be checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

CELL = re.compile(r"(?<=\.ipynb)\[\d+\]$")


def file_of(path: str) -> str:
    """Return the file of a path as it is shown: of a notebook's cell, the notebook."""
    return CELL.sub("", path)


class Edit(NamedTuple):
    """A piece of text to be replaced: lines from 1, columns from 0 in UTF-8 bytes, as `ast` has.

    `needs` are names that have to be bound once in the file: at its top by an import, or by an
    assignment. `imports` is a name of sqlalchemy.orm that is imported beside the last of them.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    needs: tuple[str, ...] = ()
    imports: str = ""


@dataclass(frozen=True)
class PolicyFinding:
    """A place where a rule is broken.

    Attributes:
        path: the file; for a notebook with the cell, `notebooks/01.ipynb[3]`.
        line: from 1.
        column: from 1.
        rule: the rule's slug.
        message: what is wrong.
        fix: how to fix it, in words.
        strict: whether it is uncertain, and reported under `--strict` only.
        edits: what would fix it, where that is known; its rule says whether that is safe.
        left: why `--fix` leaves it, where that is known.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    fix: str
    strict: bool = False
    edits: tuple[Edit, ...] = ()
    left: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: [{self.rule}] {self.said}"

    @property
    def said(self) -> str:
        """What is wrong, how to fix it, and why that is not done."""
        left = f" (not fixed: {self.left})" if self.left else ""
        return f"{self.message}; {self.fix}{left}"

    @property
    def is_fixable(self) -> bool:
        """Whether `--fix` can change it; the cells of a notebook are left to people."""
        return bool(self.edits) and CELL.search(self.path) is None

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


@dataclass
class Proof:
    """What running revisions up, down and up again has shown.

    Attributes:
        findings: what a downgrade does not restore, or fails on.
        problems: revisions that could not be run.
        proven: the paths of those that were; they are judged by this, not by reading them.
        restored: how many of them brought the schema back.
    """

    findings: list[PolicyFinding] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    proven: set[str] = field(default_factory=set)
    restored: int = 0

    def __str__(self) -> str:
        return f"proved: {self.restored} of {len(self.proven)} revisions restore the schema"

    def instead_of(self, findings: list[PolicyFinding]) -> list[PolicyFinding]:
        """Return findings with what running has shown in place of what reading did."""
        read = [
            each
            for each in findings
            if each.path not in self.proven or each.rule != "reversible-migration"
        ]
        return [*read, *self.findings]
