"""Mapped loads: what is read, what is refused, and what becomes of an invoice's other rows."""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import pytest
import xlsxwriter

from invoicing.load import load_files
from invoicing.load.errors import (
    BadRowsError,
    IncompleteInvoicesError,
    InputFileError,
    MappingError,
)
from invoicing.load.mapping.cells import RowCounter
from invoicing.load.mapping.read import parse_mapping
from tests.conftest import newest_server_url
from tests.load.conftest import contents, rows

server_url = newest_server_url

NOTHING = {"account": [], "invoice": [], "invoice_line": []}
SEPARATE = """
    amounts = "major"
    decimal = ","
    grouping = "."
    dates = ["%d.%m.%Y"]
    [words]
    status = { bezahlt = "paid", offen = "open" }
    [accounts]
    file = "kunden.csv"
    id = "Nr"
    name = "Firma"
    plan = { value = "kunde" }
    [invoices]
    file = "rechnungen.csv"
    id = "Nr"
    account_id = "Kunde"
    amount = "Betrag"
    currency = "Währung"
    status = "Stand"
    issued_at = "Datum"
    created_at = "Datum"
    [lines]
    file = "positionen.csv"
    id = ["Rechnung", "Pos"]
    invoice_id = "Rechnung"
    total = "Summe"
"""
CUSTOMERS = "sep=;\nNr;Firma\n007;Müller\n8;Groß\n"
INVOICES = (
    "Nr;Kunde;Betrag;Währung;Stand;Datum\n"
    "R1;007;1.234,50;EUR;bezahlt;01.02.2026\nR2;8;1.500;JPY;offen;03.02.2026\n"
    "R3;8;1,250;KWD;offen;03.02.2026\n;;;;;\n"
)
LINES = "Rechnung;Pos;Summe\nR1;1;1.000\nR1;2;234,50\nR2;1;1.500\nR3;1;1,25\n"
SPLIT = """
    file = "export.csv"
    amounts = "major"
    [accounts]
    id = "Customer"
    name = "Customer"
    plan = { value = "x" }
    [invoices]
    id = "Invoice"
    account_id = "Customer"
    amount = { sum_of_lines = true }
    currency = "Currency"
    status = { value = "open" }
    issued_at = "Date"
    [lines]
    id = { column = "Invoice", number = true }
    invoice_id = "Invoice"
    total = "Amount"
"""
EXPORT = (
    "Invoice,Customer,Date,Currency,Amount\n"
    "1,Acme,2026-01-01,EUR,10.00\n1,Acme,2026-01-01,EUR,5.00\n2,Beta,2026-01-02,EUR,7.00\n"
    "1,Acme,2026-01-01,EUR,2.50\n"
)


def mapped(folder, mapping, **files):
    """Write a mapping and its files; return the mapping's path."""
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.csv").write_bytes(data)
    path = folder / "mapping.toml"
    path.write_text(dedent(mapping))
    return path


def german(folder, mapping=SEPARATE, **files):
    given = {"kunden": CUSTOMERS, "rechnungen": INVOICES, "positionen": LINES} | files
    return mapped(folder, mapping, **given)


async def test_separate_files_with_other_headers_words_dates_and_numbers(database, tmp_path):
    report = await load_files(database, mapping=german(tmp_path))
    amounts = "SELECT amount_cents, currency, status::text FROM invoice ORDER BY 1"
    assert await rows(database, amounts) == [
        (1250, "KWD", "open"), (1500, "JPY", "open"), (123450, "EUR", "paid"),
    ]  # fmt: skip
    # Minor units of a line are those of its invoice's currency, which only the invoice says.
    query = (
        "SELECT amount_cents = sum(total_cents) FROM invoice JOIN invoice_line AS line"
        " ON invoice_id = invoice.id GROUP BY invoice.id"
    )
    assert await rows(database, query) == [(True,)] * 3
    assert [(month.currency, month.amount_cents, month.lines_cents) for month in report.sums] == [
        ("EUR", 123450, 123450), ("JPY", 1500, 1500), ("KWD", 1250, 1250),
    ]  # fmt: skip
    assert any("blank rows left out: 1" in note for note in report.notes)


async def test_the_same_rows_in_any_kind_of_file_are_the_same_rows(database, tmp_path):
    await load_files(database, mapping=german(tmp_path))
    before = await contents(database)
    text = german(tmp_path).read_text()
    in_utf_16 = {
        "kunden": CUSTOMERS.encode("utf-16"),
        "rechnungen": INVOICES.encode("utf-16"),
        "positionen": LINES.replace("\n", "\r\n").encode("utf-16-le"),
    }
    own = text.replace("[lines]", '[lines]\nencoding = "utf-16-le"')
    mapping = german(tmp_path, f'encoding = "utf-16"\n{own}', **in_utf_16)
    assert (await load_files(database, mapping=mapping)).written == 0
    in_latin_1 = {
        "kunden": CUSTOMERS.encode("latin-1"),
        "rechnungen": INVOICES.encode("latin-1"),
    }
    mapping = german(tmp_path, f'encoding = "latin-1"\n{text}', **in_latin_1)
    assert (await load_files(database, mapping=mapping)).written == 0
    as_json = ""
    header, *records = csv.reader(INVOICES.splitlines(), delimiter=";")
    for record in records[:-1]:
        as_json += json.dumps(dict(zip(header, record, strict=True))) + "\n\n"
    mapping = german(tmp_path, text, rechnungen=gzip.compress(as_json.encode()))
    assert (await load_files(database, mapping=mapping)).written == 0
    assert await contents(database) == before


async def test_a_workbook_is_read_by_its_sheets_with_its_own_dates_and_numbers(database, tmp_path):
    await load_files(database, mapping=german(tmp_path))
    before = await contents(database)
    workbook = xlsxwriter.Workbook(str(tmp_path / "book.xlsx"))
    day = workbook.add_format({"num_format": "dd.mm.yyyy"})
    customers = workbook.add_worksheet("Kunden")
    customers.write_row(0, 0, ["Customers of the year"])
    customers.write_row(2, 1, ["Nr", "Firma"])
    customers.write_row(3, 1, ["007", "Müller"])
    customers.write_row(5, 1, [8, "Groß"])
    invoices = workbook.add_worksheet("Rechnungen")
    invoices.write_row(0, 0, ["Nr", "Kunde", "Betrag", "Währung", "Stand", "Datum"])
    given = [("R1", "007", 1234.5, "EUR", "bezahlt", 46054), ("R2", 8, 1500, "JPY", "offen", 46056)]
    for number, record in enumerate([*given, ("R3", 8, 1.25, "KWD", "offen", 46056)], 1):
        invoices.write_row(number, 0, record[:-1])
        # A formula is the value that was saved with it.
        invoices.write_formula(number, 2, "=SUM(A1:A9)", None, record[2])
        invoices.write_number(number, 5, record[-1], day)
    workbook.close()
    text = dedent(SEPARATE)
    text = text.replace(
        'file = "kunden.csv"', 'file = "book.xlsx"\nsheet = "Kunden"\nheader_row = 3'
    )
    text = text.replace('file = "rechnungen.csv"', 'file = "book.xlsx"\nsheet = "Rechnungen"')
    assert (await load_files(database, mapping=german(tmp_path, text))).written == 0
    assert await contents(database) == before
    with pytest.raises(InputFileError, match=r"no sheet 'Kunde', but Kunden, Rechnungen"):
        await load_files(database, mapping=german(tmp_path, text.replace('"Kunden"', '"Kunde"')))


async def test_a_row_a_line_becomes_three_tables_and_loads_again_unchanged(database, tmp_path):
    mapping = mapped(tmp_path, SPLIT, export=EXPORT)
    report = await load_files(database, mapping=mapping)
    assert [(file.kind, file.rows, file.inserted) for file in report.files] == [
        ("accounts", 2, 2), ("invoices", 2, 2), ("lines", 4, 4),
    ]  # fmt: skip
    assert await rows(database, "SELECT amount_cents FROM invoice ORDER BY 1") == [(700,), (1750,)]
    assert (await load_files(database, mapping=mapping)).written == 0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,Acme,2026-01-01,EUR,2.555", "Amount '2.555' is 2.555 EUR, which is no whole number"),
        ("1,Acme,2026-01-09,EUR,1.00", "Date '2026-01-09' is not what line 2 says of the same inv"),
        ("1,Beta,2026-01-01,EUR,1.00", "Customer 'Beta' is not what line 2 says"),
        ("1,Acme,2026-01-01,USD,1.00", "Currency 'USD' is not what line 2 says"),
        ("1,Acme,2026-01-01,EUR,", "Amount is empty"),
        ("1,Acme,01/02/2026,EUR,1.00", "Date '01/02/2026' is no date in the form iso"),
    ],
)
async def test_a_bad_line_rejects_its_whole_invoice_and_the_corrected_rejects_load(
    database, tmp_path, row, reason
):
    """Another amount, or other ids, would come of the lines that are left."""
    mapping = mapped(tmp_path, SPLIT, export=EXPORT + row + "\n")
    rejects = tmp_path / "rejects.csv"
    with pytest.raises(BadRowsError) as refused:
        await load_files(database, mapping=mapping)
    assert any(reason in bad.reason for bad in refused.value.report.first_rejected)
    report = await load_files(database, mapping=mapping, skip_bad=True, rejects=rejects)
    assert report.loaded
    assert await rows(database, "SELECT amount_cents FROM invoice") == [(700,)]
    bad = list(csv.DictReader(rejects.read_text().splitlines()))
    assert [record["line"] for record in bad] == ["2", "3", "5", "6"]
    # Each once, though a row is read as an account, an invoice and a line.
    assert (report.rejected, refused.value.rejected) == (4, 4)
    assert report.rows == (EXPORT + row).count("\n")
    rejects.write_text(rejects.read_text().replace(f"{row},", "1,Acme,2026-01-01,EUR,1.00,"))
    await load_files(database, mapping=mapping, files=[rejects])
    assert await rows(database, "SELECT amount_cents FROM invoice ORDER BY 1") == [(700,), (1850,)]


@pytest.mark.parametrize("row", ["1,Acme,2026-01-01,EUR", ",Acme,2026-01-01,EUR,9.00"])
async def test_a_line_of_an_unknown_invoice_stops_the_load_even_with_skip_bad(
    database, tmp_path, row
):
    mapping = mapped(tmp_path, SPLIT, export=EXPORT + row + "\n")
    with pytest.raises(IncompleteInvoicesError, match="of 1 it is not known which invoice"):
        await load_files(database, mapping=mapping, skip_bad=True)
    assert await contents(database) == NOTHING


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        ("rechnungen", "R4;8;1,5;EUR;gemahnt;03.02.2026", "Stand 'gemahnt' is no status that the"),
        ("rechnungen", "R4;8;1,5;EUR;;03.02.2026", "Stand is empty"),
        ("rechnungen", "R4;8;1.50;EUR;offen;03.02.2026", "Betrag '1.50' is no amount with ','"),
        ("rechnungen", "R4;8;1,5;JPY;offen;03.02.2026", "Betrag '1,5' is 1.5 JPY"),
        ("rechnungen", "R4;8;$1,5;EUR;offen;03.02.2026", "Betrag '$1,5' has '$', which is no ISO"),
        ("rechnungen", "R4;8;CHF 1,5;EUR;offen;03.02.2026", "'CHF 1,5' is in CHF, and the row is"),
        ("rechnungen", "R4;9;1,5;EUR;offen;03.02.2026", "Kunde '9' matches no account"),
        ("rechnungen", "R1;8;1,5;EUR;offen;03.02.2026", "Nr 'R1' is also on line 2"),
        ("positionen", "R2;2;1,5", "Summe '1,5' is 1.5 JPY, which is no whole number"),
        ("positionen", "R1;1;1", "Rechnung + Pos 'R1/1' is also on line 2"),
        ("positionen", "R1;;1", "Rechnung + Pos 'R1' is empty"),
        ("positionen", "R2;2;1 EUR", "Summe '1 EUR' is in EUR, and its invoice is in JPY"),
        ("positionen", "R9;2;1", "Rechnung 'R9' matches no invoice"),
    ],
)
async def test_a_value_that_no_rule_covers_is_named_with_file_line_and_column(
    database, tmp_path, kind, row, reason
):
    text = {"rechnungen": INVOICES.removesuffix(";;;;;\n"), "positionen": LINES}[kind]
    mapping = german(tmp_path, **{kind: f"{text}{row}\n"})
    with pytest.raises(BadRowsError) as refused:
        await load_files(database, mapping=mapping)
    (bad,) = refused.value.report.first_rejected
    assert (bad.path.name, bad.line) == (f"{kind}.csv", text.count("\n") + 1)
    assert reason in bad.reason
    assert await contents(database) == NOTHING


async def test_rejects_of_a_workbook_load_by_its_mapping_once_they_are_corrected(
    database, tmp_path
):
    """The rejects are a CSV in UTF-8, whatever the file was: 1.125 in a sheet is not 1,125."""
    workbook = xlsxwriter.Workbook(str(tmp_path / "rechnungen.csv"))
    sheet = workbook.add_worksheet()
    day = workbook.add_format({"num_format": "dd.mm.yyyy"})
    sheet.write_row(1, 0, ["Rechnungen"])
    sheet.write_row(2, 0, ["Nr", "Kunde", "Betrag", "Währung", "Stand", "Datum"])
    sheet.write_row(3, 0, ["R1", 8, 1.125, "KWD", "gemahnt"])
    sheet.write_number(3, 5, 46056, day)
    workbook.close()
    text = dedent(SEPARATE).replace('id = "Nr"\naccount', 'header_row = 3\nid = "Nr"\naccount')
    text = text[: text.index("[lines]")]
    mapping = german(tmp_path, text, rechnungen=(tmp_path / "rechnungen.csv").read_bytes())
    rejects = tmp_path / "rejects.csv"
    await load_files(database, mapping=mapping, skip_bad=True, rejects=rejects)
    rejects.write_text(rejects.read_text().replace("gemahnt", "offen"))
    await load_files(database, mapping=mapping, files=[tmp_path / "kunden.csv", rejects])
    query = "SELECT amount_cents, issued_at::date::text FROM invoice"
    assert await rows(database, query) == [(1125, "2026-02-03")]


async def test_two_systems_with_a_source_do_not_share_ids(database, tmp_path):
    for source in ("first", "second", "second"):
        mapping = german(tmp_path, f'source = "{source}"\n{dedent(SEPARATE)}')
        await load_files(database, mapping=mapping)
    counts = "SELECT (SELECT count(*) FROM account), count(*) FROM invoice"
    assert await rows(database, counts) == [(4, 6)]


async def test_ids_that_excel_made_floats_are_integers_when_the_mapping_says_so(database, tmp_path):
    files = {"kunden": "Nr;Firma\n7.0;Müller\n0008;Groß\n", "rechnungen": INVOICES}
    mapping = german(tmp_path, 'ids = "integer"\n' + dedent(SEPARATE), **files)
    with pytest.raises(BadRowsError, match="7 of"):
        await load_files(database, mapping=mapping)
    files["rechnungen"] = re.sub(r"R(\d)", r"0\1", INVOICES)
    files["positionen"] = re.sub(r"R(\d)", r"\1.0", LINES)
    report = await load_files(
        database, mapping=german(tmp_path, 'ids = "integer"\n' + dedent(SEPARATE), **files)
    )
    assert report.rejected == 0


async def test_a_dry_run_shows_first_rows_and_sums_and_stores_nothing(database, tmp_path):
    report = await load_files(database, mapping=german(tmp_path), dry_run=True)
    assert [row["total_cents"] for row in report.first_rows["lines"]] == [100000, 23450, 1500]
    assert report.first_rows["lines"][2]["currency"] == "JPY"
    assert sum(month.invoices for month in report.sums) == 3
    assert await contents(database) == NOTHING


BAD_MAPPINGS = [
    ("amount = ", "amuont = ", 17, "unknown key invoices.amuont"),
    ('name = "Firma"', "", 8, "accounts.name is missing"),
    ('offen = "open"', 'offen = "sent"', 7, "words.status.offen"),
    ('amounts = "major"', 'amounts = "???"', 2, "amounts is still '???'"),
    ('amount = "Betrag"', 'amount = "???"', 17, "invoices.amount is still '???'"),
    ('amounts = "major"', "", None, "lacks amounts"),
    ("%d.%m.%Y", "dd.mm.yyyy", 5, "no format of a date"),
    ("%d.%m.%Y", "%d.%m", 5, "no format of a date"),
    ('decimal = ","', 'decimal = "."', None, "the same character"),
    ('decimal = ","', 'time_zone = "Mars/Olympus"', 3, "no time zone"),
    ('decimal = ","', 'encoding = "utf-99"', 3, "no encoding"),
    ('total = "Summe"', 'total = { times = "Summe" }', 26, "exactly one of"),
    ('file = "positionen.csv"', 'file = "rechnungen.csv"\nskip = []', None, "with another skip"),
    ('total = "Summe"', "total = [", None, "no TOML"),
    ('currency = "Währung"', 'currency = { value = "eur" }', None, "no ISO 4217"),
]


@pytest.mark.parametrize(("old", "new", "line", "reason"), BAD_MAPPINGS, ids=str)
def test_a_mapping_that_cannot_be_meant_is_refused_with_its_line(old, new, line, reason):
    text = dedent(SEPARATE)
    assert old in text
    with pytest.raises(MappingError, match="--suggest") as refused:
        parse_mapping(text.replace(old, new, 1), "mapping.toml")
    assert reason in refused.value.reason
    assert line is None or refused.value.line == line


@pytest.mark.parametrize(
    ("header", "reason"),
    [("Nr;Name", "no column 'Firma'"), ("Nr;Firma;Firma", "name one of firma (1), firma (2)")],
)
async def test_a_column_that_is_missing_or_twice_is_named(database, tmp_path, header, reason):
    cells = "1" + ";a" * header.count(";")
    with pytest.raises(InputFileError) as refused:
        await load_files(database, mapping=german(tmp_path, kunden=f"{header}\n{cells}\n"))
    assert reason in refused.value.reason


def test_what_counts_rows_may_be_collected_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    counters = [RowCounter()]
    assert (counters[0].next("a"), counters[0].next("a")) == (1, 2)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(counters.clear).result()

    assert unraisable == []
