"""The cells of a row to load: what each may hold, and the rule it breaks when it does not.

A cell that cannot be meant raises an error whose type is the rule's name, so that bad rows can be
counted by rule.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Annotated
from uuid import UUID, uuid5

from babel.numbers import list_currencies
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from invoicing.models import InvoiceStatus
from invoicing.schemas.money import is_currency

# Fixed for ever: another namespace would give every external id another UUID.
ID_NAMESPACES = {
    "account": UUID("a9e1f3c4-5b0d-4c7e-9f53-1d6f0a3b7c01"),
    "invoice": UUID("a9e1f3c4-5b0d-4c7e-9f53-1d6f0a3b7c02"),
    "line": UUID("a9e1f3c4-5b0d-4c7e-9f53-1d6f0a3b7c03"),
}
MAX_CENTS = 2**63 - 1
_UUID = re.compile(
    r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE
)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def stable_id(kind: str, external: object) -> UUID:
    """Return the UUID of an external id: the same one on every load and every machine.

    A UUID, with or without hyphens, stays itself. Anything else becomes a version 5 UUID of its
    text without surrounding white space, in a namespace of its kind: account 17 is not invoice 17.

    Args:
        kind: `account`, `invoice` or `line`.
        external: text, a number or a UUID; 17, 17.0 and "17" are the same id.
    """
    if isinstance(external, UUID):
        return external
    if isinstance(external, bytes) and len(external) == 16:  # noqa: PLR2004 -- a UUID's bytes
        return UUID(bytes=external)
    if isinstance(external, float) and external.is_integer():
        external = int(external)
    return _id_of_text(kind, _text(str(external)))


# Lines of one invoice mostly stand together: their reference is worked out once.
@lru_cache(maxsize=4096)
def _id_of_text(kind: str, text: str) -> UUID:
    return UUID(text) if _UUID.fullmatch(text) else uuid5(ID_NAMESPACES[kind], text)


def _text(value: object) -> str:
    """Return the text of a cell that must have one."""
    text = value.strip() if isinstance(value, str) else "" if value is None else str(value)
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
            raise PydanticCustomError(rule, "holds bytes that are not UTF-8") from None
    return text


def _optional_text(value: object) -> str | None:
    return None if _is_blank(value) else _text(value)


def _cents(value: object) -> object:
    """Return whole minor units; a fraction of zero ("12.0", as spreadsheets write it) is none."""
    if type(value) is str and _INTEGER.fullmatch(text := value.strip()):
        # Longer than any BIGINT: int() refuses thousands of digits with an error of its own.
        cents = int(text) if len(text) < 40 else MAX_CENTS + 1  # noqa: PLR2004
    else:
        cents = value if type(value) is int else _cents_of_number(value)
    if not -MAX_CENTS - 1 <= cents <= MAX_CENTS:
        rule = "out-of-range"
        raise PydanticCustomError(rule, "is beyond what a BIGINT holds (about 9.2e18)")
    return cents


def _cents_of_number(value: object) -> int:
    try:
        number = Decimal(_text(value).replace("_", "x"))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or isinstance(value, bool):
        rule = "not-a-number"
        raise PydanticCustomError(rule, "is not a whole number of cents")
    if number.adjusted() > 19:  # noqa: PLR2004 -- the digits of a BIGINT
        return MAX_CENTS + 1
    if number != number.to_integral_value():
        rule = "fractional-cents"
        raise PydanticCustomError(rule, "has a fraction: amounts are whole cents")
    return int(number)


def _currency(value: object) -> str:
    code = _text(value)
    if code not in _currencies() and not is_currency(code):
        rule = "bad-currency"
        raise PydanticCustomError(rule, "is not an ISO 4217 code of three capitals")
    return code


@cache
def _currencies() -> frozenset[str]:
    # Babel also knows the codes that have been withdrawn, which old invoices rightly carry.
    return frozenset(list_currencies())


def _status(value: object) -> InvoiceStatus:
    if _is_blank(value):
        return InvoiceStatus.DRAFT
    try:
        return InvoiceStatus(_text(value).lower())
    except ValueError:
        rule = "unknown-status"
        raise PydanticCustomError(rule, f"is not one of {', '.join(InvoiceStatus)}") from None


def _moment(value: object) -> datetime | None:
    if _is_blank(value):
        return None
    try:
        return _as_datetime(value).astimezone(UTC)
    except (ValueError, OverflowError):
        rule = "bad-date"
        raise PydanticCustomError(rule, "is not an ISO 8601 date or time") from None


def _as_datetime(value: object) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _id_of(kind: str) -> BeforeValidator:
    return BeforeValidator(lambda value: stable_id(kind, "" if value is None else value))


AccountId = Annotated[UUID, _id_of("account")]
InvoiceId = Annotated[UUID, _id_of("invoice")]
LineId = Annotated[UUID, _id_of("line")]
Text = Annotated[str, BeforeValidator(_text)]
OptionalText = Annotated[str | None, BeforeValidator(_optional_text)]
Cents = Annotated[int, BeforeValidator(_cents)]
Currency = Annotated[str, BeforeValidator(_currency)]
Status = Annotated[InvoiceStatus, BeforeValidator(_status)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
