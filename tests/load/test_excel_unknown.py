"""Cells of workbooks whose value is not known: read as empty, they would be other amounts."""

from __future__ import annotations

import re
from datetime import date
from textwrap import dedent
from zipfile import ZipFile

import openpyxl
import pytest
import xlsxwriter

from invoicing.load import load_files
from invoicing.load.errors import BadRowsError
from invoicing.load.excel_unknown import unknown_cells
from tests.load.conftest import rows

FORMULAS = """
    file = "book.xlsx"
    amounts = "major"
    decimal = "."
    header_row = 2
    fill_down = ["Customer"]
    skip = [{ column = "Note", values = ["Total"] }]

    [accounts]
    id = "Customer"
    name = "Customer"
    plan = { value = "standard" }

    [invoices]
    id = "Number"
    account_id = "Customer"
    amount = { column = "Price", plus = ["Tax"] }
    currency = { value = "EUR" }
    status = { value = "open" }
    issued_at = "Date"
"""


async def test_a_cell_whose_value_is_not_known_is_a_bad_row_and_not_empty(database, tmp_path):
    """openpyxl calculates nothing, and what reads workbooks takes such cells for empty ones."""
    header = ["Customer", "Number", "Date", "Price", "Tax", "Note", "Other"]
    records = [
        ("Acme", 1, date(2026, 1, 2), 10, 2, None, "=1+1"),  # not read by the mapping
        (None, 2, date(2026, 1, 2), 10, "=D4*0.2", None, None),
        (None, 3, "=C3+1", 10, 2, None, None),
        ("#REF!", 4, date(2026, 1, 2), 10, "#N/A", None, None),
        (None, 5, date(2026, 1, 2), 10, 2, None, None),
        ("Brandt", 6, date(2026, 1, 2), 10, 2, "=IF(A1=1,1,2)", None),
        ("Cobalt", 7, date(2026, 1, 2), 10, 2, None, None),
        ("Delta", 8, None, "=SUM(D3:D9)", None, "Total", None),
    ]
    workbook = openpyxl.Workbook()
    for record in [("A title",), header, *records, (None, None, None, "=D3")]:
        workbook.active.append(record)
    workbook.save(tmp_path / "book.xlsx")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(dedent(FORMULAS))
    report = await load_files(database, mapping=mapping, skip_bad=True)
    bad = {row.line: row.reason for row in report.first_rejected}
    nothing = "is a formula without a value in cell {} of sheet 'Sheet': open the file in a"
    assert [*bad] == [4, 5, 6, 7, 8, 11]
    for line, said in [
        (4, f"Tax '=D4*0.2' {nothing.format('E4')}"),
        (5, f"Date '=C3+1' {nothing.format('C5')}"),
        (6, "Customer '#REF!' is an error in cell A6 of sheet 'Sheet': correct it"),
        (6, "Tax '#N/A' is an error in cell E6"),
        (7, "Customer '#REF!' is an error in cell A6"),  # filled down
        (8, nothing.format("F8")),  # whether it is a total is not known
        (11, nothing.format("D11")),
    ]:
        assert said in bad[line]
    query = "SELECT amount_cents, issued_at::date::text FROM invoice"
    assert await rows(database, query) == [(1200, "2026-01-02")] * 2


async def test_a_formula_that_is_an_empty_text_is_an_empty_cell(database, tmp_path):
    workbook = xlsxwriter.Workbook(str(tmp_path / "accounts.xlsx"))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["id", "account_id", "amount_cents", "currency", "status", "issued_at"])
    sheet.write_row(1, 0, ["1", "A", 100, "EUR"])
    sheet.write_formula(1, 4, '=IF(1=1,"","")', None, "")
    sheet.write_formula(1, 5, "=1/0", None, "#DIV/0!")
    workbook.close()
    with pytest.raises(BadRowsError) as refused:
        await load_files(database, invoices=tmp_path / "accounts.xlsx")
    (bad,) = refused.value.report.first_rejected
    assert bad.reason.startswith("issued_at '#DIV/0!' is an error in cell F2 of sheet 'Sheet1'")


def test_cells_that_do_not_say_where_they_are_stand_beside_each_other(tmp_path):
    path, bare = tmp_path / "book.xlsx", tmp_path / "bare.xlsx"
    workbook = openpyxl.Workbook()
    workbook.active.append([None] * 27 + ["=A1"])
    workbook.active.append([1, "=A1", "#N/A"])
    workbook.save(path)
    assert {*unknown_cells(path, "Sheet")} == {(0, 27), (1, 1), (1, 2)}
    with ZipFile(path) as given, ZipFile(bare, "w") as written:
        for name in given.namelist():
            content = given.read(name)
            written.writestr(name, re.sub(rb' r="[A-Z]*[12]"', b"", content))
    assert [*unknown_cells(bare, "Sheet")] == [(0, 0), (1, 1), (1, 2)]
