"""What a kind of finding is: its words, its thresholds, its examples and its detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding


class Threshold(NamedTuple):
    """From which size on something is a finding.

    Attributes:
        name: its name in `Thresholds` and after `--threshold`; no two kinds share one.
        default: the value without a setting; an int where only whole numbers make sense.
        meaning: what it counts, with its unit.
    """

    name: str
    default: float
    meaning: str


@dataclass(frozen=True)
class FindingKind:
    """A kind of waste; the page of findings is made of this, and its examples are run as tests.

    Attributes:
        slug: its id, in messages, in `allow` and in suppressions.
        title: what it is, in one line.
        why: what it costs, and how it is judged.
        bad: a program of a library's models that has it: the body of an async function.
        good: the same program without it.
        detect: finds it in a capture.
        thresholds: its own; those of other kinds may be read too.
        covered_by: slugs whose findings, for the same statements, make this one no news.
        needs_plans: whether it is seen with `explain=True` only.
    """

    slug: str
    title: str
    why: str
    bad: str
    good: str
    detect: Callable[[Evidence], Iterator[Finding]]
    thresholds: tuple[Threshold, ...] = ()
    covered_by: frozenset[str] = frozenset()
    needs_plans: bool = False
