"""Bad rows with what they hold: a second look at the files, taken only when there are some."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from invoicing.files import make_private_folder, private_file
from invoicing.load.csv_source import UNPARSED
from invoicing.load.errors import RejectsError
from invoicing.load.mapping.cells import JOINED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from invoicing.load.source import InputSource
    from invoicing.load.staging import Staging

OWN_COLUMNS = ("file", "line", "reason")
_SHOWN = 60


async def rejected_rows(
    staging: Staging, source: InputSource, parts: Sequence[tuple[str, int]], limit: int | None
) -> AsyncIterator[tuple[int, str, Sequence[object]]]:
    """Yield the bad rows of a file by line: the line, every reason, and its cells."""
    rows = source.rows()
    async for problem in staging.problems(parts, limit):
        for line, cells, _ in rows:
            if line == problem["line"]:
                problems = zip(problem["fields"], problem["messages"], strict=True)
                reasons = [_reason(source, cells, field, message) for field, message in problems]
                yield line, "; ".join(reasons), cells
                break


def _reason(source: InputSource, cells: Sequence[object], field: str | None, message: str) -> str:
    if field is None:
        return f"the row {message}"
    places = [source.columns.index(name) for name in field.split(JOINED) if name]
    name = " + ".join(source.headings[place] for place in places)
    values = [cells[place] for place in places if place < len(cells)]
    texts = [str(value).strip() for value in values if value is not None]
    shown = "/".join(text for text in texts if text)
    # repr: what a cell holds must not be able to steer the reader's terminal.
    text = repr(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...")
    return " ".join(part for part in (name, text if shown else "", message) if part)


class RejectsFile:
    """A CSV of bad rows: file, line, reason, then their cells under the names of their columns."""

    def __init__(self, text: TextIO, sources: Sequence[InputSource]) -> None:
        names = dict.fromkeys(name for source in sources for name in source.columns)
        self._columns = [name for name in names if name not in {*OWN_COLUMNS, UNPARSED}]
        self._writer = csv.writer(text)
        self._writer.writerow([*OWN_COLUMNS, *self._columns, UNPARSED])

    def write(self, source: InputSource, line: int, reason: str, cells: Sequence[object]) -> None:
        """Write one bad row."""
        named = dict(zip(source.columns, cells, strict=False))
        unparsed = cells[len(source.columns) :]
        if len(cells) == 1 < len(source.columns):
            named, unparsed = {}, cells
        elif len(cells) < len(source.columns):
            unparsed = [f"{len(cells)} fields where there have to be {len(source.columns)}"]
        point = getattr(source, "decimal", ".")
        row = [_written(named.get(name, ""), point) for name in self._columns]
        self._writer.writerow([source.path, line, reason, *row, _joined(unparsed)])


@contextmanager
def open_rejects(path: Path, sources: Sequence[InputSource]) -> Iterator[Callable[..., None]]:
    """Yield the function that writes a row; the file appears when the block ends without error.

    Bytes of the originals that are not UTF-8 are written as they were.

    Raises:
        RejectsError: it cannot be written, or not whole.
    """

    def write(source: InputSource, line: int, reason: str, cells: Sequence[object]) -> None:
        try:
            rejects.write(source, line, reason, cells)
        except OSError as error:
            raise _unwritten(path, error) from None

    others: OSError | None = None
    try:
        make_private_folder(path.parent)
        with private_file(path, newline="") as text:
            rejects = RejectsFile(text, sources)
            try:
                yield write
            except OSError as error:
                others = error  # of the files to load, or of the database
                raise
    except OSError as error:
        if error is others:
            raise
        raise _unwritten(path, error) from None


def _unwritten(path: Path, error: OSError) -> RejectsError:
    return RejectsError(path, error.strerror or str(error))


def _written(cell: object, point: str) -> object:
    """Return a cell as its file would write it: a number has the decimal point of its texts."""
    return str(cell).replace(".", point) if isinstance(cell, float | Decimal) else cell


def _joined(cells: Sequence[object]) -> object:
    if len(cells) <= 1:
        return cells[0] if cells else ""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
