"""Plots that say their finding in the title and can be read in black and white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter

from invoicing.money import format_money, minor_digits
from invoicing.schemas.portfolio import AgeBucket
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

    from invoicing.schemas.portfolio import AgeingTotal, MonthlyTotals, StatusTotal

DARK, LIGHT = "#1f4e79", "#c6d9ec"
# Hatching tells the bars apart where colours do not print.
HATCH = "///"


def plot_billed_and_paid(totals: Sequence[MonthlyTotals]) -> Figure:
    """Draw what was billed each month and how much of it is paid, a panel for each currency."""

    def draw(axes: Axes, rows: Sequence[MonthlyTotals], currency: str) -> str:
        months = np.arange(len(rows))
        billed, paid = (
            np.array([_units(cents, currency) for cents in column])
            for column in ([r.billed_cents for r in rows], [r.paid_cents for r in rows])
        )
        axes.bar(months - 0.2, billed, 0.4, color=LIGHT, edgecolor="black", label="billed")
        axes.bar(months + 0.2, paid, 0.4, color=DARK, edgecolor="white", hatch=HATCH, label="paid")
        step = max(1, len(rows) // 12)
        axes.set_xticks(months[::step], [f"{r.month:%b %y}" for r in rows[::step]], rotation=45)
        axes.set_xlabel("month of issue (UTC)")
        axes.legend(frameon=False)
        total = sum(r.billed_cents for r in rows)
        share = sum(r.paid_cents for r in rows) / total if total else 0
        return f"{share:.0%} of {format_money(total, currency)} billed is paid"

    return _panels(totals, draw)


def plot_statuses(totals: Sequence[StatusTotal]) -> Figure:
    """Draw the amount in each status, a panel for each currency."""

    def draw(axes: Axes, rows: Sequence[StatusTotal], currency: str) -> str:
        _bars(axes, rows, [row.status.value for row in rows], currency)
        axes.set_xlabel("status (with the number of invoices)")
        largest = max(rows, key=lambda row: row.amount_cents)
        return f"Most is {largest.status.value}: {format_money(largest.amount_cents, currency)}"

    return _panels(totals, draw)


def plot_ageing(totals: Sequence[AgeingTotal]) -> Figure:
    """Draw the open invoices by days since issue, a panel for each currency."""

    def draw(axes: Axes, rows: Sequence[AgeingTotal], currency: str) -> str:
        bars = _bars(axes, rows, [row.bucket.value for row in rows], currency)
        bars[-1].set(color=DARK, hatch=HATCH, edgecolor="white")
        axes.set_xlabel("days since issue (with the number of invoices)")
        old = sum(row.amount_cents for row in rows if row.bucket is AgeBucket.DAYS_OVER_90)
        total = sum(row.amount_cents for row in rows)
        return (
            f"{old / total if total else 0:.0%} of {format_money(total, currency)} is over 90 days"
        )

    return _panels(totals, draw)


def _bars(
    axes: Axes, rows: Sequence[StatusTotal | AgeingTotal], names: list[str], currency: str
) -> BarContainer:
    """Draw an amount for each name, with its number of invoices above it."""
    amounts = [_units(row.amount_cents, currency) for row in rows]
    bars = axes.bar(names, amounts, color=LIGHT, edgecolor="black")
    axes.bar_label(bars, [f"{row.invoices:,}" for row in rows], padding=2)
    axes.margins(y=0.15)
    return bars


def _panels(
    rows: Sequence[MonthlyTotals | StatusTotal | AgeingTotal], draw: Callable[..., str]
) -> Figure:
    """Give each currency a panel of its own: amounts of two currencies share no axis."""
    currencies = sorted({row.currency for row in rows}) or ["EUR"]
    size = (9, 3.4 * len(currencies))
    with plt.rc_context({"text.parse_math": False}):  # a title is no formula
        figure, all_axes = plt.subplots(
            len(currencies), 1, figsize=size, squeeze=False, layout="constrained"
        )
    for axes, currency in zip(all_axes[:, 0], currencies, strict=True):
        of_currency = [row for row in rows if row.currency == currency]
        if of_currency:
            axes.set_title(visible(draw(axes, of_currency, currency)), loc="left")
        else:
            axes.set_title("There are no invoices to show", loc="left")
        axes.set_ylabel(visible(currency))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.spines[["top", "right"]].set_visible(False)
    # Closed, so that the notebook shows it once: as the cell's result.
    plt.close(figure)
    return figure


def _units(cents: int, currency: str) -> float:
    return float(cents / 10 ** minor_digits(currency))
