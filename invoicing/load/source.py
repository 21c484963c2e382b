"""A file to load, opened as what its first bytes say it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from invoicing.load.csv_source import CsvSource
from invoicing.load.errors import InputFileError
from invoicing.load.json_source import JsonSource
from invoicing.load.text_file import READ_ERRORS, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from invoicing.load.kinds import FileKind

_PARQUET = b"PAR1"
_EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_FIRST_CHARACTERS = 1000


class InputSource(Protocol):
    """A file whose rows can be read again and again, without holding them.

    Attributes:
        columns: the names of its columns, in lower case.
        headings: the same as they are written.
    """

    path: Path
    columns: list[str]
    headings: list[str]

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's line, its cells, and why it cannot be read, if it cannot."""
        ...


@dataclass(frozen=True)
class Layout:
    """How a file is laid out, as far as that is said and not found out.

    Attributes:
        encoding: of CSV and JSON lines.
        delimiter: of CSV.
        header_row: the line that names the columns.
        sheet: of a workbook.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header_row: int | None = None
    sheet: str | None = None


def open_source(path: Path, kind: FileKind, layout: Layout | None = None) -> InputSource:
    """Return the file as a source of rows, its columns checked.

    Raises:
        InputFileError: there is no such file, or it is none of those that can be read.
    """
    holds = {column.name: column.sql_type for column in kind.columns}
    source = open_table(path, [*holds], layout or Layout(), holds)
    _check_columns(source, kind)
    return source


def open_table(
    path: Path, known: Sequence[str], layout: Layout, holds: Mapping[str, str] | None = None
) -> InputSource:
    """Return the file as a source of rows, whatever its columns are.

    Args:
        path: a CSV, JSON lines, a Parquet file or an Excel workbook.
        known: columns to look for when a delimiter is guessed.
        layout: what is said of it.
        holds: what columns of a Parquet file have to hold; without it they may hold anything.
    """
    try:
        if not path.is_file():
            reason = "there is no such file"
            if path.exists():
                reason = "it is not a regular file, and bad rows are looked up in it again"
            raise InputFileError(path, reason)
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputFileError(path, error.strerror or str(error)) from None
    if start == _PARQUET:
        # pyarrow takes long to import, and most files are CSV.
        from invoicing.load.parquet_source import ParquetSource

        return ParquetSource(path, holds)
    if start.startswith(_EXCEL):
        from invoicing.load.excel_source import ExcelSource

        return ExcelSource(path, sheet=layout.sheet, header_row=layout.header_row)
    return _open_text_table(path, known, layout, start)


def _open_text_table(path: Path, known: Sequence[str], layout: Layout, start: bytes) -> InputSource:
    if layout.encoding is None and start.startswith(_UTF_16):
        raise InputFileError(path, "it is UTF-16. Add --encoding utf-16, or save it as UTF-8")
    match _first_character(path, layout.encoding):
        case "{":
            return JsonSource(path, encoding=layout.encoding)
        case "[" if path.suffix.lower() in {".json", ".jsonl", ".ndjson"}:
            reason = "it is one JSON array. Write an object a line: jq -c '.[]' does it"
            raise InputFileError(path, reason)
    return CsvSource(
        path,
        known,
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        header_row=layout.header_row,
    )


def _first_character(path: Path, encoding: str | None) -> str:
    with open_text(path, encoding) as file:
        try:
            return file.read(_FIRST_CHARACTERS).lstrip()[:1]
        except READ_ERRORS:
            return ""


def number_repeated(source: InputSource) -> None:
    """Give columns of the same name a number, by which a mapping can name them."""
    counts = Counter(source.columns)
    numbers: Counter[str] = Counter()
    for place, name in enumerate(source.columns):
        if counts[name] > 1:
            numbers[name] += 1
            source.columns[place] = f"{name} ({numbers[name]})"
            source.headings[place] += f" ({numbers[name]})"


def _check_columns(source: InputSource, kind: FileKind) -> None:
    repeated = sorted({name for name in source.columns if source.columns.count(name) > 1})
    if repeated:
        raise InputFileError(source.path, f"it has more than one column {', '.join(repeated)}")
    missing = [
        column.name
        for column in kind.columns
        if column.required and column.name not in source.columns
    ]
    if missing:
        found = ", ".join(source.columns)
        reason = (
            f"as a file of {kind.name} it lacks {', '.join(missing)}; its columns are {found}. "
            "A mapping gives them other names: invoicing load --suggest writes one"
        )
        raise InputFileError(source.path, reason)
