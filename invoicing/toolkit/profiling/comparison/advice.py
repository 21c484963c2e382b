"""Recommend a strategy from the counts: they do not vary from run to run, as times do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.profiling.comparison.growth import Law
from invoicing.toolkit.profiling.comparison.strategies import Strategy

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.comparison.measured import Measured, Measurements

# How many times the bytes of another strategy saving one round trip is worth.
WORTH = 2


class Advice(NamedTuple):
    """A strategy, and why."""

    strategy: Strategy
    why: str

    def __str__(self) -> str:
        return f"{self.strategy}: {self.why}"


def advice_of(comparison: Measurements) -> Advice:
    """Return which strategy to use for objects, and why.

    None of those that send a statement for each parent; of the others one statement where its rows
    repeat nothing worth speaking of, else the one with the fewest bytes.
    """
    last = {
        strategy: comparison.of(strategy)[-1]
        for strategy in comparison.strategies
        if strategy not in {Strategy.RAISE, Strategy.AGGREGATE}
    }
    batched = {
        name: measured
        for name, measured in last.items()
        if not _is_n_plus_one(comparison, measured)
    }
    if not batched:
        least = min(last.values(), key=lambda measured: measured.statements)
        return Advice(least.strategy, f"{_statements(least)}, the fewest of those compared")
    joined = batched.get(Strategy.JOINED)
    others = [measured for name, measured in batched.items() if name is not Strategy.JOINED]
    fewest = min(others, key=_weight, default=None)
    if joined is not None and _may_join(comparison, joined, fewest):
        return Advice(Strategy.JOINED, _why_joined(comparison, joined))
    if fewest is None:
        least = min(batched.values(), key=_weight)
        return Advice(least.strategy, f"{_statements(least)}, the fewest of those compared")
    return Advice(fewest.strategy, _why_batched(fewest, joined))


def _is_n_plus_one(comparison: Measurements, measured: Measured) -> bool:
    if measured.strategy in {Strategy.LAZY, Strategy.IMMEDIATE}:
        # With one size there is no growth to tell; it is what these do.
        return True
    return comparison.growth(measured.strategy, "statements").law in {Law.PARENTS, Law.CHILDREN}


def _may_join(comparison: Measurements, joined: Measured, other: Measured | None) -> bool:
    if comparison.collection and joined.parents > 1:
        return False
    if joined.bytes_received is None or other is None or other.bytes_received is None:
        return True
    return joined.bytes_received <= WORTH * other.bytes_received or joined.parents == 1


def _why_joined(comparison: Measurements, joined: Measured) -> str:
    if comparison.collection:
        return (
            f"one statement for one record, and its columns are repeated in {joined.rows:,} rows"
            " only; for several records it would be selectinload"
        )
    return (
        f"one statement for {joined.parents:,} parents, a row for each, and nothing multiplies: "
        f"{comparison.path} is a single object"
    )


def _why_batched(measured: Measured, joined: Measured | None) -> str:
    rows = f"{measured.rows:,} rows{_kb(measured)}"
    text = f"{_statements(measured)} for {measured.parents:,} parents, {rows}"
    if joined is None:
        return text
    repeated = f"{joined.rows:,} rows{_kb(joined)}"
    return (
        f"{text}, where joinedload brings {repeated}, each parent "
        f"{joined.rows / max(joined.parents, 1):,.0f} times"
    )


def _statements(measured: Measured) -> str:
    return f"{measured.statements:,} statement{'' if measured.statements == 1 else 's'}"


def _kb(measured: Measured) -> str:
    return "" if measured.bytes_received is None else f" ({measured.bytes_received / 1000:,.0f} KB)"


def _weight(measured: Measured) -> tuple[int, int]:
    # Without bytes, rows; selectinload before subqueryload, which repeats the first query.
    weight = (
        measured.rows if measured.bytes_received is None else round(measured.bytes_received, -3)
    )
    return (weight, 0 if measured.strategy is Strategy.SELECTIN else 1)
