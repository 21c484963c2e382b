"""The analyst's page, as a browser drives it: by changes of its widgets."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from invoicing.errors import ConnectionLostError
from invoicing.models import InvoiceStatus
from invoicing.notebook import AnalystPage, HeadlineFigures, analyst
from invoicing.notebook.figures import DEFINITIONS
from invoicing.services import Headline
from tests.conftest import newest_server_url
from tests.factories import create_account, create_invoice

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from invoicing.db import Database

server_url = newest_server_url
SINCE, UNTIL = date(2026, 1, 1), date(2026, 7, 1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not condition():
            await asyncio.sleep(0.02)


async def page_of(database: Database) -> AnalystPage:
    """Return the page of two accounts; of Beta, the second, an invoice does not add up."""
    alpha, beta = create_account(name="Alpha"), create_account(name="Beta <b>")
    at = {
        "issued_at": datetime(2026, 3, 5, tzinfo=UTC),
        "created_at": datetime(2026, 3, 4, tzinfo=UTC),
    }
    create_invoice(alpha, line_cents=[100], **at)
    create_invoice(beta, line_cents=[250, 250], currency="JPY", **at)
    create_invoice(beta, line_cents=[300], amount_cents=319, status=InvoiceStatus.PAID, **at)
    create_invoice(
        beta, line_cents=[7], issued_at=None, created_at=datetime(2024, 1, 1, tzinfo=UTC)
    )
    async with database.transaction() as session:
        session.add_all([alpha, beta])
    page = AnalystPage(database, since=SINCE, until=UNTIL)
    await page.open(beta.id)
    await until(lambda: "Beta" in page.figures.value)
    return page


async def test_every_part_follows_the_bar(database: Database) -> None:
    page = await page_of(database)
    assert "Beta &lt;b&gt;" in page.figures.value
    assert "<b>Invoices: 2</b>" in page.invoices.caption.value
    assert all(f"{name} 2026" in page.months.value for name in ("January", "March", "June"))
    assert "500 JPY" in page.months.value
    assert "3.19 EUR" in page.statuses.value
    assert [value for _, value in page.bar.currency.options] == ["", "EUR", "JPY"]
    # Seen as it changes: the answer may be there between two looks.
    waited: list[bool] = []
    page.answer.observe(
        lambda change: waited.append("page-waiting" in change["new"]), "_dom_classes"
    )
    page.bar.currency.value = "EUR"
    await until(lambda: "<b>Invoices: 1</b>" in page.invoices.caption.value)
    for part in (page.figures, page.months, page.statuses, page.ages):
        assert "JPY" not in part.value
    await until(lambda: "page-waiting" not in page.answer._dom_classes)
    assert True in waited
    page.bar.status.value = InvoiceStatus.OPEN
    await until(lambda: "<b>Invoices: 0</b>" in page.invoices.caption.value)
    page.bar.since.value = date(2023, 1, 1)
    await until(lambda: "<b>Invoices: 1</b>" in page.invoices.caption.value)
    page.bar.search.value = "alp"
    await until(lambda: "Alpha" in page.figures.value and page.bar.currency.value == "EUR")
    await until(lambda: "1.00 EUR" in page.statuses.value)
    page.bar.search.value = "no such account"
    await until(lambda: "no account has such a name" in page.message.value)
    await until(lambda: page.figures.value == "" and page.months.value == "")


async def test_a_chosen_row_shows_its_lines_and_marks_the_difference(database: Database) -> None:
    page = await page_of(database)
    page.bar.mismatched.value = True
    await until(lambda: "<b>Invoices: 1</b>" in page.invoices.caption.value)
    page.invoices.table.selected_rows = [0]
    await until(lambda: "Difference" in page.lines.value)
    assert "-0.19 EUR" in page.lines.value
    assert "3.00 EUR" in page.lines.value
    page.bar.mismatched.value = False
    await until(lambda: "<b>Invoices: 2</b>" in page.invoices.caption.value)
    assert page.lines.value == ""
    # The same by the keyboard.
    label, id_ = next(pair for pair in page.invoices.picker.options if "JPY" in pair[0])
    assert label.startswith("2026-03-04  500 JPY")
    page.invoices.picker.value = id_
    await until(lambda: "add up to the amount, 500 JPY" in page.lines.value)


async def test_what_the_database_refuses_is_said_below_the_bar(database: Database) -> None:
    page = await page_of(database)
    async with database.transaction() as session:
        await session.execute(text("ALTER TABLE invoice_line RENAME TO elsewhere"))
    page.bar.status.value = InvoiceStatus.PAID
    await until(lambda: "invoice_line" in page.message.value)


async def test_while_the_database_is_away_it_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await page_of(database)
    lost = ConnectionLostError("57P01", "terminating connection")

    async def refuse(*_: object, **__: object) -> None:
        raise lost

    monkeypatch.setattr(analyst, "_AGAIN", 0.05)
    with monkeypatch.context() as away:
        away.setattr(analyst, "headline", refuse)
        page.bar.currency.value = "JPY"
        await until(lambda: "It is tried again" in page.message.value)
        assert "the connection to the database was lost" in page.message.value
        assert "invoicing-stale" in page.answer._dom_classes
        assert "<b>Invoices: 2</b>" in page.invoices.caption.value
    await until(lambda: "<b>Invoices: 1</b>" in page.invoices.caption.value)
    await until(lambda: "tried" not in page.message.value)
    assert "invoicing-stale" not in page.answer._dom_classes


async def test_a_period_is_whole_months_up_to_the_last_day(database: Database) -> None:
    page = await page_of(database)
    assert page.bar.period.value == 6
    page.bar.period.value = 24
    assert (page.bar.since.value, page.bar.until.value) == (date(2024, 7, 1), date(2026, 6, 30))
    page.bar.period.value = -1
    assert (page.bar.since.value, page.bar.until.value) == (None, None)
    page.bar.since.value = date(2024, 1, 1)
    assert page.bar.period.value == 0
    assert page.bar.since.value == date(2024, 1, 1)
    await until(lambda: "<b>Invoices: 3</b>" in page.invoices.caption.value)


async def test_all_are_exported_where_not_all_are_shown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyst, "MOST_LISTED", 1)
    page = await page_of(database)
    assert "the first 1 of 2" in page.invoices.caption.value
    assert "Export the 1 shown: " in page.invoices.links.value
    assert page.invoices.export.description == "Export all 2"
    page.invoices.export.click()
    await until(lambda: "Export all 2: " in page.invoices.links.value)
    content = page.invoices.links.value.partition("charset=utf-8;base64,")[2].partition('"')[0]
    rows = b64decode(content).decode().splitlines()
    assert sorted(row.split(",")[1] for row in rows) == ["3.19", "500", "amount"]
    monkeypatch.setattr(analyst, "MOST_EXPORTED", 1)
    page.invoices.export.click()
    await until(lambda: "2 invoices are more than a page exports" in page.message.value)


def test_figures_say_their_change_and_their_meaning() -> None:
    row = Headline(
        currency="EUR", billed_cents=300, paid_cents=100, open_cents=200, overdue_cents=50,
        days=30, previous_billed_cents=200, previous_paid_cents=0, previous_open_cents=200,
        previous_overdue_cents=0, previous_days=30,
    )  # fmt: skip
    shown = repr(HeadlineFigures([row]))
    for said in ("+50%", "1.00 EUR more", "25%", "+25 points", "20 days", "-10 days"):
        assert said in shown
    html = HeadlineFigures([row])._repr_html_()
    assert all(name in html for name in DEFINITIONS)
