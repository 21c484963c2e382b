"""The analyst's page: one bar, and every table, figure and plot below it follows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import ipywidgets

from invoicing.money import format_money
from invoicing.notebook import board
from invoicing.notebook.callbacks import Callbacks, is_away, reason_of
from invoicing.notebook.figures import HeadlineFigures
from invoicing.notebook.filter_bar import FilterBar
from invoicing.notebook.invoice_table import MOST_EXPORTED, InvoiceTable, page_html
from invoicing.notebook.plots import plot_ageing, plot_billed_and_paid, plot_statuses
from invoicing.notebook.tables import Table
from invoicing.services import (
    AccountSummary,
    AgeingTotal,
    InvoiceDetail,
    InvoiceFilter,
    InvoiceLineItem,
    MonthlyTotals,
    StatusTotal,
    ageing_of,
    get_account_dashboard,
    get_invoice,
    headline,
    list_invoices,
    months_of,
    statuses_of,
)
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import date
    from uuid import UUID

    from invoicing.db import Database

MOST_LISTED = 500
# Seconds between two tries while the database is away, between two signs of life of the kernel,
# and without such a sign until the page says that there is none.
_AGAIN, _BEAT, _PATIENCE = 2.0, 4.0, 15.0


class AnalystPage:
    """One account's invoices, narrowed down by a bar, with the lines of the one chosen.

    Each part is one call of a service; what goes wrong is said below the bar. While the database
    is away, what was read before is greyed, and it is tried again until it answers. A page whose
    kernel has ended, or is busy, says that by itself.

    Args:
        database: read from, and left open: the page needs it for the next click.
        since: the first day to begin with.
        until: the first day not to count any more.
    """

    def __init__(
        self, database: Database, *, since: date | None = None, until: date | None = None
    ) -> None:
        self._database = database
        self._callbacks = Callbacks(spoken=True)
        self._asked = self._beats = self._pending = 0
        self._read_at: datetime | None = None
        self._away = self._failed = False
        self.message = self._callbacks.message
        self.bar = FilterBar(database, lambda: self._start(self._refresh))
        self.bar.set_days(since, until)
        self.figures, self.lines = page_html(), page_html()
        self.months, self.statuses, self.ages = page_html(), page_html(), page_html()
        self.seen = ipywidgets.HTML()
        self.invoices = InvoiceTable(
            lambda id_: self._start(lambda: self._show_lines(id_)),
            lambda: self._start(self._export_all),
        )
        self.bar.search.observe(
            lambda _: self._start(lambda: self._find(typing=True)), names="value"
        )
        parts = [self.figures, self.invoices.widget, self.lines]
        self.answer = ipywidgets.VBox([*parts, self.months, self.statuses, self.ages])
        self.answer.add_class("page-answer")
        above = [ipywidgets.HTML(board.style()), self.bar.widget, self.message, self.seen]
        self.widget = ipywidgets.VBox([*above, self.answer])
        self.widget.add_class("invoicing-page")

    async def open(self, account_id: UUID | None = None) -> ipywidgets.VBox:
        """Show an account, else the first by name, and return the widget."""
        await self._callbacks.reported(self._tried(lambda: self._begin(account_id)))
        self._callbacks.start(self._live())
        return self.widget

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        self._callbacks.start(self._tried(work))

    async def _tried(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do what was asked for; while the database is away, say so and try again.

        Until it is answered nothing can be saved: it would be what was asked for before.
        """
        self._pending += 1
        self.answer.add_class("page-waiting")
        try:
            await work()
        except Exception as error:
            self._failed = True
            self.answer.add_class("invoicing-stale")
            if not is_away(error):
                raise
            # A connection of before the server was started again is replaced by the next.
            if not self._away:
                self._away = True
                self._callbacks.start(self._try_again())
        finally:
            self._pending -= 1
            if not self._pending:
                self.answer.remove_class("page-waiting")

    async def _try_again(self) -> None:
        wait = 0.0
        while self._away:
            await asyncio.sleep(wait)
            wait = _AGAIN
            try:
                said = await self.bar.find()
                await self._refresh()
            except Exception as error:
                if not is_away(error):
                    self._away = False
                    raise
                again = f"It is tried again every {_AGAIN:g} s; what is shown is of before."
                self._callbacks.fail(f"{reason_of(error)}. {again}")
            else:
                self._away = self._failed = False
                self._callbacks.tell(said or "")

    async def _live(self) -> None:
        while True:
            self._show_life()
            await asyncio.sleep(_BEAT)

    def _show_life(self) -> None:
        self._beats += 1
        read = f"Read at {self._read_at:%H:%M:%S} UTC." if self._read_at else ""
        # Only what differs is sent, and begins the wait anew.
        self.seen.value = f"{board.fading(read, _PATIENCE)}<!-- {self._beats} -->"

    async def _begin(self, account_id: UUID | None) -> None:
        if account_id is None:
            await self._find()
            return
        async with self._database.read_only() as session:
            account = await get_account_dashboard(session, account_id)
            listed = await list_invoices(session, InvoiceFilter(account_id=account_id), limit=1)
        self.bar.show(
            AccountSummary(
                id=account.id, name=account.name, plan=account.plan, invoices=listed.total
            )
        )

    async def _find(self, *, typing: bool = False) -> None:
        said = await self.bar.find(typing=typing)
        if said is not None:
            self._callbacks.tell(said)

    async def _refresh(self) -> None:
        self._asked += 1
        mine = self._asked
        await self.bar.offer_currencies()
        chosen = self.bar.chosen
        if chosen is None:
            self._clear()
            return
        async with self._database.read_only() as session:
            figures = await headline(session, chosen)
            invoices = await list_invoices(session, chosen, limit=MOST_LISTED)
            months = await months_of(session, chosen)
            statuses = await statuses_of(session, chosen)
            ages = await ageing_of(session, chosen)
        if mine != self._asked:
            return  # something else was chosen meanwhile, and is shown or will be
        name = self.bar.label_of(self.bar.account.value)
        self._read_at = datetime.now(UTC)
        self.answer.remove_class("invoicing-stale")
        if self._failed:
            self._failed = False
            self._callbacks.tell("")
        self._show_life()
        self.figures.value = HeadlineFigures(figures, name)._repr_html_()
        self.invoices.show(invoices.invoices, invoices.total, f"Invoices of {name}")
        self.lines.value = ""
        plot = plot_billed_and_paid(months, since=chosen.since, until=chosen.until)
        table = Table.of(months, MonthlyTotals, title="Billed and paid by month")
        self.months.value = _part("Billed and paid", plot.svg(), table)
        table = Table.of(statuses, StatusTotal, title="Amounts by status")
        self.statuses.value = _part("Status", plot_statuses(statuses).svg(), table)
        table = Table.of(ages, AgeingTotal, title="Open by days since the invoice's date")
        self.ages.value = _part("Open, and for how long", plot_ageing(ages).svg(), table)

    async def _export_all(self) -> None:
        chosen = self.bar.chosen
        if chosen is None:
            return
        async with self._database.read_only() as session:
            found = await list_invoices(session, chosen, limit=MOST_EXPORTED)
        if found.total > MOST_EXPORTED:
            self._callbacks.fail(
                f"{found.total:,} invoices are more than a page exports, {MOST_EXPORTED:,}. Choose "
                "fewer days, or write the file in a cell: list_invoices and Table.to_excel"
            )
        elif chosen == self.bar.chosen:
            self.invoices.offer_all(found.invoices)

    def _clear(self) -> None:
        for part in (self.figures, self.lines, self.months, self.statuses, self.ages):
            part.value = ""
        self.invoices.show([], 0, "")

    async def _show_lines(self, invoice_id: UUID) -> None:
        async with self._database.read_only() as session:
            invoice = await get_invoice(session, invoice_id)
        if self.invoices.picker.value == invoice_id:
            self.lines.value = lines_html(invoice)


def lines_html(invoice: InvoiceDetail) -> str:
    """Return an invoice's lines as a table, and below it whether they add up to its amount."""
    table = Table.of(invoice.lines, InvoiceLineItem, title="Lines")
    total, amount, difference = (
        escape(format_money(cents, invoice.currency))
        for cents in (invoice.lines_total_cents, invoice.amount_cents, invoice.difference_cents)
    )
    if not invoice.difference_cents:
        said = f"The lines add up to the amount, {amount}."
    else:
        said = (
            f'<b style="color: var(--jp-error-color1, #c62828)">&#9888; Difference '
            f"{difference}:</b> the lines add up to {total}, the amount is {amount}."
        )
    return f"{_left(table)}<p>{said}</p>{table.links()}"


def _part(heading: str, svg: str, table: Table) -> str:
    return f"<h2>{heading}</h2>{svg}{_left(table)}{table.links()}"


def _left(table: Table) -> str:
    """Return the table below the left end of what stands above it; a widget's is in the middle."""
    return table.html().replace("<table>", '<table style="margin: 0 0 0.5em 0">', 1)
