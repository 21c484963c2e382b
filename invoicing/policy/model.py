"""What a rule has to say about one place of a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Say where a rule is broken, by what, and how to mend it.

    Attributes:
        path: the file, as it was given.
        line: counted from 1.
        column: counted from 1, in characters.
        rule: the rule's slug.
        message: what is wrong, with its names.
        mend: what to do, as an imperative.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    mend: str

    def __str__(self) -> str:
        """Write it as compilers do, so that editors can jump to it."""
        return f"{self.path}:{self.line}:{self.column}: [{self.rule}] {self.message}; {self.mend}"
