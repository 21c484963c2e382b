"""A comparison as people read it: in a terminal, in a notebook, as a DataFrame."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from invoicing.tables import Column, Grid
from invoicing.toolkit.profiling.comparison.advice import advice_of

if TYPE_CHECKING:
    import pandas as pd

    from invoicing.toolkit.profiling.comparison.measured import Measured, Measurements

_NUMBERS = (
    "Statements",
    "Round trips",
    "Rows",
    "Repeated",
    "KB",
    "DB ms",
    "ORM ms",
    "Memory KB",
)
_PADDING = "padding: 0.25em 0.3em"
COLUMNS = (
    Column("Size", fold=True, css=f"{_PADDING}; white-space: nowrap"),
    Column("Strategy", fold=True, css=_PADDING),
    *(Column(name, right=True, fold=True, css=_PADDING) for name in _NUMBERS),
)
GROWTH = tuple(Column(name, fold=True, css=_PADDING) for name in ("Statements grow", "Rows grow"))


def frame_of(comparison: Measurements) -> pd.DataFrame:
    """Return a row for each strategy and size; what is not known is missing."""
    import pandas as pd

    measured = comparison.measured
    frame = pd.DataFrame()
    if measured:
        names = [field.name for field in fields(measured[0]) if field.name != "plans"]
        frame = pd.DataFrame({name: [getattr(row, name) for row in measured] for name in names})
    frame["strategy"] = [str(row.strategy) for row in measured]
    for name in ("round_trips", "bytes_received"):
        frame[name] = frame[name].astype("Int64")
    for figure in ("statements", "rows"):
        frame[f"{figure}_growth"] = [_growth(comparison, row, figure) for row in measured]
    return frame


def grid_of(comparison: Measurements) -> Grid:
    """Return the table, and the strategy to use below it."""
    return Grid(
        _columns(comparison),
        [_row(comparison, measured) for measured in comparison.measured],
        f"Loading {comparison.path}",
        f"Use {advice_of(comparison)}.",
    )


def _columns(comparison: Measurements) -> tuple[Column, ...]:
    # One size shows no growth.
    return COLUMNS if len(comparison.sizes) == 1 else COLUMNS + GROWTH


def _row(comparison: Measurements, measured: Measured) -> tuple[str, ...]:
    size = f"{measured.parents:,} x {measured.children / max(measured.parents, 1):,.0f}"
    if measured.raised is not None:
        raised = ("raises", *[""] * (len(_columns(comparison)) - 3))
        return ("" if not measured.parents else size, str(measured.strategy), *raised)
    return (
        size,
        str(measured.strategy),
        f"{measured.statements:,}",
        _number(measured.round_trips),
        f"{measured.rows:,}",
        f"{measured.duplicate_rows:,}",
        _number(measured.bytes_received, 1000),
        f"{measured.database_seconds * 1000:,.1f}",
        f"{measured.orm_seconds * 1000:,.1f}",
        _number(measured.peak_memory, 1000),
        *_growths(comparison, measured),
    )


def _growths(comparison: Measurements, measured: Measured) -> list[str]:
    if len(comparison.sizes) == 1:
        return []
    return [_growth(comparison, measured, figure) for figure in ("statements", "rows")]


def _growth(comparison: Measurements, measured: Measured, figure: str) -> str:
    # Said once, where all sizes have been seen.
    if measured.raised is not None or measured is not comparison.of(measured.strategy)[-1]:
        return ""
    return str(comparison.growth(measured.strategy, figure))


def _number(value: int | None, unit: int = 1) -> str:
    return "?" if value is None else f"{value / unit:,.0f}"
