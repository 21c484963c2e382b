"""A Parquet file, read batch by batch; its lines are its rows, counted from 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from invoicing.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BATCH_ROWS = 5_000


class ParquetSource:
    """Rows of a Parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                self._names = file.schema_arrow.names
        except (pa.ArrowException, OSError) as error:
            raise InputFileError(path, _first_line(error)) from None
        self.columns = [name.strip().lower() for name in self._names]

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's number, its cells, and None: no row of Parquet is broken."""
        line = 0
        try:
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                    columns = [_values(column) for column in batch.columns]
                    for line, cells in enumerate(zip(*columns, strict=True), start=line + 1):  # noqa: B020 -- the count goes on
                        yield line, cells, None
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise InputFileError(self.path, _first_line(error)) from None


def _values(column: pa.Array) -> list[object]:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python's times and PostgreSQL's end at microseconds.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    values: list[object] = column.to_pylist()
    return values


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
