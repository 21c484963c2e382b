"""The files to suggest a mapping for: their layout found out, and what their columns hold."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from invoicing.load.errors import InputFileError
from invoicing.load.source import Layout, number_repeated, open_table
from invoicing.load.suggest.names import is_known
from invoicing.schemas.cells import UnknownValue, is_blank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoicing.load.source import InputSource

READ_ROWS = 20_000
_HEADER_LINES = 12
_MOST_VALUES = 5_000
_BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass
class ColumnSample:
    """A column and what it holds, empty cells left out.

    Attributes:
        values: its distinct values, in the order of the file, at most 5,000.
        filled: how many cells have a value.
        is_unique: whether no value is there twice.
    """

    name: str
    values: dict[object, None] = field(default_factory=dict)
    filled: int = 0
    is_unique: bool = True

    def add(self, value: object) -> None:
        """Take a cell into account."""
        text = value.strip() if isinstance(value, str) else value
        if isinstance(text, list | dict):
            text = str(text)
        self.filled += 1
        if text in self.values:
            self.is_unique = False
        elif len(self.values) < _MOST_VALUES:
            self.values[text] = None

    @property
    def texts(self) -> list[str]:
        """Its distinct values as text."""
        return [str(value) for value in self.values]

    @property
    def sample(self) -> str:
        """A few of its values."""
        return ", ".join(repr(text) for text in self.texts[:3])


@dataclass
class TableSample:
    """A file, or a sheet of a workbook.

    Attributes:
        layout: what had to be found out of it; the rest goes without saying.
        rows: how many were looked at.
        rivals: other sheets of the workbook that look like the same kind.
    """

    path: Path
    layout: Layout
    columns: list[ColumnSample]
    rows: int
    source: InputSource
    rivals: list[str] = field(default_factory=list)


def read_tables(path: Path) -> list[TableSample]:
    """Return what a file holds: one table, or one for each sheet that looks like one."""
    encoding = _encoding(path)
    source = open_table(path, [], Layout(encoding=encoding))
    sheets = getattr(source, "sheets", None)
    if sheets is None:
        return [_table(path, Layout(encoding=encoding))]
    tables = []
    for sheet in sheets:
        try:
            tables.append(_table(path, Layout(sheet=sheet)))
        except InputFileError:
            continue  # an empty sheet
    known = [table for table in tables if _known(table.source) > 1]
    return known or tables


def _encoding(path: Path) -> str | None:
    """Return the encoding that a text file's bytes are of, where it is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            for bom, name in _BOMS.items():
                if start.startswith(bom):
                    return name
            if start.startswith((b"PK", b"PAR1", b"\xd0\xcf", b"\x1f\x8b")):
                return None
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
    except UnicodeDecodeError:
        return "cp1252"
    except OSError as error:
        raise InputFileError(path, error.strerror or str(error)) from None
    return None


def _table(path: Path, layout: Layout) -> TableSample:
    layout = _with_header(path, layout)
    source = open_table(path, [], layout)
    number_repeated(source)
    columns = [ColumnSample(heading) for heading in source.headings]
    rows = 0
    for cells in _rows(source):
        rows += 1
        for column, cell in zip(columns, cells, strict=False):
            if not is_blank(cell) and not isinstance(cell, UnknownValue):
                column.add(cell)
    return TableSample(path, layout, columns, rows, source)


def _rows(source: InputSource) -> Iterator[list[object]]:
    for _, cells, problem in islice(source.rows(), READ_ROWS):
        if problem is None and not all(map(is_blank, cells)):
            yield list(cells)


def _with_header(path: Path, layout: Layout) -> Layout:
    """Find the line of the header below titles: the first whose names are known best."""
    best, known = layout, _known(open_table(path, [], layout))
    for number in range(2, _HEADER_LINES):
        lower = Layout(layout.encoding, layout.delimiter, number, layout.sheet)
        try:
            found = _known(open_table(path, [], lower))
        except InputFileError:
            continue
        if found > max(known, 1):
            best, known = lower, found
    return best


def _known(source: InputSource) -> int:
    return sum(map(is_known, source.columns))
