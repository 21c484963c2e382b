"""A CSV file, read row by row: comma, semicolon, tab or bar; plain or gzip; UTF-8 or as named.

Lines are counted as an editor counts them, also where a quoted cell holds line ends. A first line
`sep=;` names the delimiter.
"""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from itertools import islice
from typing import IO, TYPE_CHECKING

from invoicing.load.errors import InputFileError
from invoicing.load.text_file import READ_ERRORS, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DELIMITERS = ",;\t|"
_LONGEST_HEADER = 1_000_000
_SEPARATOR = "sep="
# The column of a rejects file for what the header has no name for: a row with it is still bad.
UNPARSED = "unparsed"


class CsvSource:
    """Rows of a CSV file.

    Args:
        known: the columns to look for in the header when the delimiter is guessed from it.
        encoding: of its text; UTF-8 when not given.
        delimiter: between its cells; found from the header when not given.
        header_row: the line of its header; the first that is not blank when not given.
    """

    def __init__(
        self,
        path: Path,
        known: Sequence[str],
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        header_row: int | None = None,
    ) -> None:
        self.path = path
        self._encoding = encoding
        with open_text(path, encoding) as file:
            try:
                self._above, separator = _above_header(file, header_row)
            except READ_ERRORS as error:
                raise InputFileError(path, str(error)) from None
        with self._open() as file:
            header = self._header(file)
        delimiter = delimiter or separator
        names = {mark: _cells(header, mark) for mark in delimiter or DELIMITERS}
        known = [*map(str.lower, known)]
        self.delimiter = max(
            names, key=lambda mark: (len({*_columns(names[mark])} & {*known}), len(names[mark]))
        )
        self.headings = _headings(names[self.delimiter])
        self.columns = _columns(self.headings)

    @property
    def found(self) -> str:
        """How it is read, as far as it was found out."""
        return f"cells are between {self.delimiter!r}, the header is on line {self._above + 1}"

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's first line, its cells, and why it cannot be read, if it cannot.

        The one cell of a row that cannot be read is the text of its lines.
        """
        with self._open() as file:
            record: list[str] = []
            reader = csv.reader(_kept(file, record), delimiter=self.delimiter, strict=True)
            width = len(self.columns)
            _skip_header(reader)
            while True:
                line = self._above + reader.line_num + 1
                record.clear()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    last = self._above + reader.line_num
                    yield line, ["".join(record)], _broken(error, line, last)
                    continue
                except READ_ERRORS as error:
                    raise InputFileError(self.path, str(error)) from None
                if len(cells) == width:
                    yield line, cells, self._unparsed(cells)
                elif cells:
                    yield line, cells, f"has {len(cells)} fields where the header has {width}"

    def _unparsed(self, cells: Sequence[str]) -> str | None:
        """Return why a row of a rejects file is bad as long as it was not corrected."""
        if UNPARSED in self.columns and cells[self.columns.index(UNPARSED)].strip():
            return f"has a cell under {UNPARSED}: correct the row, and clear that cell"
        return None

    def _open(self) -> IO[str]:
        """Open it at its header."""
        file = open_text(self.path, self._encoding)
        try:
            for _ in islice(file, self._above):
                pass
        except READ_ERRORS as error:
            file.close()
            raise InputFileError(self.path, str(error)) from None
        return file

    def _header(self, file: IO[str]) -> str:
        """Return the lines of the header: several, where a quoted name goes on in the next."""
        header = ""
        try:
            while not header or (header.count('"') % 2 and len(header) < _LONGEST_HEADER):
                line = file.readline(_LONGEST_HEADER)
                if not line:
                    break
                header += line
            header.encode()
        except UnicodeEncodeError:
            reason = f"its header is not {(self._encoding or 'utf-8').upper()}"
            if self._encoding is None:
                reason += ": name its encoding, such as --encoding cp1252 or latin-1"
            raise InputFileError(self.path, reason) from None
        except READ_ERRORS as error:
            raise InputFileError(self.path, str(error)) from None
        if not header.strip() or len(header) >= _LONGEST_HEADER or "\x00" in header:
            raise InputFileError(self.path, "its first line is not a CSV header")
        return header


def _above_header(file: IO[str], header_row: int | None) -> tuple[int, str | None]:
    """Return how many lines stand above the header, and the delimiter that they name."""
    if header_row is not None:
        return header_row - 1, None
    above, separator = 0, None
    while line := file.readline(_LONGEST_HEADER):
        text = line.rstrip("\r\n")
        if text[:4].lower() == _SEPARATOR and len(text) == len(_SEPARATOR) + 1:
            separator = text[-1]
        elif text.strip():
            break
        above += 1
    return above, separator


def _skip_header(reader: Iterator[list[str]]) -> None:
    # A header with a stray quote is read leniently; its names were taken already.
    with suppress(csv.Error):
        next(reader)


def _kept(file: IO[str], record: list[str]) -> Iterator[str]:
    for line in file:
        record.append(line)
        yield line


def _cells(header: str, delimiter: str) -> list[str]:
    return next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), [])


def _headings(cells: Sequence[str]) -> list[str]:
    return [
        " ".join(cell.split()) or f"(unnamed column {number})"
        for number, cell in enumerate(cells, start=1)
    ]


def _columns(headings: Sequence[str]) -> list[str]:
    return [heading.strip().lower() for heading in headings]


def _broken(error: csv.Error, first: int, last: int) -> str:
    where = f" (lines {first} to {last})" if last > first else ""
    return f"has broken quotes or an endless field{where}: {error}"
