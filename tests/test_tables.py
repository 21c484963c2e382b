"""One renderer: the same rows to a terminal, to HTML and to plain text."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from rich.console import Console

from invoicing.models import InvoiceStatus
from invoicing.schemas.portfolio import StatusTotal
from invoicing.tables import Grid, TableColumn, columns_of, grid_of


@dataclass
class Total:
    currency: str
    status: InvoiceStatus
    invoices: int
    amount_cents: int


VALUES = {"currency": "JPY", "status": InvoiceStatus.OPEN, "invoices": 1200, "amount_cents": 1500}


@pytest.mark.parametrize("row", [StatusTotal(**VALUES), Total(**VALUES), VALUES], ids=type)
def test_models_dataclasses_and_dictionaries_are_rows(row: object) -> None:
    grid = grid_of(columns_of([row], VALUES), title="Totals")
    assert grid.text().splitlines() == [
        "Totals",
        "Status  Invoices     Amount",
        "open       1,200  1,500 JPY",
    ]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("issued_at", datetime(2026, 3, 1, 23, tzinfo=UTC), "2026-03-01"),
        ("month", date(2026, 3, 1), "2026-03"),
        ("rate", 1234.56, "1,234.6"),
        ("paid", True, "True"),
        ("id", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("note", None, ""),
    ],
)
def test_a_value_is_shown_by_what_it_is(name: str, value: object, shown: str) -> None:
    assert grid_of({name: [value]}).rows == [(shown,)]


def test_each_amount_has_the_currency_of_its_row() -> None:
    grid = grid_of({"currency": ["EUR", "BHD", "JPY"], "open_cents": [5, None, -5]})
    assert [row[0] for row in grid.rows] == ["0.05 EUR", "", "-5 JPY"]


def test_text_of_others_is_escaped_in_each_form() -> None:
    grid = Grid([TableColumn("[b]\x1b")], [["[red]<i>\x1b"]], "<b>\x1b", "\x1b")
    assert grid.text().splitlines() == ["<b>\\x1b", "[b]\\x1b", "[red]<i>\\x1b", "\\x1b"]
    assert '<td style="text-align: left">[red]&lt;i&gt;\\x1b</td>' in grid.html()
    assert "\x1b" not in grid.html()
    console = Console(width=60, markup=False)
    with console.capture() as capture:
        console.print(grid.rich())
    assert "[red]<i>\\x1b" in capture.get()
    assert "\x1b" not in capture.get()


def test_an_id_folds_so_that_money_is_not_cut() -> None:
    columns = {"id": [UUID(int=1)], "currency": ["EUR"], "amount_cents": [123_456_789]}
    console = Console(width=32)
    with console.capture() as capture:
        console.print(grid_of(columns).rich())
    assert "1,234,567.89 EUR" in capture.get()
    assert "…" not in capture.get()


def test_no_notebook_is_imported_to_make_a_table() -> None:
    code = (
        "import sys, invoicing.tables;"
        "sys.exit(bool({'pandas', 'IPython', 'rich'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
