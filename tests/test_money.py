"""Money as people read it."""

from __future__ import annotations

import pytest

from invoicing.money import format_amount, format_money, is_currency, minor_digits


@pytest.mark.parametrize(
    ("cents", "currency", "shown"),
    [
        (123_456, "EUR", "1,234.56 EUR"),
        (-5, "USD", "-0.05 USD"),
        (0, "EUR", "0.00 EUR"),
        (1_234_567, "JPY", "1,234,567 JPY"),
        (-1_234, "BHD", "-1.234 BHD"),
        (2**63 - 1, "EUR", "92,233,720,368,547,758.07 EUR"),
        (150, "XTS", "1.50 XTS"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(cents: int, currency: str, shown: str) -> None:
    assert format_money(cents, currency) == shown
    assert format_amount(cents, currency) == shown.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    ("code", "known"), [("EUR", True), ("DEM", False), ("eur", False), ("", False)]
)
def test_only_current_codes_in_capitals_are_currencies(code: str, known: bool) -> None:
    assert is_currency(code) is known


def test_a_currency_without_minor_units_counts_in_hundredths() -> None:
    assert minor_digits("XAU") == 2
