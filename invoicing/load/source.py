"""A file to load, opened as what its first bytes say it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from invoicing.load.csv_source import CsvSource
from invoicing.load.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from invoicing.load.kinds import Kind

_PARQUET = b"PAR1"
_NOT_READ = {
    b"PK\x03\x04": "it is an Excel workbook or a zip archive. Save it as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "it is an old Excel workbook. Save it as CSV (UTF-8)",
    b"\xff\xfe": "it is UTF-16. Save it as CSV UTF-8",
    b"\xfe\xff": "it is UTF-16. Save it as CSV UTF-8",
}


class Source(Protocol):
    """A file whose rows can be read again and again, without holding them."""

    path: Path
    columns: list[str]

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's line, its cells, and why it cannot be read, if it cannot."""
        ...


def open_source(path: Path, kind: Kind) -> Source:
    """Return the file as a source of rows, its columns checked.

    Raises:
        InputFileError: there is no such file, or it is none of those that can be read.
    """
    try:
        if not path.is_file():
            reason = "it is not a regular file" if path.exists() else "there is no such file"
            raise InputFileError(path, reason)
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputFileError(path, error.strerror or str(error)) from None
    for magic, reason in _NOT_READ.items():
        if start.startswith(magic):
            raise InputFileError(path, reason)
    known = [column.name for column in kind.columns]
    source = _parquet(path, kind) if start == _PARQUET else CsvSource(path, known)
    _check_columns(source, kind)
    return source


def _parquet(path: Path, kind: Kind) -> Source:
    # pyarrow takes long to import, and most files are CSV.
    from invoicing.load.parquet_source import ParquetSource

    return ParquetSource(path, kind)


def _check_columns(source: Source, kind: Kind) -> None:
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
        reason = f"as a file of {kind.name} it lacks {', '.join(missing)}; its columns are {found}"
        raise InputFileError(source.path, reason)
