from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError
from sqlalchemy import text

from invoicing.load import KINDS
from invoicing.schemas.cells import ID_NAMESPACES, id_text, stable_id
from invoicing.schemas.load import InvoiceRow, LineRow
from tests.conftest import newest_server_url

server_url = newest_server_url


@given(st.uuids())
def test_a_uuid_in_any_spelling_stays_itself(value):
    for spelling in (str(value), str(value).upper(), value.hex, f" {value} ", value, value.bytes):
        assert stable_id("account", spelling) == value


@given(st.uuids())
def test_a_uuid_in_braces_or_as_a_urn_is_the_plain_one(value):
    digits = value.hex
    by_four = "-".join(digits[n : n + 4] for n in range(0, 32, 4))
    for spelling in (
        f"{{{value}}}",
        f"{{{digits}}}",
        f"urn:uuid:{value}",
        f"URN:UUID:{value}",
        by_four,
    ):
        assert stable_id("account", spelling) == stable_id("account", f" {spelling} ") == value
        assert id_text(f"{{{value}}}") == id_text(value) == str(value)
    for other in (
        f"{{{value}",
        f"{value}}}",
        f"{{urn:uuid:{value}}}",
        f"{digits[:3]}-{digits[3:]}",
    ):
        assert stable_id("account", other) != value


async def test_a_uuid_is_the_one_that_postgresql_reads(database):
    value = UUID("8858c75c-0b70-8742-8b42-d8dc8bd372ea")
    spellings = [
        f"{value}",
        f"{{{value}}}",
        f"{{{value.hex}}}",
        "8858-c75c0b70-8742-8b42d8dc8bd372ea",
    ]
    async with database.read_only() as session:
        for spelling in [*spellings, *(spelling.upper() for spelling in spellings)]:
            query = text("SELECT CAST(CAST(:spelling AS text) AS uuid)")
            read = await session.scalar(query, {"spelling": spelling})
            assert stable_id("account", spelling) == read == value


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_an_external_id_is_one_uuid_in_its_kind_and_another_in_others(text):
    if not text.strip():
        return
    ids = {stable_id(kind, text) for kind in ID_NAMESPACES}
    assert len(ids) == 3
    assert stable_id("invoice", f"  {text}\t") == stable_id("invoice", text)
    assert all(id_.version == 5 for id_ in ids)


def test_a_number_is_the_same_id_as_its_digits():
    assert stable_id("line", 17) == stable_id("line", "17") == stable_id("line", 17.0)
    assert stable_id("line", "017") != stable_id("line", "17")


def test_ids_are_the_same_for_ever():
    assert stable_id("account", "17") == UUID("b265a05e-de32-5b7a-8da0-534c3a3f284d")


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_cents_of_any_type_are_exact(cents):
    for value in (cents, str(cents), f" {cents} ", Decimal(cents)):
        row = LineRow.model_validate({"id": 1, "invoice_id": 1, "total_cents": value})
        assert row.total_cents == cents


NO_AMOUNTS = {
    "fractional-cents": [
        "1.000", "19.00", "12.0", "1,5", "1,500", "1.234,56", "1,234,567", "5.", ".5", "-0.0",
        1.5, 1000.0, Decimal("1000.00"), Decimal("5.0"), Decimal("0.5"),
    ],
    "exponent": ["1.23E+17", "1e3", "1,23E+17", "-2E-1", Decimal("1E+3"), 1e300],
    "not-a-number": [
        True, False, "0x10", "1_000", "1 000", "1\u00a0000", "1\u202f000", "1'000", "\ufeff5",
        "\u0665", "\uff15", "\u0663.5", "5-", "\u22125", "(5)", "--5", "€5", "5 EUR", "$5", "5%",
        "nan", "inf", "-Infinity", "=5", "五", "²", [], b"1", float("inf"), Decimal("NaN"),
    ],
    "empty-value": ["", "  ", None, float("nan")],
    "out-of-range": [2**63, -(2**63) - 1, 2**64 - 1, "9" * 5000, Decimal(2**63)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "value"), [(rule, value) for rule, values in NO_AMOUNTS.items() for value in values]
)
def test_what_could_mean_two_amounts_or_none_is_refused(rule, value):
    with pytest.raises(ValidationError) as refused:
        LineRow.model_validate({"id": 1, "invoice_id": 1, "total_cents": value})
    assert [error["type"] for error in refused.value.errors()] == [rule]


@pytest.mark.parametrize("value", ["+5", " 5 ", "5\t", "\u00a05", "0005", Decimal(5), 5])
def test_digits_alone_are_cents_however_they_are_padded(value):
    row = LineRow.model_validate({"id": 1, "invoice_id": 1, "total_cents": value})
    assert row.total_cents == 5


@given(st.text(st.characters(categories=["N", "P", "S", "Z"]), max_size=12))
def test_no_text_but_ascii_digits_is_an_amount(text):
    try:
        row = LineRow.model_validate({"id": 1, "invoice_id": 1, "total_cents": text})
    except ValidationError:
        return
    assert set(text.strip().lstrip("+-")) <= set("0123456789")
    assert row.total_cents == int(text)


@pytest.mark.parametrize("value", [float("nan"), float(2**53), float("inf")])
def test_a_float_that_is_no_exact_number_is_no_id(value):
    with pytest.raises(PydanticCustomError):
        stable_id("line", value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-03", datetime(2026, 8, 3, tzinfo=UTC)),
        ("20260803", datetime(2026, 8, 3, tzinfo=UTC)),
        ("2026-08-03 10:00", datetime(2026, 8, 3, 10, tzinfo=UTC)),
        ("2026-08-03T10:00:00Z", datetime(2026, 8, 3, 10, tzinfo=UTC)),
        ("2026-08-03T10:00:00.5+02:00", datetime(2026, 8, 3, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("  ", None),
    ],
)
def test_a_time_without_a_zone_is_utc(text, moment):
    assert invoice(issued_at=text).issued_at == moment


@pytest.mark.parametrize(
    "text", ["0001-01-01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
)
def test_a_moment_that_would_be_stored_as_infinite_is_refused(text):
    with pytest.raises(ValidationError, match="stored as infinite"):
        invoice(issued_at=text)


@pytest.mark.parametrize("code", ["EUR", "JPY", "DEM", "BGN", "HRK"])
def test_currencies_of_old_invoices_are_currencies(code):
    assert invoice(currency=code).currency == code


def test_a_status_may_be_in_capitals():
    assert invoice(status="Paid").status == "paid"


def test_every_column_says_what_it_holds():
    for kind in KINDS:
        assert kind.columns[0].name == "id"
        assert all(column.meaning for column in kind.columns)


def invoice(**cells: object) -> InvoiceRow:
    defaults = {"id": uuid4(), "account_id": 1, "amount_cents": 1, "currency": "EUR"}
    return InvoiceRow.model_validate(defaults | cells)
