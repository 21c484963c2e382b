"""Small files in the columns of other systems, by the mappings that come with the package."""

from __future__ import annotations

import pytest

from invoicing.load import load_files
from invoicing.load.mapping import read_mapping, ready_mappings
from tests.conftest import newest_server_url
from tests.load.conftest import contents, rows

server_url = newest_server_url

CHINOOK = {
    "Customer.csv": "CustomerId,FirstName,LastName,Company,Country\n"
    "1,Ada,Berg,,Norway\n2,Björn,Öst,Öst AB,Sweden\n",
    "Invoice.csv": "InvoiceId,CustomerId,InvoiceDate,BillingCountry,Total\n"
    "1,1,2021-01-01 00:00:00,Norway,1.98\n2,2,2021-02-11 00:00:00,Sweden,13.86\n",
    "InvoiceLine.csv": "InvoiceLineId,InvoiceId,TrackId,UnitPrice,Quantity\n"
    "1,1,2,0.99,2\n2,2,4,1.98,7\n",
}
# 9.80 * 10 * 0.85 and 34.85 * 3 * 0.95 = 99.3225, and a freight that is nothing.
NORTHWIND = {
    "customers.csv": "CustomerID;CompanyName;Country\nALFKI;Alfreds;Germany\nBONAP;Bon app';NULL\n",
    "orders.csv": "OrderID;CustomerID;OrderDate;ShippedDate;Freight\n"
    "10248;ALFKI;1996-07-04 00:00:00.000;1996-07-16;32.38\n"
    "10249;BONAP;1996-07-05 00:00:00.000;NULL;0\n",
    "order_details.csv": "OrderID;ProductID;UnitPrice;Quantity;Discount\n"
    "10248;11;14;12;0\n10248;42;9.8;10;0.15\n10249;42;34.85;3;0.05\n",
}
STRIPE = {
    "invoices.csv": "id,Customer,Customer Name,Amount Due,Currency,Date (UTC),Number,Total,Status\n"
    "in_1,cus_1,Acme,10.00,usd,2026-01-03 10:22,A-1,10.00,paid\n"
    'in_2,cus_2,Beta KK,"1,000",jpy,2026-01-04 11:22,B-1,"1,000",open\n'
    "in_3,cus_1,Acme Inc,5.50,usd,2026-02-04 11:22,A-2,5.50,uncollectible\n"
}
XERO_COLUMNS = (
    "*ContactName,EmailAddress,*InvoiceNumber,*InvoiceDate,DueDate,Total,Description,Quantity,"
    "UnitAmount,LineAmount,TaxType,TaxAmount,Currency,Type,Sent,Status\n"
)
XERO = {
    "SalesInvoices.csv": XERO_COLUMNS
    + 'Acme,,INV-1,31/01/2026,,"1,200.00",Design,1,600,600.00,,120.00,GBP,Sales invoice,,Paid\n'
    'Acme,,INV-1,31/01/2026,,"1,200.00",Build,1,400,400.00,,80.00,GBP,Sales invoice,,Paid\n'
    "Beta,,CN-1,02/02/2026,,24.00,Back,1,20,20.00,,4.00,GBP,Sales credit note,,Awaiting Payment\n"
    "Gamma,,B-1,02/02/2026,,24.00,Paper,1,20,20.00,,4.00,GBP,Bill,,Paid\n,,,,,,,,,,,,,,,\n"
}
QUICKBOOKS = {
    "invoices.csv": "*InvoiceNo,*Customer,*InvoiceDate,*DueDate,Memo,Item(Product/Service),"
    "ItemDescription,ItemQuantity,ItemRate,*ItemAmount\n"
    "1001,Haven,08/09/2026,09/08/2026,,Seat,Seats,2,100,200.00\n"
    '1001,,,,,Support,,1,1050,"1,050.00"\n'
    "1002,Oak,08/10/2026,09/09/2026,,Seat,Seats,2,100,200.00\n"
    'Total,,,,,,,,,"1,450.00"\n'
}
# For each, its files, and the accounts, invoices and lines that they mean.
CASES = {
    "chinook": (
        CHINOOK,
        {"Ada Berg", "Björn Öst"},
        [(198, "USD", "paid", "2021-01-01"), (1386, "USD", "paid", "2021-02-11")],
        [198, 1386],
    ),
    "northwind": (
        NORTHWIND,
        {"Alfreds", "Bon app'"},
        [(9932, "USD", "open", "1996-07-05"), (28368, "USD", "paid", "1996-07-04")],
        [3238, 8330, 9932, 16800],
    ),
    "stripe": (
        STRIPE,
        {"Acme Inc", "Beta KK"},
        [(550, "USD", "void", "2026-02-04"), (1000, "JPY", "open", "2026-01-04"),
         (1000, "USD", "paid", "2026-01-03")],
        [],
    ),
    "xero": (
        XERO,
        {"Acme", "Beta"},
        [(-2400, "GBP", "open", "2026-02-02"), (120000, "GBP", "paid", "2026-01-31")],
        [-2400, 48000, 72000],
    ),
    "quickbooks": (
        QUICKBOOKS,
        {"Haven", "Oak"},
        [(20000, "USD", "open", "2026-08-10"), (125000, "USD", "open", "2026-08-09")],
        [20000, 20000, 105000],
    ),
}  # fmt: skip


@pytest.mark.parametrize("system", CASES)
async def test_a_ready_mapping_loads_what_its_system_exports(database, tmp_path, system):
    written, accounts, invoices, lines = CASES[system]
    files = []
    for name, text in written.items():
        files.append(tmp_path / name)
        files[-1].write_text(text)
    report = await load_files(database, mapping=system, files=files)
    assert {row[0] for row in await rows(database, "SELECT name FROM account")} == accounts
    query = (
        "SELECT amount_cents, currency, status::text, (issued_at AT TIME ZONE 'UTC')::date::text"
        " FROM invoice ORDER BY amount_cents, currency"
    )
    assert await rows(database, query) == invoices
    totals = await rows(database, "SELECT total_cents FROM invoice_line ORDER BY 1")
    assert [total for (total,) in totals] == lines
    assert sum(month.amount_cents for month in report.sums) == sum(row[0] for row in invoices)
    before = await contents(database)
    again = await load_files(database, mapping=system, files=files)
    assert again.written == 0
    assert await contents(database) == before


def test_every_ready_mapping_is_tried():
    assert {*ready_mappings()} == {*CASES}
    for name in ready_mappings():
        assert read_mapping(name)[0].source == name
