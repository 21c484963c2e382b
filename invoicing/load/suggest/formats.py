"""How amounts and dates are written, found out from all values at once, or left to be said."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from invoicing.load.mapping.model import FileOptions
from invoicing.load.mapping.rules import TO_FILL_IN
from invoicing.load.mapping.values import Amounts, CellError, Moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EMPTY_WORDS = frozenset({"null", "n/a", "na", "none", "nan", "nil", "-", "--", "#n/a"})
# Point and grouping, the plainer first.
_WRITTEN = (
    (".", ""),
    (",", ""),
    (".", ","),
    (",", "."),
    (".", "'"),
    (",", " "),
    (".", " "),
    (",", "'"),
)
_DAYS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d",
    "%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d",
    "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y",
    "%d. %B %Y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_FORMS = ("iso", *(day + time for time in _TIMES for day in _DAYS))
_TRIED = 40
_ZONED = re.compile(r"\d\s*(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)$", re.IGNORECASE)
_MIDNIGHT = re.compile(r"(?<![\d:])(0?0:00(:00(\.0+)?)?|12:00(:00)? AM)$", re.IGNORECASE)
_OF_FLOATS = "0"
# Days as Excel counts them: 1954 to 2119. Other numbers could be anything, such as day and month.
_EXCEL_DAYS = (20_000, 80_000)
_EARLIEST_UNIX, _EARLIEST_MS = 10**8, 10**11


class AmountFormat(NamedTuple):
    """How amounts are written; `why` is the comment beside it."""

    decimal: str
    grouping: str
    why: str


def amounts_of(values: Iterable[object]) -> AmountFormat | None:
    """Return how amounts are written; None when no way explains them all."""
    texts = [value for value in values if isinstance(value, str)]
    ways: dict[tuple[Decimal, ...], tuple[str, str]] = {}
    for decimal, grouping in _WRITTEN:
        read = _read_all(texts, decimal, grouping)
        if read is not None:
            ways.setdefault(read, (decimal, grouping))
    if not ways:
        return None
    if len(ways) > 1:
        first = next(text for text in texts if "," in text or "." in text)
        why = f"{first!r} could be read in {len(ways)} ways; no other value tells which"
        return AmountFormat(TO_FILL_IN, TO_FILL_IN, why)
    ((decimal, grouping),) = ways.values()
    return AmountFormat(decimal, grouping, "explains every amount that was looked at")


def _read_all(texts: Sequence[str], decimal: str, grouping: str) -> tuple[Decimal, ...] | None:
    options = FileOptions.model_construct(
        **dict.fromkeys(FileOptions.model_fields) | {"decimal": decimal, "grouping": grouping}
    )
    amounts = AnyCurrency(options, {})
    try:
        return tuple(amounts.read(text)[0] for text in texts)
    except CellError:
        return None


class AnyCurrency(Amounts):
    """Reads amounts whatever currency stands beside them, and keeps what was there."""

    seen: set[str]

    def currency(self, word: str) -> str:
        """Return the word itself."""
        self.seen = getattr(self, "seen", set()) | {word}
        return word


def has_fractions(values: Iterable[object], written: AmountFormat) -> bool:
    """Tell whether amounts are written with digits after the point, as whole units are.

    A lone zero is none: integers that stood beside an empty cell are exported as 1900.0.
    """
    point = written.decimal
    for value in values:
        if isinstance(value, str):
            _, found, rest = value.rpartition(point)
            digits = "".join(filter(str.isdigit, rest))
            if found and digits not in {"", _OF_FLOATS}:
                return True
        elif (isinstance(value, float) and value % 1) or (
            isinstance(value, Decimal) and (value % 1 or int(value.as_tuple().exponent) < -1)
        ):
            return True
    return False


def dates_of(values: Iterable[object]) -> tuple[list[str], str]:
    """Return the forms of dates that explain all values, and a comment."""
    texts = [str(value) for value in values if not isinstance(value, date)]
    if not texts:
        return ["iso"], "dates of the file itself"
    numbers = _of_numbers(texts)
    if numbers is not None:
        return numbers
    # Most forms explain nothing: those that explain some of the first values are tried on all.
    reads = {form: _dates(texts, form) for form in _FORMS if _dates(texts[:_TRIED], form)}
    left = {*texts}
    chosen: list[str] = []
    while left:
        form = max(reads, key=lambda form: len(left & {*reads[form]}), default="")
        explained = left & {*reads.get(form, ())}
        example = next(text for text in texts if text in (explained or left))
        if not explained:
            others = [text for text in texts if text in left]
            more = {form: _dates(others, form) for form in _FORMS if _dates(others[:_TRIED], form)}
            if not more:
                return [*chosen, TO_FILL_IN], f"{example!r} is in no form that is known"
            reads |= more
            continue
        rivals = [
            other
            for other in reads
            if explained <= {*reads[other]}
            and any(reads[other][text] != reads[form][text] for text in explained)
        ]
        if rivals:
            ways = " or ".join([form, *rivals])
            return [TO_FILL_IN], f"{example!r} may be {ways}: no value tells which"
        chosen.append(form)
        left -= explained
    return chosen, "explains every date that was looked at"


def _of_numbers(texts: Sequence[str]) -> tuple[list[str], str] | None:
    """Return the form of dates that are all numbers."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return None
    if all(len(text) == len("20260803") and text[:2] in {"19", "20"} for text in texts):
        read = _dates(texts, "iso")
        odd = next((text for text in texts if text not in read), None)
        return (["iso"], "dates without hyphens") if odd is None else _no_date(odd)
    if min(numbers) >= _EARLIEST_MS:
        return ["unix-ms"], "milliseconds since 1970"
    if min(numbers) >= _EARLIEST_UNIX:
        return ["unix"], "seconds since 1970"
    first, last = _EXCEL_DAYS
    odd = next((t for t, n in zip(texts, numbers, strict=True) if not first <= n <= last), None)
    return (["excel"], "days as Excel counts them") if odd is None else _no_date(odd)


def _no_date(text: str) -> tuple[list[str], str]:
    return [TO_FILL_IN], f"{text!r} is in no form that is known"


def lacks_zone(values: Iterable[object]) -> str | None:
    """Return the first time of day that does not say its zone; midnight is a date alone."""
    for value in values:
        text = str(value).strip()
        aware = isinstance(value, datetime) and value.tzinfo is not None
        if not aware and ":" in text and not _ZONED.search(text) and not _MIDNIGHT.search(text):
            return text
    return None


def _dates(texts: Sequence[str], form: str) -> dict[str, object]:
    moments = Moments(
        FileOptions.model_construct(**dict.fromkeys(FileOptions.model_fields) | {"dates": [form]})
    )
    read: dict[str, object] = {}
    for text in texts:
        try:
            read[text] = moments.read(text)
        except CellError:
            continue
    return read
