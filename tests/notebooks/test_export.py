"""What is exported: opened again by other programs, exact, and never run as a formula."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from invoicing.notebook import Table
from invoicing.notebook.errors import ExportError
from invoicing.notebook.export import harmless

if TYPE_CHECKING:
    from pathlib import Path

RISKY = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "=cmd|' /C calc'!A0"]
PLAIN = ['Acme, "Tools"; Co', "line\nbreak", "a=b", "Ünïcode 東京", "", "'quoted", "12-3"]
DATA = pd.DataFrame(
    {
        "name": pd.array([*RISKY, *PLAIN, None], dtype="str"),
        "currency": ["EUR", "JPY", "KWD", "CLF"] * 4 + ["XXX"],
        "amount_cents": pd.array(
            [123450, 1500, 1234567, 12345, 0, -5, None, 2**53 + 1, 10**18, -1, *range(7)],
            dtype="Int64",
        ),
        "issued_at": pd.array(
            [datetime(2026, 6, 30, 23, 59, 1, tzinfo=UTC), None] + [None] * 15,
            dtype="datetime64[us, UTC]",
        ),
        "month": pd.array([date(2026, 6, 1), *[None] * 16], dtype="datetime64[s]"),
        "invoices": pd.array([7] * 17, dtype="Int64"),
        "account_id": ["hidden"] * 17,
    }
)
TABLE = Table(DATA, "Rows: [1]/2*3?", frozenset({"account_id"}))
EXPECTED = [
    Decimal("1234.50"), Decimal(1500), Decimal("1234.567"), Decimal("1.2345"), Decimal("0.00"),
    Decimal(-5), None, Decimal("900719925474.0993"), Decimal("10000000000000000.00"), Decimal(-1),
]  # fmt: skip
NAMES = ["name", "currency", "amount", "issued_at", "month", "invoices"]


def test_csv_is_exact_and_no_formula(tmp_path: Path) -> None:
    path = TABLE.to_csv(tmp_path / "table.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == NAMES
    amounts = [Decimal(row["amount"]) if row["amount"] else None for row in rows]
    assert amounts[:10] == EXPECTED
    assert [row["amount"] for row in rows[:3]] == ["1234.50", "1500", "1234.567"]
    assert (rows[0]["issued_at"], rows[0]["month"]) == ("2026-06-30T23:59:01+00:00", "2026-06-01")
    assert [row["name"] for row in rows] == [*(f"'{text}" for text in RISKY), *PLAIN, ""]
    assert path.read_bytes().decode() == TABLE.to_csv()


def test_excel_opens_with_numbers_dates_and_texts(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(TABLE.to_excel(tmp_path / "table.xlsx"))
    (sheet,) = book.worksheets
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]] == NAMES
    assert not any(cell.data_type == "f" for row in rows for cell in row)
    # _x000D_ is how a workbook writes a carriage return; Excel reads it so, openpyxl does not.
    texts = [(row[0].value or "").replace("_x000D_", "\r") for row in rows[1:]]
    assert texts == [*RISKY, *PLAIN, ""]
    amounts = [row[2].value for row in rows[1:]]
    # Of more digits than a number of Excel's keeps, a text: nothing is rounded silently.
    assert amounts[7] == "900719925474.0993"
    for amount, expected in zip(amounts[:10], EXPECTED, strict=True):
        assert expected is amount is None or Decimal(str(amount)) == expected
    assert [row[2].number_format for row in rows[1:5]] == [
        "#,##0.00", "#,##0", "#,##0.000", "#,##0.0000",
    ]  # fmt: skip
    assert rows[1][3].value == datetime.fromisoformat("2026-06-30T23:59:01")  # Excel has no zone
    day = datetime.fromisoformat("2026-06-01")
    assert (rows[1][4].value, rows[1][4].number_format) == (day, "yyyy-mm-dd")


def test_parquet_has_exact_types_and_texts(tmp_path: Path) -> None:
    table = pq.read_table(TABLE.to_parquet(tmp_path / "table.parquet"))
    assert table.column_names == NAMES
    assert table.column("amount").to_pylist()[:10] == EXPECTED
    assert str(table.schema.field("amount").type).startswith("decimal128(38, 4")
    assert str(table.schema.field("issued_at").type) == "timestamp[us, tz=UTC]"
    assert str(table.schema.field("month").type) == "date32[day]"
    assert table.column("name").to_pylist() == [*RISKY, *PLAIN, None]


def test_headings_are_no_formulas_either() -> None:
    text = Table(pd.DataFrame({"=1+1": [1]})).to_csv()
    assert text.splitlines()[0] == "'=1+1"
    assert [harmless(text) for text in ("", "-", "a")] == ["", "'-", "a"]


def test_cents_without_a_currency_stay_minor_units() -> None:
    table = Table(pd.DataFrame({"total_cents": pd.array([150], dtype="Int64")}))
    assert table.to_csv().split() == ["total_cents", "150"]
    assert repr(table).split() == ["Total", "cents", "150"]


def test_what_a_sheet_does_not_hold_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="32,767 characters, and a text has 40,000"):
        Table(pd.DataFrame({"name": ["x" * 40_000]})).to_excel(tmp_path / "long.xlsx")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot export to CSV"):
        TABLE.to_csv(tmp_path / "file" / "below.csv")


def test_links_hold_the_files_where_a_person_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "data:" not in TABLE._repr_html_()
    monkeypatch.setattr("invoicing.notebook.tables.is_attended", lambda: True)
    html = TABLE._repr_html_()
    for suffix in ("csv", "xlsx", "parquet"):
        assert f'download="rows-1-2-3.{suffix}"' in html
