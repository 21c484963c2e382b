"""Name how a figure grows with the number of parents and of what belongs to them.

What grows with the parents in the number of *statements* is an N+1, however few there were; a
threshold would have to guess. Counts are fitted exactly, in the order below, by the first law that
says all of them; times and sizes by the first that is within a tenth of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHUNK = 500


class Law(StrEnum):
    """How something grows."""

    CONSTANT = "constant"
    CHUNKS = "by chunks of 500 parents"
    PARENTS = "by parents"
    CHILDREN = "by parents x children"
    BOTH = "by parents, and parents x children"
    PRODUCT = "by parents x the product of siblings"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Growth:
    """How a figure grows.

    Attributes:
        law: its name.
        factor: how much more for each one more; None where there is no such number.
    """

    law: Law
    factor: float | None = None

    def __str__(self) -> str:
        return self.law.value


@dataclass(frozen=True)
class Extent:
    """How large the work was: objects at the top, below them, and rows of one join of it all."""

    parents: int
    children: int
    product: int


_TERMS: dict[Law, tuple[Callable[[Extent], float], ...]] = {
    Law.CONSTANT: (),
    Law.CHUNKS: (lambda extent: -(-extent.parents // CHUNK),),
    Law.PARENTS: (lambda extent: extent.parents,),
    Law.CHILDREN: (lambda extent: extent.children,),
    Law.BOTH: (lambda extent: extent.parents, lambda extent: extent.children),
    Law.PRODUCT: (lambda extent: extent.product,),
}


def growth_of(extents: Sequence[Extent], figures: Sequence[float | None], *, exact: bool) -> Growth:
    """Return how `figures` grow with `extents`; unclear where any of them is not known.

    One size shows no growth.
    """
    known = [figure for figure in figures if figure is not None]
    if _constant(extents) or len(known) < len(figures):
        return Growth(Law.UNCLEAR)
    for law, terms in _TERMS.items():
        columns = [[term(extent) for extent in extents] for term in terms]
        # With as many terms as sizes anything can be said.
        says_nothing = any(map(_constant, columns))
        if says_nothing or len(columns) + 1 > len(set(extents)):
            continue
        fitted = _fit(columns, known, exact=exact)
        if fitted is not None:
            return Growth(law, fitted[-1] if terms else 0.0)
    return Growth(Law.UNCLEAR)


def _constant(values: Sequence[object]) -> bool:
    return len(set(values)) <= 1


def _fit(
    columns: list[list[float]], figures: list[float], *, exact: bool
) -> Sequence[float] | None:
    """Return constant and factors of a least-squares fit, if it is good enough."""
    import numpy as np

    matrix = np.array([[1.0] * len(figures), *columns]).T
    factors, *_ = np.linalg.lstsq(matrix, np.array(figures), rcond=None)
    wrong = np.abs(matrix @ factors - figures)
    allowed = 1e-6 * (1 + np.abs(figures)) if exact else 0.1 * np.maximum(np.abs(figures), 1e-9)
    # More of something never costs less: a falling line is noise.
    falls = bool((factors[1:] < 0).any())
    return None if falls or bool((wrong > allowed).any()) else [float(factor) for factor in factors]
