"""A CSV file, read row by row: comma, semicolon, tab or bar; plain or gzip; UTF-8.

Lines are counted as an editor counts them, also where a quoted cell holds line ends.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from typing import IO, TYPE_CHECKING

from invoicing.load.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DELIMITERS = ",;\t|"
_GZIP = b"\x1f\x8b"
_LONGEST_HEADER = 1_000_000
# The column of a rejects file for what the header has no name for: a row with it is still bad.
UNPARSED = "unparsed"


class CsvSource:
    """Rows of a CSV file.

    Args:
        known: the columns to look for in the header when the delimiter is guessed from it.
    """

    def __init__(self, path: Path, known: Sequence[str]) -> None:
        self.path = path
        with self._open() as file:
            header = self._header(file)
        names = {delimiter: _names(header, delimiter) for delimiter in DELIMITERS}
        self._delimiter = max(names, key=lambda delimiter: len({*names[delimiter]} & {*known}))
        self.columns = names[self._delimiter]

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's first line, its cells, and why it cannot be read, if it cannot.

        The one cell of a row that cannot be read is the text of its lines.
        """
        with self._open() as file:
            record: list[str] = []
            reader = csv.reader(_kept(file, record), delimiter=self._delimiter, strict=True)
            width = len(self.columns)
            next(reader)
            while True:
                line = reader.line_num + 1
                record.clear()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield line, ["".join(record)], _broken(error, line, reader.line_num)
                    continue
                except (OSError, EOFError, zlib.error) as error:
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
        try:
            file = self.path.open("rb")
            if file.peek(2)[:2] == _GZIP:
                file.close()
                return _decoded(gzip.open(self.path))
        except OSError as error:
            raise InputFileError(self.path, error.strerror or str(error)) from None
        return _decoded(file)

    def _header(self, file: IO[str]) -> str:
        try:
            header = file.readline(_LONGEST_HEADER)
            header.encode()
        except UnicodeEncodeError:
            raise InputFileError(self.path, "its header is not UTF-8") from None
        except (OSError, EOFError, zlib.error) as error:
            raise InputFileError(self.path, str(error)) from None
        if not header.strip() or len(header) == _LONGEST_HEADER or "\x00" in header:
            raise InputFileError(self.path, "its first line is not a CSV header")
        return header


def _decoded(file: io.BufferedReader | gzip.GzipFile) -> io.TextIOWrapper:
    # Bytes that are not UTF-8 are a matter of their row, not of the file.
    return io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")


def _kept(file: IO[str], record: list[str]) -> Iterator[str]:
    for line in file:
        record.append(line)
        yield line


def _names(header: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([header], delimiter=delimiter))
    return [
        cell.strip().lower() or f"(unnamed column {number})"
        for number, cell in enumerate(cells, start=1)
    ]


def _broken(error: csv.Error, first: int, last: int) -> str:
    where = f" (lines {first} to {last})" if last > first else ""
    return f"has broken quotes or an endless field{where}: {error}"
