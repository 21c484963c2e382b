"""What the notebook of the loading strategies shows: a stage to play on, and its plots."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from matplotlib.ticker import FuncFormatter
from sqlalchemy import Select, select

from invoicing.notebook.pictures import LIGHT, STROKE, drawing
from invoicing.sample import drop_stage, open_stage
from invoicing.sample.stage_models import Customer
from invoicing.toolkit.postgres import database_url
from invoicing.toolkit.profiling import Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from invoicing.db import Database
    from invoicing.notebook.pictures import Picture
    from invoicing.toolkit.profiling import LoadingComparison, Measured

# Two figures within so much are the same.
_DIFFERS = 1.05
# Measured figures differ from run to run: only so much tells strategies apart, in round words.
_MEASURED = {"database_seconds", "orm_seconds", "seconds", "peak_memory"}
_STANDS_OUT = ((1000, "over a thousand"), (100, "over a hundred"), (10, "over ten"))
# Distinguished by shape where colours do not print; each colour shows on either theme.
_MARKERS = {
    Strategy.SELECTIN: ("o", "-", "#3f86c9"),
    Strategy.JOINED: ("s", "--", "#cf6a2d"),
    Strategy.SUBQUERY: ("^", ":", "#5a9f3d"),
    Strategy.LAZY: ("x", "-.", "#a866c0"),
    Strategy.IMMEDIATE: ("+", ":", "#888888"),
    Strategy.AGGREGATE: ("D", "-", "#b8860b"),
}
# How each figure is shown: its unit, how many times larger, and its noun.
_FIGURES = {
    "statements": ("statements", 1.0, "the statements"),
    "round_trips": ("round trips", 1.0, "the round trips"),
    "rows": ("rows", 1.0, "the rows"),
    "bytes_received": ("KB received", 1e-3, "the bytes"),
    "database_seconds": ("ms waiting for the database", 1e3, "the waiting"),
    "orm_seconds": ("ms making objects", 1e3, "the work on objects"),
    "seconds": ("ms", 1e3, "the time"),
    "peak_memory": ("KB of memory", 1e-3, "the memory"),
}


class Stage:
    """Customers with so many orders each, in a database of their own that goes with the notebook.

    Attributes:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    async def open(cls, *, customers: int, orders: Sequence[int]) -> Self:
        """Return a stage on the server of DATABASE_URL, else on the embedded one."""
        server = await asyncio.to_thread(database_url)
        return cls(await open_stage(server, customers=customers, orders=orders))

    @staticmethod
    def customers(orders: int) -> Select[Customer]:
        """Select the customers with so many orders each."""
        return select(Customer).where(Customer.orders_each == orders).order_by(Customer.id)

    async def close(self) -> None:
        """Remove the database."""
        await drop_stage(self.database)


def plot_loading(
    comparison: LoadingComparison, figures: Sequence[str] = ("rows", "bytes_received")
) -> Picture:
    """Draw how figures of a comparison grow with the children of each parent, a panel for each.

    Both axes are logarithmic where there are several sizes; with one size there are bars.
    """
    subject = f"Loading {comparison.path} by each strategy"
    size = (5.2 * len(figures), 3.4)
    with drawing((1, len(figures)), size, subject) as (picture, panels):
        for axes, name in zip(panels[0], figures, strict=True):
            draw = _lines if len(comparison.sizes) > 1 else _bars
            draw(axes, comparison, name)
            axes.set_title(_title(comparison, name), loc="left", fontsize=9)
    return picture


def _lines(axes: Axes, comparison: LoadingComparison, name: str) -> None:
    for strategy in _drawn(comparison):
        rows = comparison.of(strategy)
        marker, line, colour = _MARKERS[strategy]
        axes.plot(
            [max(row.children / max(row.parents, 1), 0.1) for row in rows],
            [_value(row, name) for row in rows],
            marker=marker,
            linestyle=line,
            color=colour,
            label=str(strategy),
            fillstyle="none",
        )
    unit = _FIGURES[name][0]
    axes.set(xscale="log", xlabel=f"{_children(comparison)} each", ylabel=unit)
    if any(_value(measured, name) > 0 for measured in comparison.measured):
        axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.legend(frameon=False, fontsize=8)


def _bars(axes: Axes, comparison: LoadingComparison, name: str) -> None:
    strategies = _drawn(comparison)[::-1]
    values = [_value(comparison.of(strategy)[0], name) for strategy in strategies]
    bars = axes.barh(
        [str(strategy) for strategy in strategies], values, color=LIGHT, edgecolor=STROKE
    )
    axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
    axes.margins(x=0.2)
    axes.set_xlabel(_FIGURES[name][0])


def _value(measured: Measured, name: str) -> float:
    value = getattr(measured, name)
    return float("nan") if value is None else value * _FIGURES[name][1]


def _drawn(comparison: LoadingComparison) -> list[Strategy]:
    return [strategy for strategy in comparison.strategies if strategy is not Strategy.RAISE]


def _children(comparison: LoadingComparison) -> str:
    return comparison.path.rpartition(".")[2]


def _title(comparison: LoadingComparison, name: str) -> str:
    last = {strategy: getattr(comparison.of(strategy)[-1], name) for strategy in _drawn(comparison)}
    known = {strategy: value for strategy, value in last.items() if value}
    noun = _FIGURES[name][2]
    if len(known) <= 1:
        return f"{noun[:1].upper()}{noun[1:]} are not known"
    worst, best = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    factor = known[worst] / known[best]
    if name in _MEASURED:
        for least, words in _STANDS_OUT:
            if factor >= least:
                # Near the ends several strategies change places from run to run: none is named.
                return f"The costliest takes {words} times {noun} of the cheapest"
        return f"No strategy takes ten times {noun} of another"
    if factor < _DIFFERS:
        return f"All have the same: {noun} do not differ"
    return f"{worst} takes {factor:,.1f} times {noun} of {best}"
