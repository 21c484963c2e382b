"""Amounts and moments as people write them, read as a mapping says, and in no other way."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from invoicing.money import minor_digits
from invoicing.schemas.cells import is_known_currency

if TYPE_CHECKING:
    from collections.abc import Mapping as Dictionary

    from invoicing.load.mapping.model import FileOptions

# Every digit of an amount is kept, or the amount is refused.
EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])
# Of an amount and its currency.
FRACTION = (
    "is %s %s, which is no whole number of its minor units: correct it, or set rounding = "
    '"half-up" (or "half-even") in the mapping'
)
_ROUNDING = {"half-up": ROUND_HALF_UP, "half-even": ROUND_HALF_EVEN}
_GROUPS = {"": "", ",": ",", ".": r"\.", " ": "[ \u00a0\u2009\u202f]", "'": "['\u2019]"}
# The hyphen last: in a class of characters it would make a range.
_MINUS = "\u2212-"
_PLAIN = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
_EXPONENT = re.compile(r"[+-]?[0-9.,]+e[+-]?[0-9]+", re.IGNORECASE)
_NO_CURRENCY = re.compile(rf"[0-9.,'\u2019\s()+{_MINUS}]")
# Excel counts days with these many digits, and in 1900 a day that never was.
_FLOAT_DIGITS = 15
_MOST_PLACES = 100
_FIRST_SERIAL, _END_OF_SERIALS = 61, 2_958_466
_SERIAL_ZERO = datetime.combine(date(1899, 12, 30), time())  # Excel's days have no zone
_TIMES = re.compile(r"%[HIMSpXcfs]")
_DAY_SECONDS = 86_400


class CellError(Exception):
    """An invalid cell.

    Attributes:
        rule: the rule it breaks.
        message: what is wrong, to be read after the column's name and the value.
        column: which of the columns, where the rule reads several.
    """

    def __init__(self, rule: str, message: str, column: str | None = None) -> None:
        self.rule = rule
        self.message = message
        self.column = column
        super().__init__(message)


class Amounts:
    """Reads amounts: signs, a currency's sign or code beside them, a point and grouping.

    Attributes:
        major: whether they count whole units.
    """

    def __init__(self, options: FileOptions, currencies: Dictionary[str, str]) -> None:
        self._decimal = options.decimal or "."
        self._grouping = options.grouping or ""
        self._rounding = options.rounding
        self.major = options.amounts == "major"
        self._currencies = currencies
        group = _GROUPS[self._grouping]
        # By thousands, or as in India. No program begins a grouped number with a zero: 0.500 is
        # a half of another convention, and read as 500 it would be a thousand times too much.
        grouped = (
            rf"|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+"
            rf"|[1-9][0-9]?(?:{group}[0-9]{{2}})+{group}[0-9]{{3}}"
        )
        grouped = grouped if group else ""
        point = re.escape(self._decimal)
        number = rf"(?P<whole>[0-9]+{grouped})?(?:{point}(?P<part>[0-9]*))?"
        # A point after a currency's name is its own only before a space: "Fr.5" may be a half.
        letter = rf"[^\s0-9.,'\u2019()+{_MINUS}]"
        sign, code = rf"[+{_MINUS}]?", rf"(?:{letter}{{1,5}}(?:\.(?=[\s)]|$)|(?![.,]))|)"
        self._number = re.compile(
            rf"(\()?\s*({sign})\s*({code})\s*({sign})\s*{number}\s*({sign})\s*({code})\s*({sign})\s*(\))?"
        )
        self._group = re.compile(group) if group else None
        self._zero_first = re.compile(rf"[^0-9]*0[0-9]*{group}[0-9]") if group else None

    def read(self, value: object) -> tuple[Decimal, str | None]:
        """Return an amount, and the currency that is written beside it."""
        match value:
            case str() if self._decimal == "." and _PLAIN.fullmatch(value):
                return Decimal(value), None
            case str():
                return self._text(value)
            case bool():
                raise CellError("not-a-number", "is no amount")
            case int():
                return Decimal(value), None
            case float():
                return _of_float(value), None
            case Decimal() if value.is_finite():
                if not -_MOST_PLACES <= int(value.as_tuple().exponent) <= 0:
                    raise CellError("exponent", "has an exponent: digits may be lost")
                return value, None
        raise CellError("not-a-number", "is no amount")

    def _text(self, text: str) -> tuple[Decimal, str | None]:
        if _EXPONENT.fullmatch(text):
            raise CellError("exponent", "has an exponent: digits may be lost. Export it again")
        match = self._number.fullmatch(text)
        if match is None or not (match["whole"] or match["part"]):
            self._refuse_zero_first(text)
            grouping = f"grouped by {self._grouping!r}" if self._grouping else "without grouping"
            message = f"is no amount with {self._decimal!r} as the decimal point, {grouping}"
            raise CellError("not-a-number", message)
        opened, sign1, code1, sign2, _, _, sign3, code2, sign4, closed = match.groups()
        signs = sign1 + sign2 + sign3 + sign4
        if bool(opened) != bool(closed) or len(signs) + bool(opened) > 1 or (code1 and code2):
            raise CellError("not-a-number", "has more signs, brackets or currencies than an amount")
        whole = match["whole"] or "0"
        if self._group is not None:
            whole = self._group.sub("", whole)
        amount = Decimal(f"{whole}.{match['part'] or '0'}")
        code = code1 or code2
        negative = bool(opened) or (signs != "" and signs in _MINUS)
        return (amount.copy_negate() if negative else amount), self.currency(code) if code else None

    def _refuse_zero_first(self, text: str) -> None:
        if self._zero_first is None or self._zero_first.match(text) is None:
            return
        message = f"begins with 0 before {self._grouping!r}, which a grouped number never does"
        if self._grouping in ".,":
            other = f"decimal = {self._grouping!r}, grouping = {self._decimal!r} or nothing"
            message += f". It seems to be written with {other}: correct the mapping or the cell"
        raise CellError("not-a-number", message)

    def currency(self, word: str) -> str:
        """Return the code of a currency's sign, name or code; amounts beside it do not count."""
        meant = self._currencies.get(word.casefold())
        if meant is None and any(character.isdigit() for character in word):
            word = _NO_CURRENCY.sub("", word)
            meant = self._currencies.get(word.casefold())
        meant = meant or ("EUR" if word == "€" else word.upper())
        if not is_known_currency(meant):
            message = (
                f"has {word!r}, which is no ISO 4217 code: say in [words.currency] what it means"
            )
            raise CellError("bad-currency", message)
        return meant

    def minor(self, amount: Decimal, currency: str) -> int:
        """Return an amount as whole minor units of its currency."""
        digits = minor_digits(currency) if self.major else 0
        scaled = EXACT.scaleb(amount, digits)
        whole = scaled.to_integral_value(_ROUNDING.get(self._rounding or "", ROUND_HALF_UP))
        if whole != scaled and self._rounding is None:
            raise CellError("fractional-cents", FRACTION % (f"{amount:f}", currency))
        return int(whole)


def _of_float(value: float) -> Decimal:
    # As Excel shows it: what stands behind the 15th digit is how a computer counts in halves.
    if not isfinite(value):
        raise CellError("not-a-number", "is no amount")
    amount = Decimal(f"{value:.{_FLOAT_DIGITS}g}")
    if abs(value) >= 10**_FLOAT_DIGITS:
        raise CellError("inexact", "is a float too large to be exact. Write it as text")
    return amount


class Moments:
    """Reads dates and times; a date alone is midnight in UTC, so that it stays that day."""

    def __init__(self, options: FileOptions) -> None:
        self._forms = options.dates or ["iso"]
        self._zone = ZoneInfo(options.time_zone or "UTC")
        self._repeated = options.repeated_hour
        self._of_text = lru_cache(4096)(self._read_text)

    def read(self, value: object) -> datetime | None:
        """Return the moment, in UTC."""
        try:
            if isinstance(value, datetime):
                return self._in_utc(value)
            if isinstance(value, date):
                return _midnight(value)
            return self._of_text(value if isinstance(value, str) else f"{value}")
        except OverflowError:
            raise CellError("bad-date", "is beyond the years 1 to 9999") from None

    def _read_text(self, text: str) -> datetime:
        read = {day for form in self._forms if (day := self._in_form(text, form)) is not None}
        if len(read) == 1:
            (moment,) = read
            return self._in_utc(moment) if isinstance(moment, datetime) else _midnight(moment)
        forms = ", ".join(self._forms)
        if read:
            raise CellError("ambiguous-date", f"is another date in each of {forms}")
        raise CellError("bad-date", f"is no date in the form {forms}: see dates in the mapping")

    def _in_form(self, text: str, form: str) -> date | None:
        try:
            match form:
                case "iso":
                    return _iso(text)
                case "excel":
                    return _of_serial(float(text))
                case "unix" | "unix-ms":
                    seconds = int(text) / (1 if form == "unix" else 1000)
                    return datetime.fromtimestamp(seconds, UTC)
            moment = datetime.strptime(text, form)  # noqa: DTZ007 -- the zone comes with _in_utc
        except (ValueError, OverflowError, OSError):
            return None
        return moment if _TIMES.search(form) else moment.date()

    def _in_utc(self, moment: datetime) -> datetime:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        first, second = (moment.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        if first.utcoffset() == second.utcoffset():
            return first.astimezone(UTC)
        if first.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != moment:
            message = f"never was in {self._zone.key}: clocks were put forward"
            raise CellError("bad-date", message)
        if self._repeated is None:
            message = (
                f"was twice in {self._zone.key}, when clocks were put back: set repeated_hour = "
                '"first" or "second" in the mapping'
            )
            raise CellError("ambiguous-date", message)
        return (first if self._repeated == "first" else second).astimezone(UTC)


def _iso(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


def _of_serial(serial: float) -> date | None:
    if not _FIRST_SERIAL <= serial < _END_OF_SERIALS:
        return None
    moment = _SERIAL_ZERO + timedelta(seconds=round(serial * _DAY_SECONDS))
    return moment.date() if serial == int(serial) else moment


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
