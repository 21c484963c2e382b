"""A table as CSV, Excel or Parquet, for whoever goes on with it elsewhere.

A column of minor units (`amount_cents`, beside `currency`) becomes the amount in units of the row's
currency (`amount`: 1234.50 EUR, 1500 JPY), exact. Dates are dates. What others have written is
never run: in CSV a text that a spreadsheet could take for a formula begins with an apostrophe, in
Excel each text is a text. Parquet has types of its own, and every text as it is.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa
import xlsxwriter
from pyarrow import parquet

from invoicing.money import minor_digits
from invoicing.notebook.errors import ExportError
from invoicing.tables import CENTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

# What spreadsheets begin a formula with; the wide forms are what some East Asian versions read.
_FORMULA = frozenset("=+-@\uff0b\uff1d\uff0d\uff20")
_STEERING = "\t\r\n\0"
# What Excel's sheets and cells hold, and the digits that its numbers keep.
_MOST_ROWS, _MOST_TEXT, _MOST_DIGITS = 1_048_575, 32_767, 15
_FIRST_DAY = date(1900, 3, 1)  # before it, Excel counts a day that never was
_NO_SHEET_NAME = str.maketrans("[]:*?/\\'", "        ")


class ExportColumn(NamedTuple):
    """One column as it is exported.

    Attributes:
        name: its heading: `amount` for `amount_cents`.
        values: Decimal amounts, date, datetime, int, float, bool, str or None.
        digits: decimal places of each amount; None for a column that holds none.
    """

    name: str
    values: Sequence[Any]
    digits: Sequence[int] | None = None


def export_columns(data: pd.DataFrame, hide: Collection[str] = ()) -> list[ExportColumn]:
    """Return the columns to export; the currency is always among them."""
    names = [str(name) for name in data.columns]
    currencies = _values(data["currency"]) if "currency" in names else None
    columns = []
    for name in names:
        if name in hide and name != "currency":
            continue
        values = _values(data[name])
        units = name.removesuffix(CENTS)
        if name.endswith(CENTS) and currencies is not None:
            digits = [minor_digits(str(currency)) for currency in currencies]
            amounts = list(map(_amount, values, digits))
            columns.append(ExportColumn(name if units in names else units, amounts, digits))
        else:
            columns.append(ExportColumn(name, values))
    return columns


def to_csv(columns: Sequence[ExportColumn]) -> bytes:
    """Return RFC 4180 text in UTF-8; moments are ISO 8601 in UTC, what is missing is empty."""
    text = StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow([harmless(column.name) for column in columns])
    writer.writerows(
        zip(*([_csv_text(value) for value in column.values] for column in columns), strict=True)
    )
    return text.getvalue().encode("utf-8", "backslashreplace")


def to_excel(columns: Sequence[ExportColumn], title: str = "") -> bytes:
    """Return a workbook of one sheet, with a filter above each column.

    Excel's numbers have 15 digits and its moments no time zone: an amount with more digits is a
    text, and moments are those of UTC.

    Raises:
        ExportError: the sheet would not hold it.
    """
    rows = max((len(column.values) for column in columns), default=0)
    if rows > _MOST_ROWS:
        raise ExportError("Excel", f"a sheet holds {_MOST_ROWS:,} rows, and this has {rows:,}")
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet(_sheet_name(title))
        formats = _Formats(book)
        for place, column in enumerate(columns):
            sheet.write_string(0, place, column.name, formats.of("heading"))
            for row, value in enumerate(column.values, 1):
                digits = None if column.digits is None else column.digits[row - 1]
                _write_cell(sheet, (row, place), value, digits, formats)
            sheet.set_column(place, place, _width(column))
        sheet.freeze_panes(1, 0)
        if columns:
            sheet.autofilter(0, 0, rows, len(columns) - 1)
    return file.getvalue()


def to_parquet(columns: Sequence[ExportColumn]) -> bytes:
    """Return a Parquet file: amounts are exact decimals, moments have their time zone."""
    arrays = {column.name: _arrow(column) for column in columns}
    file = BytesIO()
    parquet.write_table(pa.table(arrays), file)
    return file.getvalue()


def harmless(text: str) -> str:
    """Return the text so that no spreadsheet reads it as a formula: behind an apostrophe."""
    first = text.lstrip(" \u00a0")[:1]
    risky = first in _FORMULA or text[:1] in _STEERING
    return f"'{text}" if text and risky else text


def _values(column: pd.Series) -> list[Any]:
    values = [_plain(value) for value in column.astype(object)]
    moments = [value for value in values if isinstance(value, datetime)]
    # pandas has no days of its own: a column of midnights without a time zone is one of days.
    if all(value.tzinfo is None and value.time() == time() for value in moments):
        return [value.date() if isinstance(value, datetime) else value for value in values]
    return values


def _plain(value: Any) -> object:  # noqa: ANN401 -- pandas takes no object
    if isinstance(value, (list, dict, bytes)):
        return str(value)
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        moment = value if value.tzinfo is None else value.tz_convert(UTC)
        return moment.to_pydatetime(warn=False)
    if isinstance(value, (bool, int, float, Decimal, date, str)):
        return value
    return value.item() if hasattr(value, "item") else str(value)


def _amount(cents: float | Decimal | None, digits: int) -> Decimal | None:
    if cents is None:
        return None
    exact = Decimal(cents) if isinstance(cents, (int, Decimal)) else Decimal(repr(cents))
    return exact.scaleb(-digits)


def _csv_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):  # and so a moment
        return value.isoformat()
    return harmless(value) if isinstance(value, str) else str(value)


class _Formats:
    """The formats of a workbook's cells, each made once."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[str, Any] = {}
        self._kinds = {
            "heading": {"bold": True, "bottom": 1, "quote_prefix": True},
            "text": {"quote_prefix": True},
            "number text": {"quote_prefix": True, "align": "right"},
            "day": {"num_format": "yyyy-mm-dd"},
            "moment": {"num_format": "yyyy-mm-dd hh:mm:ss"},
            "integer": {"num_format": "#,##0"},
        }

    def of(self, kind: str) -> Format:
        """Return the format of a kind, or of an amount with so many digits: "amount 2"."""
        if kind not in self._made:
            digits = kind.removeprefix("amount ")
            places = "." + "0" * int(digits) if digits.isdigit() and int(digits) else ""
            fallback = {"num_format": f"#,##0{places}"}
            self._made[kind] = self._book.add_format(self._kinds.get(kind, fallback))
        return self._made[kind]


def _write_cell(
    sheet: Worksheet,
    cell: tuple[int, int],
    value: object,
    digits: int | None,
    formats: _Formats,
) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(*cell, value)
    elif isinstance(value, (int, float, Decimal)) and _is_kept(value):
        whole = "integer" if isinstance(value, int) else ""
        kind = whole if digits is None else f"amount {digits}"
        sheet.write_number(*cell, value, formats.of(kind) if kind else None)
    elif isinstance(value, (int, float, Decimal)):
        sheet.write_string(*cell, _csv_text(value), formats.of("number text"))
    elif isinstance(value, date) and _day(value) >= _FIRST_DAY:
        moment = isinstance(value, datetime)
        naive = value.replace(tzinfo=None) if isinstance(value, datetime) else value
        sheet.write_datetime(*cell, naive, formats.of("moment" if moment else "day"))
    else:
        text = value if isinstance(value, str) else _csv_text(value)
        if len(text) > _MOST_TEXT:
            reason = f"a cell holds {_MOST_TEXT:,} characters, and a text has {len(text):,}"
            raise ExportError("Excel", reason)
        sheet.write_string(*cell, text, formats.of("text"))


def _is_kept(number: float | Decimal) -> bool:
    """Tell whether Excel's number has every digit of it."""
    exact = Decimal(number) if isinstance(number, int) else number
    if isinstance(exact, float):
        return exact - exact == 0  # neither infinite nor NaN
    return exact.is_finite() and len(exact.normalize().as_tuple().digits) <= _MOST_DIGITS


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def _sheet_name(title: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in title.translate(_NO_SHEET_NAME))
    name = " ".join(printable.split())[:31].strip()
    return "Table" if name.lower() in {"", "history"} else name


def _width(column: ExportColumn) -> int:
    longest = max((len(_csv_text(value)) for value in column.values), default=0)
    return min(max(longest, len(column.name)) + 3, 60)


def _arrow(column: ExportColumn) -> pa.Array:
    if column.digits is not None:
        amounts = [value for value in column.values if value is not None]
        scale = max((-int(a.as_tuple().exponent) for a in amounts), default=2)
        return pa.array(column.values, pa.decimal128(38, max(scale, 0)))
    try:
        return pa.array(column.values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in column.values])
