"""Money for people: minor units and a currency code in, text out.

Amounts stay integers everywhere else. How many minor units make one unit (100 cents a euro, 1 a
yen, 1,000 fils a dinar) is what ISO 4217 says, which Unicode's locale data contradicts for some
currencies.
"""

from __future__ import annotations

from functools import cache

from iso4217 import Currency


def is_currency(code: str) -> bool:
    """Tell whether `code` is one of ISO 4217's current codes, in capitals."""
    return code in _codes()


@cache
def _codes() -> frozenset[str]:
    return frozenset(currency.code for currency in Currency)


@cache
def minor_digits(currency: str) -> int:
    """Return how many decimal places `currency` has; 2 for a code that ISO 4217 does not know."""
    if not is_currency(currency):
        return 2
    exponent: int | None = Currency(currency).exponent
    return 2 if exponent is None else exponent


def format_amount(cents: int, currency: str) -> str:
    """Return `cents` minor units as digits with thousands separators: `-1,234.50`."""
    digits = minor_digits(currency)
    units, rest = divmod(abs(cents), 10**digits)
    fraction = f".{rest:0{digits}d}" if digits else ""
    return f"{'-' if cents < 0 else ''}{units:,}{fraction}"


def format_money(cents: int, currency: str) -> str:
    """Return the amount with its currency: `1,234.50 EUR`."""
    return f"{format_amount(cents, currency)} {currency}"
