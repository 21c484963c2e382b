"""The cells of a row to load: what each may hold, and the rule it breaks when it does not.

An invalid cell raises an error whose type is the rule's name, so that bad rows can be
counted by rule.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from math import isnan
from typing import Annotated, LiteralString, Self
from uuid import UUID, uuid5

from babel.numbers import list_currencies
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from invoicing.models import InvoiceStatus
from invoicing.money import is_currency

# Fixed for ever: another namespace would give every external id another UUID.
ID_NAMESPACES = {
    "account": UUID("a9e1f3c4-5b0d-4c7e-9f53-1d6f0a3b7c01"),
    "invoice": UUID("a9e1f3c4-5b0d-4c7e-9f53-1d6f0a3b7c02"),
    "line": UUID("a9e1f3c4-5b0d-4c7e-9f53-1d6f0a3b7c03"),
}
MAX_CENTS = 2**63 - 1
# From here on two whole numbers share a float.
_UUID_BYTES = 16
_MOST_DIGITS = 39
_EXACT_FLOAT = 2**53
_UUID = re.compile(
    r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE
)
# How PostgreSQL reads one besides: in braces, and with a hyphen after any four digits; and a URN.
_OTHER_UUID = re.compile(
    r"(?:urn:uuid:)?((?:[0-9a-f]{4}-?){7}[0-9a-f]{4})|\{((?:[0-9a-f]{4}-?){7}[0-9a-f]{4})\}",
    re.IGNORECASE,
)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_WRITE_CENTS = "Write whole cents with digits alone: 1900 for 19.00"
_NO_CENTS: tuple[tuple[LiteralString, re.Pattern[str], LiteralString], ...] = (
    (
        "exponent",
        re.compile(r"[+-]?[0-9.,]+e[+-]?[0-9]+", re.IGNORECASE),
        "has an exponent: digits may be lost. Export it again as a number without decimals",
    ),
    (
        "fractional-cents",
        re.compile(r"[+-]?[0-9.,]*[.,][0-9.,]*"),
        "has a decimal point or a separator, and may count cents or whole units. " + _WRITE_CENTS,
    ),
)


class NotAnId(str):
    """The text of a value that tells no row from another: an array, true or false."""

    __slots__ = ()

    def strip(self, _: str | None = None, /) -> NotAnId:
        """Return itself, so that what reads cells does not forget what it is."""
        return self


class UnknownValue(str):
    """The text of a cell that has a value which is not known: it is refused, and is not empty.

    Attributes:
        reason: why, and what to do, to be read after the column's name and the text.
    """

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, text: str, reason: str) -> Self:
        """Keep the reason beside the text."""
        value = super().__new__(cls, text)
        value.reason = reason
        return value


def stable_id(kind: str, external: object) -> UUID:
    """Return the UUID of an external id: the same one on every load and every machine.

    A UUID stays itself in every spelling that PostgreSQL reads, and as a URN. Anything else becomes
    a version 5 UUID of its text without surrounding white space, in a namespace of its kind:
    account 17 is not invoice 17.

    Args:
        kind: `account`, `invoice` or `line`.
        external: text, a number or a UUID; 17, 17.0 and "17" are the same id.
    """
    if isinstance(external, UUID):
        return external
    return _id_of_text(kind, id_text(external))


def id_text(external: object) -> str:
    """Return the text that an external id is known by: 17, 17.0 and " 17 " are `17`.

    A UUID in braces, or as a URN, is known by the UUID alone.
    """
    if isinstance(external, NotAnId):
        rule = "not-an-id"
        raise PydanticCustomError(rule, "is an array, true or false, which is no id")
    if isinstance(external, bytes) and len(external) == _UUID_BYTES:
        return str(UUID(bytes=external))
    if isinstance(external, float) and not isnan(external):
        if abs(external) >= _EXACT_FLOAT:
            rule = "inexact-id"
            raise PydanticCustomError(rule, "is a float too large to be exact. Write it as text")
        external = int(external) if external.is_integer() else external
    elif isinstance(external, Decimal) and external.is_finite() and _is_short_whole(external):
        external = int(external)
    text = _text(external)
    return text if is_uuid(text) else _plain_uuid(text)


def _plain_uuid(text: str) -> str:
    # Case stays: ids that are joined of a UUID and more are those of earlier loads.
    match = _OTHER_UUID.fullmatch(text)
    if match is None:
        return text
    found = match[1] or match[2]
    return found if is_uuid(found) else str(UUID(found))


def _is_short_whole(number: Decimal) -> bool:
    # An exponent alone can stand for more digits than there is memory.
    return -_MOST_DIGITS <= int(number.as_tuple().exponent) <= 0 and number % 1 == 0


def is_uuid(text: str) -> bool:
    """Tell whether an id's text, as `id_text` returns it, is a UUID, which stays itself."""
    return _UUID.fullmatch(text) is not None


# Lines of one invoice mostly stand together: their reference is worked out once.
@lru_cache(maxsize=4096)
def _id_of_text(kind: str, text: str) -> UUID:
    return UUID(text) if is_uuid(text) else uuid5(ID_NAMESPACES[kind], text)


def _text(value: object) -> str:
    """Return the text of a cell that must have one."""
    _refuse_unknown(value)
    text = "" if is_blank(value) else str(value).strip()
    if not text:
        rule = "empty-value"
        raise PydanticCustomError(rule, "is empty")
    if "\x00" in text:
        rule = "nul-character"
        raise PydanticCustomError(rule, "holds a NUL character, which PostgreSQL cannot store")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            rule = "not-utf-8"
            message = "holds bytes that are not UTF-8 (of a text file: --encoding cp1252)"
            raise PydanticCustomError(rule, message) from None
    return text


def _refuse_unknown(value: object) -> None:
    if isinstance(value, UnknownValue):
        rule = "unknown-value"
        raise PydanticCustomError(rule, "{reason}", {"reason": value.reason})


def _optional_text(value: object) -> str | None:
    return None if is_blank(value) else _text(value)


def _cents(value: object) -> object:
    """Return whole minor units, written with digits alone, at most with a sign in front of them.

    White space around them counts no more than around any other cell. Whatever could be read in
    two ways is refused: "1.000" is one unit here and a thousand there, "19.00" may be cents or
    whole units, and an exponent has lost its last digits.
    """
    if type(value) is int or (isinstance(value, Decimal) and value.as_tuple().exponent == 0):
        cents = int(value)
    elif _INTEGER.fullmatch(text := _text(value)) and isinstance(value, str):
        # Longer than any BIGINT: int() refuses thousands of digits with an error of its own.
        cents = int(text) if len(text) <= _MOST_DIGITS else MAX_CENTS + 1
    else:
        raise _no_cents(text)
    if not -MAX_CENTS - 1 <= cents <= MAX_CENTS:
        rule = "out-of-range"
        raise PydanticCustomError(rule, "is beyond what a BIGINT holds (about 9.2e18)")
    return cents


def _no_cents(text: str) -> PydanticCustomError:
    for rule, pattern, message in _NO_CENTS:
        if pattern.fullmatch(text):
            return PydanticCustomError(rule, message)
    rule = "not-a-number"
    return PydanticCustomError(rule, "is not a whole number of cents. " + _WRITE_CENTS)


def _currency(value: object) -> str:
    code = _text(value)
    if not is_known_currency(code):
        rule = "bad-currency"
        raise PydanticCustomError(rule, "is not an ISO 4217 code of three capitals")
    return code


def is_known_currency(code: str) -> bool:
    """Tell whether `code` is an ISO 4217 code in capitals, of today or withdrawn."""
    return code in _currencies() or is_currency(code)


@cache
def _currencies() -> frozenset[str]:
    # Babel also knows the codes that have been withdrawn, which old invoices rightly carry.
    return frozenset(list_currencies())


def _status(value: object) -> InvoiceStatus:
    _refuse_unknown(value)
    if is_blank(value):
        return InvoiceStatus.DRAFT
    try:
        return InvoiceStatus(_text(value).lower())
    except ValueError:
        rule = "unknown-status"
        raise PydanticCustomError(rule, f"is not one of {', '.join(InvoiceStatus)}") from None


_TAKEN_FOR_INFINITE = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def _moment(value: object) -> datetime | None:
    _refuse_unknown(value)
    if is_blank(value):
        return None
    rule = "bad-date"
    try:
        moment = _as_datetime(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError(rule, "is not an ISO 8601 date or time") from None
    # asyncpg takes them for -infinity and infinity, whatever is meant.
    if moment in _TAKEN_FOR_INFINITE:
        message = "is the first or the last moment there is, which would be stored as infinite"
        raise PydanticCustomError(rule, message)
    return moment


def _as_datetime(value: object) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def is_blank(value: object) -> bool:
    """Tell whether a cell holds nothing."""
    # NaN is what pandas makes of a missing value among floats.
    missing = value is None or (isinstance(value, float) and isnan(value))
    return missing or (isinstance(value, str) and not value.strip())


def _id_of(kind: str) -> BeforeValidator:
    return BeforeValidator(lambda value: stable_id(kind, "" if value is None else value))


AccountId = Annotated[UUID, _id_of("account")]
InvoiceId = Annotated[UUID, _id_of("invoice")]
LineId = Annotated[UUID, _id_of("line")]
TextCell = Annotated[str, BeforeValidator(_text)]
OptionalText = Annotated[str | None, BeforeValidator(_optional_text)]
Cents = Annotated[int, BeforeValidator(_cents)]
Currency = Annotated[str, BeforeValidator(_currency)]
StatusCell = Annotated[InvoiceStatus, BeforeValidator(_status)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
