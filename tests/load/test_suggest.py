"""Suggested mappings: what the values say is found out, and what they do not say is left open."""

from __future__ import annotations

import tomllib
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from invoicing.load import load_files
from invoicing.load.errors import InputFileError, MappingError
from invoicing.load.mapping.read import parse_mapping
from invoicing.load.suggest import suggest_mapping
from tests.conftest import newest_server_url
from tests.load.conftest import ACCOUNTS, INVOICES, LINES, rows
from tests.load.test_ready_mappings import CASES

server_url = newest_server_url

# What a person fills in where the values of a system do not say it.
FILLED_IN = {
    "chinook": ['currency = { value = "USD" }', 'status = { value = "paid" }'],
    "northwind": [
        'currency = { value = "USD" }',
        'status = { column = "ShippedDate", words = { "" = "open", "*" = "paid" } }',
        'rounding = "half-even"',
        'total = { column = "UnitPrice", times = "Quantity", discount = "Discount" }',
    ],
    "quickbooks": [
        'currency = { value = "USD" }', 'status = { value = "open" }', 'dates = ["%m/%d/%Y"]',
    ],
    "xero": [
        'only = [{ column = "Type", values = ["Sales*"] }]',
        'credit_notes = { column = "Type", values = ["Sales credit note"], written = "positive" }',
    ],
    "stripe": ['[accounts]\nrepeated = "last"'],
}  # fmt: skip
MESSY = (
    "sep=;\r\nAll invoices of 2026\r\n\r\n"
    "Rechnungsnr;Kunde;Datum;Währung;Stand;Artikel;Menge;Einzelpreis;Gesamt\r\n"
    "R-1;Müller;01.02.2026;EUR;bezahlt;Schraube;2;1.000,50;2.001,00\r\n"
    'R-1;Müller;01.02.2026;EUR;bezahlt;"Mutter;\r\ngroß";1;0,50;0,50\r\n;;;;;;;;\r\n'
    "R-2;Groß;13.02.2026;EUR;gemahnt;Nagel;3;1,00;3,00\r\nSumme;;;;;;;;2.004,50\r\n"
)


def suggested(folder, **files):
    """Write files and suggest their mapping."""
    paths = []
    for name, content in files.items():
        paths.append(folder / f"{name}.csv")
        paths[-1].write_bytes(content.encode() if isinstance(content, str) else content)
    return suggest_mapping(paths)


def filled_in(text, answers):
    """Replace the line of each answer's key; put what has none above all."""
    for answer in answers:
        key = answer.partition("\n")[0].partition(" = ")[0]
        lines = text.split("\n")
        places = [n for n, line in enumerate(lines) if line.startswith((f"{key} ", f"{key}\n"))]
        places += [n for n, line in enumerate(lines) if line == key]
        for place in places:
            lines[place] = answer
        if not places:
            lines.insert(0, answer)
        text = "\n".join(lines)
    return text


@pytest.mark.parametrize("system", CASES)
async def test_a_suggestion_once_filled_in_loads_what_the_ready_mapping_loads(
    database, tmp_path, system
):
    written, accounts, invoices, lines = CASES[system]
    paths = []
    for name, content in written.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(content)
    text = suggest_mapping(paths)
    assert f"--map {system}" in text
    mapping = filled_in(text, FILLED_IN[system])
    await load_files(database, mapping=parse_mapping(mapping, "suggested"))
    names = await rows(database, "SELECT name FROM account ORDER BY name")
    assert {name for (name,) in names} == accounts
    amounts = await rows(database, "SELECT amount_cents FROM invoice ORDER BY 1")
    totals = await rows(database, "SELECT total_cents FROM invoice_line ORDER BY 1")
    if system == "northwind":
        # Nothing says that the freight is a line.
        lines = [total for total in lines if total != 3238]
        assert [amount for (amount,) in amounts] == [9932, 28368 - 3238]
    else:
        assert [amount for (amount,) in amounts] == sorted(row[0] for row in invoices)
    assert [total for (total,) in totals] == lines


async def test_a_messy_export_loads_by_its_suggestion_alone(database, tmp_path):
    text = suggested(tmp_path, messy=MESSY.encode("cp1252"))
    assert "???" not in text.split("\n\n", 1)[1]
    assert "adds up" not in text  # there is no amount of an invoice to compare with
    report = await load_files(database, mapping=parse_mapping(text, "suggested"))
    assert [file.inserted for file in report.files] == [2, 2, 3]
    query = "SELECT amount_cents, status::text, issued_at::date::text FROM invoice ORDER BY 1"
    assert await rows(database, query) == [
        (300, "open", "2026-02-13"), (200150, "paid", "2026-02-01"),
    ]  # fmt: skip


async def test_our_own_files_are_suggested_as_they_are(database, tmp_path):
    text = suggested(tmp_path, accounts=ACCOUNTS, invoices=INVOICES, lines=LINES)
    assert 'amounts = "minor"' in text
    await load_files(database, mapping=parse_mapping(text, "suggested"))
    report = await load_files(
        database,
        **{kind: tmp_path / f"{kind}.csv" for kind in ("accounts", "invoices", "lines")},
    )
    assert report.written == 0


INVOICE = "Invoice,Customer,Date,Currency,Status,Total\n"


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("1,A,01/02/2024,EUR,paid,1.50", "dates"),
        ("1,A,sometime,EUR,paid,1.50", "dates"),
        ('1,A,2024-01-02,EUR,paid,"1,234"', "decimal"),
        ("1,A,2024-01-02,EUR,paid,15", "amounts"),
        ("1,A,2024-01-02,EUR,paid,about 15", "amounts"),
        ("1,A,2024-01-02,Taler,paid,1.50", "currency"),
        ("1,A,2024-01-02,EUR,halfway,1.50", "status"),
    ],
)
def test_what_no_value_says_is_left_open_and_refused(tmp_path, row, key):
    text = suggested(tmp_path, export=f"{INVOICE}{row}\n")
    unknown = [line.partition("#")[0] for line in text.splitlines()[3:] if "???" in line]
    assert any(key in line or (key == "status" and "halfway" in line) for line in unknown)
    with pytest.raises(MappingError, match=r"\?\?\?"):
        parse_mapping(text, "suggested")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["31/01/2024", "01/02/2024"], 'dates = ["%d/%m/%Y"]'),
        (["1/31/24", "2/1/24"], 'dates = ["%m/%d/%y"]'),
        (["2024-01-02 10:30:00Z"], 'dates = ["iso"]'),
        (["2024-01-02 00:00:00", "2024-01-02T00:00:00"], 'dates = ["iso"]'),
        (["45000", "45001"], 'dates = ["excel"]'),
        (["1700000000"], 'dates = ["unix"]'),
        (["3 Aug 2026", "2026-01-01"], 'dates = ["iso", "%d %b %Y"]'),
        (["NULL", "2024-01-02"], 'empty = ["NULL"]'),
    ],
)
def test_dates_are_found_out_from_all_values(tmp_path, values, said):
    body = "".join(f"{n},A,{value},EUR,paid,1.50\n" for n, value in enumerate(values))
    text = suggested(tmp_path, export=INVOICE + body)
    assert said in text
    parse_mapping(text, "suggested")


def workbook_of(path, **sheets):
    """Write a workbook of sheets, each a header and one row."""
    workbook = xlsxwriter.Workbook(str(path))
    for name, (header, record) in sheets.items():
        sheet = workbook.add_worksheet(name)
        sheet.write_row(0, 0, header)
        sheet.write_row(1, 0, record)
    workbook.close()
    return path


CLIENTS = (["Id", "Name"], [1, "Ada"])
BILLS = (
    ["Invoice no", "Client id", "Date", "Total", "Currency", "Status"],
    ["A1", 1, "2026-01-02", 19.5, "EUR", "paid"],
)
POSITIONS = (["Line ID", "Invoice no", "Description", "Amount"], ["L1", "A1", "Seats", 19.5])


@pytest.mark.parametrize(
    "positions", [POSITIONS, (["Nr", "Rechnung", "Summe"], ["L1", "A1", 19.5])]
)
async def test_a_workbook_has_a_section_for_each_sheet(database, tmp_path, positions):
    sheets = {"Clients": CLIENTS, "Notes": (["Hello"], ["world"]), "Bills": BILLS}
    path = workbook_of(tmp_path / "book.xlsx", **sheets, Positions=positions)
    text = suggest_mapping([path])
    parsed = tomllib.loads(text)
    kinds = ("accounts", "invoices", "lines")
    assert [parsed[kind]["sheet"] for kind in kinds] == ["Clients", "Bills", "Positions"]
    assert parsed["invoices"]["account_id"] == "Client id"
    report = await load_files(database, mapping=parse_mapping(text, "suggested"))
    assert [file.inserted for file in report.files] == [1, 1, 1]


def test_sheets_of_one_kind_are_named_and_left_to_be_chosen(tmp_path):
    text = suggest_mapping(
        [workbook_of(tmp_path / "book.xlsx", Clients=CLIENTS, January=BILLS, February=BILLS)]
    )
    (line,) = (line for line in text.splitlines() if line.startswith('sheet = "???"'))
    assert '"January" or "February"' in line
    with pytest.raises(MappingError, match=r"sheet is still '\?\?\?'"):
        parse_mapping(text, "suggested")


def test_nested_values_and_floats_of_parquet_are_looked_at_too(tmp_path):
    table = {"Invoice": [1], "Customer": ["A"], "Total": [1.5], "Currency": ["EUR"]}
    nested = {"Tags": [["a"]], "Other": [{"b": 1}], "Date": pa.array([date(2026, 1, 2)])}
    pq.write_table(pa.table(table | nested), tmp_path / "export.parquet")
    parsed = tomllib.loads(suggest_mapping([tmp_path / "export.parquet"]))
    assert (parsed["amounts"], parsed["dates"]) == ("major", ["iso"])


def test_names_that_toml_or_a_terminal_would_mind_are_written_safely(tmp_path):
    header = 'Invoice,"Cust""omer\\","Da\x1bte",Currency,Status,Total\n'
    text = suggested(tmp_path, export=header + '1,"A\x1b[2J",2024-01-02,EUR,paid,1.50\n')
    assert "\x1b" not in text
    tomllib.loads(text)


def test_a_number_beside_an_id_makes_no_line_of_an_account(tmp_path):
    text = suggested(tmp_path, clients="Id,Number,Name\n1,7,Ada\n2,9,Bo\n")
    assert [*tomllib.loads(text)] == ["accounts"]


def test_two_files_of_a_kind_and_no_table_are_refused(tmp_path):
    with pytest.raises(InputFileError, match="looks like accounts"):
        suggested(tmp_path, one="id,name\n1,a\n", two="id,name\n1,a\n")
    with pytest.raises(InputFileError, match="first line is not"):
        suggested(tmp_path, empty="")


SHOPIFY = (
    "Name,Email,Financial Status,Currency,Total,Created at,Billing Name,Id\n"
    "#1001,jane@example.com,paid,USD,54.50,2026-01-31 22:29:00 -0500,Jane Doe,5001\n"
    "#1002,bob@example.com,partially_refunded,EUR,109.00,2026-02-01 09:59:00 +0100,Bob,5002\n"
    "#1003,jane@example.com,refunded,USD,1.00,2026-02-02 09:59:00 -0500,Jane Doe,5003\n"
)


def test_a_refunded_order_is_not_suggested_to_be_a_credit_note(tmp_path):
    text = suggested(tmp_path, orders=SHOPIFY)
    parsed = tomllib.loads(text)
    assert "credit_notes" not in parsed["invoices"]
    assert "time_zone" not in parsed
    assert parsed["words"]["status"] == {"partially_refunded": "???", "refunded": "???"}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("-5.00,Credit note", 'values = ["Credit note"], written = "negative"'),
        ("5.00,Credit note", 'values = ["Credit note"], written = "???"'),
        ("5.00,Refund", 'values = ["Refund"], written = "???"'),
        ("5.00,Credit card", '# credit_notes = { column = "Way", values = ["Credit card"]'),
        ("-5.00,part_refunded", "are they credit notes?"),
    ],
)
def test_the_sign_of_a_credit_note_is_asked_for_unless_its_amounts_have_it(tmp_path, cells, said):
    text = suggested(
        tmp_path,
        bills="Invoice,Customer,Date,Currency,Status,Total,Way\n"
        f"1,A,2024-01-02,EUR,paid,9.50,Sale\n2,A,2024-01-02,EUR,paid,{cells}\n",
    )
    assert said in text
    rule = tomllib.loads(text)["invoices"].get("credit_notes", {"written": None})
    assert rule["written"] in {None, "negative", "???"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,A,03-02-26,EUR,paid,1.50", 'dates = ["???"]'),
        ("1,A,26/02/03,EUR,paid,1.50", 'dates = ["???"]'),
        ("1,A,0302,EUR,paid,1.50", 'dates = ["???"]'),
        ("1,A,260203,EUR,paid,1.50", 'dates = ["???"]'),
        ("1,A,20261302,EUR,paid,1.50", 'dates = ["???"]'),
        ("1,A,2026-02-03 23:30,EUR,paid,1.50", 'time_zone = "???"'),
        ("1,A,2026-02-03 10:00:00,EUR,paid,1.50", 'time_zone = "???"'),
        ("1,A,2026-02-03,EUR,paid,1900.0", 'amounts = "???"'),
        ("1,A,2026-02-03,EUR,refunded,1.50", '"refunded" = "???"'),
        ("1,A,2026-02-03,EUR,complete,1.50", '"complete" = "???"'),
        ("1,A,2026-02-03,EUR,true,1.50", '"true" = "???"'),
    ],
)
def test_what_would_change_a_value_is_asked_for(tmp_path, row, said):
    assert_asked_for(said, suggested(tmp_path, export=f"{INVOICE}{row}\n"))


def test_cents_with_a_point_are_asked_for(tmp_path):
    header = INVOICE.replace("Total", "Total cents")
    row = "1,A,2026-02-03,EUR,paid,1.50"
    assert_asked_for("only some", suggested(tmp_path, export=f"{header}{row}\n"))


def assert_asked_for(said, text):
    assert said in text
    with pytest.raises(MappingError, match=r"\?\?\?"):
        parse_mapping(text, "suggested")


def test_what_a_discount_is_a_part_of_is_asked_for(tmp_path):
    invoices = "Invoice,Customer,Date,Currency,Status\n1,A,2026-02-03,EUR,paid\n"
    lines = "Invoice,Item,Unit price,Quantity,Discount\n1,Pen,20.00,1,0.50\n"
    text = suggested(tmp_path, invoices=invoices, lines=lines)
    assert tomllib.loads(text)["lines"]["total"] == "???"
