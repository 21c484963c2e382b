"""Amounts and moments in the forms that people and programs write."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from babel.numbers import format_decimal
from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.load.mapping.cells import Columns, id_reader
from invoicing.load.mapping.model import FileOptions
from invoicing.load.mapping.rules import CellRule
from invoicing.load.mapping.values import Amounts, CellError, Moments

if TYPE_CHECKING:
    from invoicing.load.source import InputSource

SWISS = {"amounts": "major", "decimal": ".", "grouping": "'"}
GERMAN = {"amounts": "major", "decimal": ",", "grouping": "."}
ENGLISH = {"amounts": "major", "grouping": ","}
FRENCH = {"amounts": "major", "decimal": ",", "grouping": " "}
PLAIN = {"amounts": "major"}
CENTS = {"amounts": "minor", "grouping": ","}


def cents(value: object, options: dict[str, str], currency: str = "EUR") -> int:
    amounts = Amounts(FileOptions(**options), {"chf": "CHF", "$": "USD", "fr.": "CHF"})
    return amounts.minor(amounts.read(value)[0], currency)


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        ("1.234,56", GERMAN, 123456),
        ("1.234", GERMAN, 123400),
        ("-1.234,5", GERMAN, -123450),
        ("CHF 1'234.50", SWISS, 123450),
        ("1\u2019234.50 CHF", SWISS, 123450),
        ("Fr. 12", SWISS, 1200),
        ("(123.45)", PLAIN, -12345),
        ("12-", PLAIN, -1200),
        ("\u221212", PLAIN, -1200),
        ("€ 1,5", GERMAN, 150),
        ("-€1,50", GERMAN, -150),
        ("€-1,50", GERMAN, -150),
        ("$1,234.50", ENGLISH, 123450),
        ("12,34,567.00", ENGLISH, 123456700),
        ("1\u202f234,50", FRENCH, 123450),
        ("1\u00a0234,50 €", FRENCH, 123450),
        ("+12.30", PLAIN, 1230),
        ("12.340", PLAIN, 1234),
        (".5", PLAIN, 50),
        ("007", PLAIN, 700),
        (12, PLAIN, 1200),
        (19.99, PLAIN, 1999),
        # What a sheet shows as 0.3, and what doubles make of 1.15 * 100.
        (0.1 + 0.2, PLAIN, 30),
        (Decimal("19.90"), PLAIN, 1990),
        ("1,900", CENTS, 1900),
        ("1900.00", CENTS, 1900),
    ],
)
def test_an_amount_is_what_a_person_means_by_it(value, options, expected):
    assert cents(value, options) == expected


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("1,234.56", PLAIN),
        ("1.234.56", GERMAN),
        ("1.23", GERMAN),
        ("1,23.45", ENGLISH),
        ("1,2345.00", ENGLISH),
        ("1 234", ENGLISH),
        ("1e3", PLAIN),
        ("1,23E+5", GERMAN),
        (Decimal("1E+3"), PLAIN),
        (Decimal("1E-999999"), PLAIN),
        ("12.345", PLAIN),
        ("(-12)", PLAIN),
        ("-12-", PLAIN),
        ("(12", PLAIN),
        ("--12", PLAIN),
        ("12 %", PLAIN),
        ("12 CR", PLAIN),
        ("£ 12", PLAIN),
        ("Fr.5", PLAIN),
        ("EUR 12 USD", PLAIN),
        ("", PLAIN),
        (".", PLAIN),
        ("-", PLAIN),
        ("=SUM(A1:A9)", PLAIN),
        ("#REF!", PLAIN),
        ("\u0665", PLAIN),
        (True, PLAIN),
        (float("inf"), PLAIN),
        (float("nan"), PLAIN),
        (1e17, PLAIN),
        (12.345, PLAIN),
        ("1.5", CENTS),
        ([], PLAIN),
    ],
)
def test_an_amount_that_the_mapping_does_not_explain_is_refused(value, options):
    with pytest.raises(CellError):
        cents(value, options)


@pytest.mark.parametrize("options", [GERMAN, ENGLISH, SWISS, FRENCH])
@pytest.mark.parametrize(
    "text",
    ["0.500", "-0.125", "00.500", "010.000", "(0.050)", "0.500 EUR", "0.500.000", "01.00.000"],
)
def test_a_grouped_number_that_begins_with_zero_is_refused(text, options):
    written = text.replace(".", options["grouping"])
    with pytest.raises(CellError, match=r"begins with 0 before"):
        cents(written, options)


@pytest.mark.parametrize(("text", "seems"), [("0.500", GERMAN), ("0,500", ENGLISH)])
def test_the_refusal_says_which_convention_it_seems_to_be(text, seems):
    with pytest.raises(CellError, match=f"decimal = '{seems['grouping']}'"):
        cents(text, seems)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("0,500", GERMAN, 50),
        (",500", GERMAN, 50),
        ("0.50", ENGLISH, 50),
        ("1,00,000", ENGLISH, 10_000_000),
        ("100.000", GERMAN, 10_000_000),
        ("0", GERMAN, 0),
    ],
)
def test_a_number_that_grouping_explains_is_read(text, options, expected):
    assert cents(text, options) == expected


@pytest.mark.parametrize("text", [".500", "1.00.00", "123.45.678", "1.234.56.789"])
def test_groups_of_other_lengths_are_refused(text):
    with pytest.raises(CellError):
        cents(text, GERMAN)


@pytest.mark.parametrize(
    ("text", "currency", "expected"),
    [("1234", "JPY", 1234), ("1.234", "KWD", 1234), ("1234.00", "JPY", 1234), ("1", "KWD", 1000)],
)
def test_minor_units_are_the_currencys_own(text, currency, expected):
    assert cents(text, PLAIN, currency) == expected


@pytest.mark.parametrize(("text", "currency"), [("1.5", "JPY"), ("1.2345", "KWD")])
def test_a_fraction_of_a_minor_unit_is_refused_unless_rounding_is_named(text, currency):
    with pytest.raises(CellError, match="rounding"):
        cents(text, PLAIN, currency)
    assert cents(text, PLAIN | {"rounding": "half-up"}, currency) in {2, 1235}
    assert cents(text, PLAIN | {"rounding": "half-even"}, currency) in {2, 1234}


LOCALES = {"en_US": ENGLISH, "de_DE": GERMAN, "de_CH": SWISS, "fr_FR": FRENCH, "en_IN": ENGLISH}


@settings(deadline=None)  # the first look at a locale reads its data
@given(st.integers(-(10**14), 10**14), st.sampled_from([*LOCALES]))
def test_what_unicode_writes_in_a_locale_is_read_back(amount, locale):
    written = format_decimal(Decimal(amount).scaleb(-2), format=None, locale=locale)
    assert cents(written, LOCALES[locale]) == amount


def read(value: object, **options: object) -> datetime | None:
    return Moments(FileOptions(**options)).read(value)


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        ("2024-02-01", {}, datetime(2024, 2, 1, tzinfo=UTC)),
        ("01/02/2024", {"dates": ["%d/%m/%Y"]}, datetime(2024, 2, 1, tzinfo=UTC)),
        ("1/2/24", {"dates": ["%m/%d/%y"]}, datetime(2024, 1, 2, tzinfo=UTC)),
        ("3 Aug 2026", {"dates": ["iso", "%d %b %Y"]}, datetime(2026, 8, 3, tzinfo=UTC)),
        ("45000", {"dates": ["excel"]}, datetime(2023, 3, 15, tzinfo=UTC)),
        (45000.5, {"dates": ["excel"]}, datetime(2023, 3, 15, 12, tzinfo=UTC)),
        (1700000000, {"dates": ["unix"]}, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("1700000000000", {"dates": ["unix-ms"]}, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        # A date alone stays that day, whatever the zone: it would be billed in another month.
        ("2026-01-01", {"time_zone": "Europe/Zurich"}, datetime(2026, 1, 1, tzinfo=UTC)),
        (date(2026, 1, 1), {"time_zone": "Europe/Zurich"}, datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-07-01 00:30", {"time_zone": "Asia/Tokyo"}, datetime(2026, 6, 30, 15, 30, 0, 0, UTC)),
        ("2026-07-01T12:00+02", {"time_zone": "Asia/Tokyo"}, datetime(2026, 7, 1, 10, tzinfo=UTC)),
        (
            "2026-10-25 02:30", {"time_zone": "Europe/Zurich", "repeated_hour": "second"},
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ),
    ],
)  # fmt: skip
def test_a_moment_is_read_as_the_mapping_says(value, options, expected):
    assert read(value, **options) == expected


@pytest.mark.parametrize(
    ("value", "options", "rule"),
    [
        ("01/02/2024", {}, "bad-date"),
        ("13/13/2024", {"dates": ["%d/%m/%Y"]}, "bad-date"),
        ("01/02/2024", {"dates": ["%d/%m/%Y", "%m/%d/%Y"]}, "ambiguous-date"),
        ("01/02/24", {"dates": ["%d/%m/%Y"]}, "bad-date"),
        ("45000", {}, "bad-date"),
        ("60", {"dates": ["excel"]}, "bad-date"),
        ("2026-03-29 02:30", {"time_zone": "Europe/Zurich"}, "bad-date"),
        ("2026-10-25 02:30", {"time_zone": "Europe/Zurich"}, "ambiguous-date"),
        ("0001-01-01T00:00+05:00", {}, "bad-date"),
        ("1e999", {"dates": ["excel"]}, "bad-date"),
    ],
)
def test_a_moment_that_could_be_two_or_none_is_refused(value, options, rule):
    with pytest.raises(CellError) as refused:
        read(value, **options)
    assert refused.value.rule == rule


@given(rows=st.lists(st.tuples(*[st.text("a/%25F", min_size=1, max_size=4)] * 3), unique=True))
def test_ids_of_several_parts_are_one_only_where_all_parts_are(rows):
    source = cast("InputSource", SimpleNamespace(columns=["a", "b", "c"], path=None))
    read = id_reader(
        Columns(source, FileOptions()), CellRule(columns=("a", "b", "c")), FileOptions()
    )
    ids = [read(row) for row in rows]
    assert len(set(ids)) == len(rows)
    plain = [row for row in rows if not set("/%") & set("".join(row[1:]))]
    assert {read(row) for row in plain} == {"/".join(row) for row in plain}
