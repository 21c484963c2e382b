"""Headline figures, each with its change against the period before and with what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.money import format_money
from invoicing.tables import Grid, TableColumn
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.schemas.filtered import Headline

# In the order shown; `invoicing.schemas.filtered.Headline` has the same in full.
DEFINITIONS = {
    "Billed": "open and paid invoices dated in the period; drafts and voids do not count",
    "Paid": "what of the billed is paid by now",
    "Open": "what of the billed is not paid yet",
    "Overdue share": "what of the open is dated more than 30 days before the period's last day",
    "Days sales outstanding": "open / billed x days of the period",
}
_NOTE = (
    "Each currency stands alone. The period before has as many months (or days), and has had "
    "longer to be paid: no date of payment is kept, only whether an invoice is paid now."
)
_BOX = (
    "flex: 1 1 9em; min-width: max-content; max-width: 100%; padding: 0.5em 0.8em; "
    "border-radius: 4px; border: 1px solid var(--jp-border-color1, #8885); line-height: 1.4"
)


class Figure(NamedTuple):
    """One figure of one currency, as text.

    Attributes:
        name: a key of `DEFINITIONS`.
        value: of the period.
        change: against the period before; empty where there is none to compare with.
    """

    name: str
    value: str
    change: str


class HeadlineFigures:
    """The figures that a service returned, for a notebook and for plain text.

    Args:
        rows: one for each currency.
        title: above them.
    """

    def __init__(self, rows: Sequence[Headline], title: str = "") -> None:
        self.rows, self.title = list(rows), title

    def __repr__(self) -> str:
        columns = [
            TableColumn("Currency"),
            TableColumn("Figure"),
            TableColumn("Value", right=True),
            TableColumn("Against the period before", right=True),
        ]
        rows = [(row.currency, *figure) for row in self.rows for figure in figures_of(row)]
        return Grid(columns, rows, self.title, nothing="(nothing)").text()

    def _repr_html_(self) -> str:
        title = f"<p><b>{escape(self.title)}</b></p>" if self.title else ""
        boxes = "".join(_boxes(row) for row in self.rows) or "<p>No invoice was billed.</p>"
        meaning = "".join(
            f"<li><b>{name}</b>: {escape(text)}</li>" for name, text in DEFINITIONS.items()
        )
        return (
            f"{title}{boxes}<details><summary>What the figures mean</summary>"
            f"<ul>{meaning}</ul><p>{escape(_NOTE)}</p></details>"
        )


def figures_of(row: Headline) -> list[Figure]:
    """Return the figures of one currency, in the order of `DEFINITIONS`."""
    amounts = [
        Figure(
            name,
            format_money(now, row.currency),
            "" if before is None else _change_of_amount(now, before, row.currency),
        )
        for name, now, before in (
            ("Billed", row.billed_cents, row.previous_billed_cents),
            ("Paid", row.paid_cents, row.previous_paid_cents),
            ("Open", row.open_cents, row.previous_open_cents),
        )
    ]
    share, days = row.overdue_share, row.days_sales_outstanding
    before, days_before = row.previous_overdue_share, row.previous_days_sales_outstanding
    return [
        *amounts,
        Figure(
            "Overdue share",
            "-" if share is None else f"{share:.0%}",
            "" if share is None or before is None else f"{(share - before) * 100:+.0f} points",
        ),
        Figure(
            "Days sales outstanding",
            "-" if days is None else f"{days:.0f} days",
            "" if days is None or days_before is None else f"{days - days_before:+.0f} days",
        ),
    ]


def _change_of_amount(now: int, before: int, currency: str) -> str:
    if not before:
        return f"{format_money(now, currency)} more" if now else ""
    return f"{(now - before) / abs(before):+.0%}"


def _boxes(row: Headline) -> str:
    boxes = "".join(
        f'<div style="{_BOX}" title="{escape(DEFINITIONS[figure.name])}">'
        f'<div style="font-size: 85%">{figure.name}</div>'
        f'<div style="font-size: 130%; white-space: nowrap">{escape(figure.value)}</div>'
        f'<div style="font-size: 85%; width: min-content; min-width: 100%">'
        f"{escape(_against(figure.change))}</div></div>"
        for figure in figures_of(row)
    )
    return (
        f'<div style="display: flex; flex-wrap: wrap; gap: 0.5em; margin: 0.5em 0" '
        f'aria-label="Figures in {escape(row.currency)}">{boxes}</div>'
    )


def _against(change: str) -> str:
    return f"{change} against the period before" if change else "nothing before to compare"
