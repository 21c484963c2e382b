"""Tables, frames and plots: exact data, readable money, no currency added to another."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from pydantic import BaseModel

from invoicing.models import InvoiceStatus
from invoicing.notebook import (
    Table,
    frame,
    plot_ageing,
    plot_billed_and_paid,
    plot_statuses,
    run_synchronously,
)
from invoicing.schemas.portfolio import AgeBucket, AgeingTotal, MonthlyTotals, StatusTotal


class Summary(BaseModel):
    id: UUID
    amount_cents: int
    currency: str
    status: InvoiceStatus
    issued_at: datetime | None
    lines_total_cents: int


class MoreOfAnInvoice(Summary):
    updated_at: datetime


INVOICES = [
    Summary(
        id=UUID(int=1),
        amount_cents=2**53 + 1,
        currency="EUR",
        status=InvoiceStatus.PAID,
        issued_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC),
        lines_total_cents=-5,
    ),
    Summary(
        id=UUID(int=2),
        amount_cents=1500,
        currency="JPY",
        status=InvoiceStatus.DRAFT,
        issued_at=None,
        lines_total_cents=0,
    ),
]
MONTHS = [
    MonthlyTotals(
        month=date(2026, n, 1),
        currency=currency,
        invoices=2,
        billed_cents=400,
        paid_cents=100 * n,
        open_cents=400 - 100 * n,
    )
    for currency in ("EUR", "JPY")
    for n in (1, 2)
]


def test_a_frame_is_exact() -> None:
    data = frame(INVOICES)
    assert {name: str(dtype) for name, dtype in data.dtypes.items()} == {
        "id": "str",
        "amount_cents": "Int64",
        "currency": "str",
        "status": "str",
        "issued_at": "datetime64[us, UTC]",
        "lines_total_cents": "Int64",
    }
    assert data["amount_cents"].sum() == 2**53 + 1501
    assert data["issued_at"].isna().tolist() == [False, True]
    assert data["status"].tolist() == ["paid", "draft"]


def test_an_empty_frame_has_the_columns_of_its_schema() -> None:
    assert frame([], Summary).dtypes.equals(frame(INVOICES).dtypes)
    with pytest.raises(ValueError, match="pass the schema"):
        frame([])


def test_a_table_reads_well_as_text() -> None:
    lines = repr(Table.of(INVOICES, title="Two invoices", hide=["id"])).splitlines()
    assert lines[0] == "Two invoices"
    assert lines[2].split() == [
        "90,071,992,547,409.93",
        "EUR",
        "paid",
        "2026-03-01",
        "-0.05",
        "EUR",
    ]
    assert lines[3].split() == ["1,500", "JPY", "draft", "0", "JPY"]
    assert (
        len(
            {
                line.rindex(currency)
                for line, currency in zip(lines[2:], ["EUR", "JPY"], strict=True)
            }
        )
        == 1
    )


def test_a_field_that_is_added_to_the_schema_is_a_column_of_table_and_frame() -> None:
    day = datetime(2026, 8, 3, tzinfo=UTC)
    rows = [MoreOfAnInvoice(**INVOICES[0].model_dump(), updated_at=day)]
    for shown in (repr(Table.of(rows)), Table.of(rows)._repr_html_()):
        assert "Updated at" in shown
        assert "2026-08-03" in shown
    assert str(frame(rows)["updated_at"].dtype) == "datetime64[us, UTC]"


def test_a_table_puts_money_to_the_right_and_escapes_names() -> None:
    rows = [AgeingTotal(currency="EUR", bucket=AgeBucket.DAYS_0_30, invoices=1, amount_cents=5)]
    html = Table.of(rows, title="<b>Tom & Co</b>")._repr_html_()
    assert "&lt;b&gt;Tom &amp; Co&lt;/b&gt;" in html
    assert '<td style="text-align: right; white-space: nowrap">0.05 EUR</td>' in html
    assert '<td style="text-align: left; white-space: nowrap">0-30</td>' in html


def test_an_empty_table_says_so() -> None:
    table = Table.of([], StatusTotal)
    assert "(nothing)" in repr(table)
    assert "(nothing)" in table._repr_html_()


def test_each_currency_has_a_panel_of_its_own() -> None:
    figure = plot_billed_and_paid(MONTHS)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["38% of 8.00 EUR billed is paid", "38% of 800 JPY billed is paid"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["EUR", "JPY"]


def test_plots_say_their_finding() -> None:
    statuses = [
        StatusTotal(currency="EUR", status=status, invoices=1, amount_cents=cents)
        for status, cents in [(InvoiceStatus.OPEN, 100), (InvoiceStatus.PAID, 300)]
    ]
    assert plot_statuses(statuses).axes[0].get_title(loc="left") == "Most is paid: 3.00 EUR"
    old = [
        AgeingTotal(currency="EUR", bucket=bucket, invoices=1, amount_cents=100)
        for bucket in AgeBucket
    ]
    assert plot_ageing(old).axes[0].get_title(loc="left") == "25% of 4.00 EUR is over 90 days"


def test_a_title_is_no_formula() -> None:
    status = StatusTotal(currency="$x", status=InvoiceStatus.OPEN, invoices=1, amount_cents=100)
    axes = plot_statuses([status, status.model_copy(update={"amount_cents": 200})]).axes[0]
    assert not axes.get_title(loc="left").startswith("There")
    assert axes.yaxis.label.get_parse_math() is False
    assert axes._left_title.get_parse_math() is False


@pytest.mark.parametrize("plot", [plot_billed_and_paid, plot_statuses, plot_ageing])
def test_a_plot_of_nothing_says_so(plot) -> None:
    assert plot([]).axes[0].get_title(loc="left") == "There are no invoices to show"


def test_async_functions_run_without_await() -> None:
    async def answer() -> int:
        return 42

    assert run_synchronously(answer()) == 42


def test_async_functions_run_synchronously_inside_a_running_loop() -> None:
    async def answer() -> int:
        return 42

    async def cell() -> int:
        return run_synchronously(answer()) + run_synchronously(answer())

    assert asyncio.run(cell()) == 84
