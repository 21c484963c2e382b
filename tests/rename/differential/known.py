"""Differences that are known, each with its reason and an example that has to differ still."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rename.differential.case import Case
    from tests.rename.differential.judge import DifferenceError, Tally


@dataclass(frozen=True)
class Known:
    """One kind of difference.

    Attributes:
        kind: a pattern of the difference's kind.
        text: a pattern of what it says.
        script: a pattern of the example's script: what has to be there for it.
    """

    slug: str
    reason: str
    kind: str
    text: str = ""
    script: str = ""
    example: Case | None = None


KNOWN = (
    Known(
        "sequence",
        "An INSERT by the new name leaves the old one out, whose default PostgreSQL then evaluates"
        " before any trigger: its sequence is advanced, and skips a number.",
        kind="^rows after|^insert|^upsert|^update|^merge|^copy|^transaction",
        script=r"nextval\(|AS IDENTITY \(START 5000",
    ),
)


def is_known(error: DifferenceError, case: Case, tally: Tally) -> bool:
    """Tell whether a difference is known, and count it."""
    for known in KNOWN:
        if (
            re.search(known.kind, error.kind)
            and re.search(known.text, error.text)
            and re.search(known.script, case.script())
        ):
            tally.known[known.slug] += 1
            return True
    return False
