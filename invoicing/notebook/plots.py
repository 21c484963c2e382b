"""Plots that say their finding in the title and can be read in black and white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from invoicing.money import format_money, minor_digits
from invoicing.notebook.pictures import (
    HATCH,
    LIGHT,
    MIDDLE,
    STROKE,
    WARM,
    WARM_STROKE,
    Picture,
    drawing,
)
from invoicing.schemas.portfolio import AgeBucket
from invoicing.services import every_month
from invoicing.visible import plural, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from matplotlib.axes import Axes

    from invoicing.schemas.filtered import Concentration
    from invoicing.schemas.portfolio import AgeingTotal, MonthlyTotals, StatusTotal

    Row = MonthlyTotals | StatusTotal | AgeingTotal | Concentration
    Draw = Callable[[Picture, Axes, Sequence[Row], str], str]

_MOST_LABELS = 12
_MOST_BELOW = 2


def plot_billed_and_paid(
    totals: Sequence[MonthlyTotals], *, since: date | None = None, until: date | None = None
) -> Picture:
    """Draw what was billed each month and how much of it is paid, a panel for each currency.

    Every month from the first to the last is on the axis, those without invoices too.

    Args:
        totals: of any currencies.
        since: a day of the first month to draw; the first that has an invoice, if not given.
        until: first day not to draw; the last month is the last with an invoice, if not given.
    """

    def draw(picture: Picture, axes: Axes, rows: Sequence[MonthlyTotals], currency: str) -> str:
        months = np.arange(len(rows))
        sides = (
            ("billed", -0.2, [row.billed_cents for row in rows], LIGHT, ""),
            ("paid", 0.2, [row.paid_cents for row in rows], MIDDLE, HATCH),
        )
        for label, shift, cents, color, hatch in sides:
            heights = [_units(amount, currency) for amount in cents]
            bars = axes.bar(months + shift, heights, 0.4, color=color, edgecolor=STROKE)
            for bar in bars:
                bar.set_hatch(hatch)
            bars.set_label(label)
            for bar, row, amount in zip(bars, rows, cents, strict=True):
                money = format_money(amount, currency)
                picture.describe(bar, f"{row.month:%B %Y}: {money} {label}")
        step = -(-len(rows) // _MOST_LABELS)
        axes.set_xticks(months[::step], [f"{row.month:%b %y}" for row in rows[::step]], rotation=45)
        axes.set_xlabel("month of the invoice's date (UTC)")
        axes.legend(frameon=False)
        total = sum(row.billed_cents for row in rows)
        share = sum(row.paid_cents for row in rows) / total if total else 0
        return f"{share:.0%} of {format_money(total, currency)} billed is paid"

    return _panels(every_month(totals, since, until), draw, "Billed and paid by month")


def plot_statuses(totals: Sequence[StatusTotal]) -> Picture:
    """Draw the amount in each status, a panel for each currency."""

    def draw(picture: Picture, axes: Axes, rows: Sequence[StatusTotal], currency: str) -> str:
        _bars(picture, axes, rows, [row.status.value for row in rows])
        axes.set_xlabel("status (with the number of invoices)")
        largest = max(rows, key=lambda row: row.amount_cents)
        return f"Most is {largest.status.value}: {format_money(largest.amount_cents, currency)}"

    return _panels(totals, draw, "Amounts by status")


def plot_ageing(totals: Sequence[AgeingTotal]) -> Picture:
    """Draw the open invoices by days since issue, a panel for each currency."""

    def draw(picture: Picture, axes: Axes, rows: Sequence[AgeingTotal], currency: str) -> str:
        _bars(picture, axes, rows, [row.bucket.value for row in rows])
        axes.patches[-1].set(facecolor=WARM, hatch=HATCH, edgecolor=WARM_STROKE)
        axes.set_xlabel("days since the invoice's date (with the number of invoices)")
        old = sum(row.amount_cents for row in rows if row.bucket is AgeBucket.DAYS_OVER_90)
        total = sum(row.amount_cents for row in rows)
        return (
            f"{old / total if total else 0:.0%} of {format_money(total, currency)} is over 90 days"
        )

    return _panels(totals, draw, "Open invoices by age")


def plot_concentration(shares: Sequence[Concentration]) -> Picture:
    """Draw how much of what was billed is of the largest accounts, a panel for each currency."""

    def draw(picture: Picture, axes: Axes, rows: Sequence[Concentration], currency: str) -> str:
        names = [f"largest {row.accounts}" for row in rows]
        places = np.arange(len(rows))[::-1]
        bars = axes.barh(places, [row.share for row in rows], color=LIGHT, edgecolor=STROKE)
        axes.set_yticks(places, names)
        axes.bar_label(bars, [f"{row.share:.0%}" for row in rows], padding=3)
        for bar, row, name in zip(bars, rows, names, strict=True):
            picture.describe(bar, f"{name}: {format_money(row.billed_cents, currency)}")
        axes.set_xlim(0, 1.08)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
        axes.set_xlabel("share of all that was billed")
        last = rows[-1]
        who = "account has" if last.accounts == 1 else "accounts have"
        return f"{last.accounts} {who} {last.share:.0%} of {currency}"

    return _panels(shares, draw, "Largest accounts' share of what was billed", height=1.7)


def _bars(
    picture: Picture, axes: Axes, rows: Sequence[StatusTotal | AgeingTotal], names: list[str]
) -> None:
    """Draw an amount for each name, with its number of invoices above it."""
    amounts = [_units(row.amount_cents, row.currency) for row in rows]
    bars = axes.bar(names, amounts, color=LIGHT, edgecolor=STROKE)
    axes.bar_label(bars, [f"{row.invoices:,}" for row in rows], padding=2)
    for bar, row, name in zip(bars, rows, names, strict=True):
        money = format_money(row.amount_cents, row.currency)
        picture.describe(bar, f"{name}: {money}, {plural(row.invoices, 'invoice')}")
    axes.margins(y=0.15)


def _panels(
    rows: Sequence[Row], draw: Callable[..., str], subject: str, *, height: float = 2.9
) -> Picture:
    """Give each currency a panel of its own: amounts of two currencies share no axis."""
    currencies = sorted({row.currency for row in rows}) or [""]
    # With many currencies two panels stand side by side.
    columns = 1 if len(currencies) <= _MOST_BELOW else 2
    rows_of_panels = -(-len(currencies) // columns)
    size = (9 if columns == 1 else 10.5, height * rows_of_panels)
    with drawing((rows_of_panels, columns), size, subject) as (picture, panels):
        flat = [axes for row in panels for axes in row]
        for axes in flat[len(currencies) :]:
            axes.remove()
        for axes, currency in zip(flat, currencies, strict=False):
            of_currency = [row for row in rows if row.currency == currency]
            if not of_currency:
                axes.set_title("There are no invoices to show", loc="left")
                axes.set(xticks=[], yticks=[])
                continue
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.set_ylabel(visible(currency))
            axes.set_title(visible(draw(picture, axes, of_currency, currency)), loc="left")
    return picture


def _units(cents: int, currency: str) -> float:
    return float(cents / 10 ** minor_digits(currency))
