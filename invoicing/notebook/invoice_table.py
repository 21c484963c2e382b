"""A table of invoices to sort, search and copy from, and to choose a row of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import pandas as pd
from itables.widget import ITable

from invoicing.notebook.tables import Table
from invoicing.services import InvoiceSummary
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

_COLUMNS = (
    "created_at", "issued_at", "status", "amount_cents", "lines_total_cents", "difference_cents",
    "id", "currency",
)  # fmt: skip
_NUMBERS = ("amount_cents", "lines_total_cents", "difference_cents")
_ROWS = 10
# A page is sent a few MB at once; what is more belongs into a file that a cell writes.
MOST_EXPORTED = 5_000
# An option of the value None is shown as a blank.
_NO_INVOICE = ("choose a row, or an invoice here", "")


class InvoiceTable:
    """The table, its links to export it, and what has been chosen.

    Args:
        chosen: called with the id of the invoice that a row is chosen of; it returns at once.
        export: called when all invoices are wanted as a file, and not only those shown; the same.
    """

    def __init__(self, chosen: Callable[[UUID], None], export: Callable[[], None]) -> None:
        self._chosen = chosen
        self._title = ""
        self._ids: list[UUID] = []
        self.table = ITable(pd.DataFrame({"": []}), showIndex=False, classes="display compact")
        self.table.layout = {"width": "100%", "overflow": "auto hidden"}
        # The same by the keyboard.
        self.picker = ipywidgets.Dropdown(
            options=[_NO_INVOICE],
            description="Lines of",
            layout={"width": "32em", "max_width": "100%"},
        )
        self.links, self.caption = page_html(), page_html()
        self.export = ipywidgets.Button(layout={"width": "auto", "display": "none"})
        self.export.on_click(lambda _: export())
        saving = ipywidgets.HBox([self.links, self.export], layout={"flex_flow": "row wrap"})
        self.widget = ipywidgets.VBox([self.caption, self.table, saving, self.picker])
        self.table.observe(self._select, names="selected_rows")
        self.picker.observe(self._pick, names="value")

    def show(self, invoices: Sequence[InvoiceSummary], total: int, title: str) -> None:
        """Show these invoices; nothing is chosen any more."""
        table = Table.of(invoices, InvoiceSummary, title=title)
        ordered = table.data.reindex(columns=list(_COLUMNS))
        shown = Table(ordered)
        grid = shown.grid()
        headings = [column.heading for column in grid.columns]
        texts = pd.DataFrame(
            [[visible(text) for text in row] for row in grid.rows], columns=headings, dtype="str"
        )
        # Amounts are shown with their currency, and sorted by hidden numbers.
        for name in _NUMBERS:
            texts[f"_{name}"] = ordered[name].to_numpy()
        self._ids = [invoice.id for invoice in invoices]
        self.picker.options = [_NO_INVOICE] + [
            (f"{row[0]}  {row[3]}  {row[6]}", id_)
            for row, id_ in zip(grid.rows, self._ids, strict=True)
        ]
        self.table.update(texts, selected_rows=[], **_options(len(headings), len(invoices)))
        self._title, more = title, total > len(invoices)
        self.links.value = table.links(f"Export the {len(invoices):,} shown" if more else "Export")
        self.export.layout.display = "" if more else "none"
        self.export.description = f"Export all {total:,}"
        listed = f"the first {len(invoices):,} of {total:,}" if more else f"{total:,}"
        self.caption.value = f"<b>Invoices: {listed}</b>, the one made last first"

    def offer_all(self, invoices: Sequence[InvoiceSummary]) -> None:
        """Offer files of all of them, instead of those that are shown."""
        table = Table.of(invoices, InvoiceSummary, title=self._title)
        self.links.value = table.links(f"Export all {len(invoices):,}", most=MOST_EXPORTED)
        self.export.layout.display = "none"

    def _select(self, change: dict[str, Any]) -> None:
        if change["new"] and change["new"][0] < len(self._ids):
            self.picker.value = self._ids[change["new"][0]]

    def _pick(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self._chosen(change["new"])


def page_html() -> ipywidgets.HTML:
    """Return HTML that looks as a cell's output does: tables, links and all."""
    html = ipywidgets.HTML()
    html.add_class("jp-RenderedHTMLCommon")
    return html


def _options(columns: int, rows: int) -> dict[str, Any]:
    first_hidden = columns
    sorted_by = [
        {"targets": place, "orderData": first_hidden + n, "className": "dt-right"}
        for n, place in enumerate(range(3, 3 + len(_NUMBERS)))
    ]
    hidden = list(range(first_hidden, first_hidden + len(_NUMBERS)))
    layout: dict[str, Any] = {"topStart": "search", "topEnd": "buttons"}
    if rows > _ROWS:
        layout |= {"bottomStart": "info", "bottomEnd": "paging"}
    return {
        "showIndex": False,
        # Else rows are left out of the middle, without a word but small print.
        "maxBytes": 0,
        "maxRows": 0,
        "style": "width: 100%; font-size: 85%",
        "select": "single",
        "buttons": ["copyHtml5"],
        "layout": layout,
        "pageLength": _ROWS,
        "order": [],
        "language": {"search": "Find in the table:"},
        "columnDefs": [
            *sorted_by,
            {"targets": [0, 1, first_hidden - 1], "className": "dt-nowrap dt-left"},
            {"targets": hidden, "visible": False, "searchable": False},
        ],
    }
