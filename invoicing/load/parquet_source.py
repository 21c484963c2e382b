"""A Parquet file, read batch by batch; its lines are its rows, counted from 1.

A column is refused as a whole when its type cannot mean what the column holds: a decimal or a
float does not say whether it counts cents or whole units.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from invoicing.load.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_BATCH_ROWS = 5_000
_UUID_BYTES = 16
_IS = pa.types
_TEXT = (_IS.is_string, _IS.is_large_string, _IS.is_string_view)
_BYTES = (
    _IS.is_binary,
    _IS.is_large_binary,
    _IS.is_binary_view,
    _IS.is_fixed_size_binary,
)
_READ_AS_TEXT = (*_TEXT, *_BYTES, _IS.is_null)
_IN_MINOR_UNITS = (
    "a decimal or a float may count cents or whole units, and a float is not exact. Write whole "
    'cents as int64 (in pandas: .astype("Int64"), which also has room for missing values)'
)


class ParquetSource:
    """Rows of a Parquet file.

    Args:
        holds: the SQL type of what each column has to hold; without it, a mapping reads them.

    Raises:
        InputFileError: it cannot be read, or a column's type cannot hold what it has to.
    """

    def __init__(self, path: Path, holds: Mapping[str, str] | None) -> None:
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                schema = file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise InputFileError(path, _first_line(error)) from None
        self.headings = [name.strip() for name in schema.names]
        self.columns = [heading.lower() for heading in self.headings]
        mapped = "uuid" if holds is None else None
        self._holds = [(holds or {}).get(name, mapped) for name in self.columns]
        for name, kept, type_ in zip(self.columns, self._holds, schema.types, strict=True):
            problem = holds is not None and kept and _misfit(kept, _plain(type_))
            if problem:
                raise InputFileError(path, f"its column {name} is of type {type_}: {problem}")

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's number, its cells, and None: no row of Parquet is broken."""
        numbers = count(1)
        try:
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                    columns = [
                        _values(column, holds)
                        for column, holds in zip(batch.columns, self._holds, strict=True)
                    ]
                    for cells in zip(*columns, strict=True):
                        yield next(numbers), cells, None
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise InputFileError(self.path, _first_line(error)) from None


def _misfit(holds: str, type_: pa.DataType) -> str | None:
    """Return why a column of `type_` cannot be read as the SQL type it holds; None if it can."""
    match holds:
        case "bigint":
            if _is_any(type_, *_READ_AS_TEXT, _IS.is_integer, _is_whole_decimal):
                return None
            if _is_any(type_, _IS.is_decimal, _IS.is_floating):
                return _IN_MINOR_UNITS
            return "amounts are whole cents. Write them as int64"
        case "timestamptz":
            fits = _is_any(type_, *_READ_AS_TEXT, _IS.is_timestamp, _IS.is_date)
            return None if fits else "it holds no dates. Write timestamps, dates, or ISO 8601 text"
        case _:
            unfit = (_IS.is_nested, _IS.is_temporal, _IS.is_interval)
            if not _is_any(type_, *unfit) and (holds == "text" or not _IS.is_boolean(type_)):
                return None
            return "it cannot be read as text. Write it as a string"


def _is_any(type_: pa.DataType, *questions: Callable[[pa.DataType], bool]) -> bool:
    return any(question(type_) for question in questions)


def _is_whole_decimal(type_: pa.DataType) -> bool:
    """Tell whether a decimal has no digits after the point, as a NUMERIC(18) key has."""
    return bool(_IS.is_decimal(type_) and type_.scale <= 0)


def _plain(type_: pa.DataType) -> pa.DataType:
    """Return what a dictionary's keys stand for, and what an extension type stores."""
    while True:
        if _IS.is_dictionary(type_):
            type_ = type_.value_type
        elif isinstance(type_, pa.BaseExtensionType):
            type_ = type_.storage_type
        else:
            return type_


def _values(column: pa.Array, holds: str | None) -> list[object]:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if _IS.is_timestamp(column.type):
        # Python's times and PostgreSQL's end at microseconds. The moment is what counts: a zone's
        # name, which this machine may not know, is not asked for.
        zone, unit = column.type.tz, column.type.unit
        column = column.cast(pa.timestamp("us", zone), safe=unit != "ns")
        column = column.cast(pa.timestamp("us", zone and "UTC"))
    values: list[Any] = column.to_pylist()
    if holds is not None and _is_any(column.type, *_BYTES):
        is_uuid = holds == "uuid" and column.type == pa.binary(_UUID_BYTES)
        return [_of_bytes(value, is_uuid=is_uuid) for value in values]
    return values


def _of_bytes(value: bytes | None, *, is_uuid: bool) -> object:
    """Return a UUID, or text; bytes that are not UTF-8 are a matter of their row."""
    if value is None:
        return None
    return UUID(bytes=value) if is_uuid else value.decode("utf-8", "surrogateescape")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
