"""Check the rows of a file one by one: good ones come out as records, bad ones are noted."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from invoicing.load.mapping.rows import BadCellsError
from invoicing.schemas.cells import is_blank, stable_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from uuid import UUID

    from pydantic import BaseModel

    from invoicing.load.kinds import FileKind
    from invoicing.load.mapping.rows import RowConverter
    from invoicing.load.source import InputSource

# How often the event loop gets a turn (an interrupt arrives then) and progress is reported.
TURN_ROWS = 2_000
_HELD_BYTES = 1_000_000
_TOTALS = ("total_cents", "total_major")


class Problems:
    """Bad rows noted while a COPY holds the connection; on disk once they are many."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 -- close() closes it
            _HELD_BYTES, "w+", encoding="utf-8"
        )
        self.count = 0

    def add(
        self,
        kind: str,
        line: int,
        rule: str,
        field: str | None,
        message: str,
        row_id: UUID | None,
        parent_id: UUID | None,
    ) -> None:
        """Note one thing that is wrong with a row."""
        ids = (None if id_ is None else str(id_) for id_ in (row_id, parent_id))
        noted = (kind, line, rule, field, message, *ids)
        self._file.write(json.dumps(noted) + "\n")
        self.count += 1

    def take(self) -> Iterator[tuple[Any, ...]]:
        """Yield what was noted, as records of `load_problem`, and forget it."""
        self._file.seek(0)
        for noted in self._file:
            yield tuple(json.loads(noted))
        self._file.seek(0)
        self._file.truncate()
        self.count = 0

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


@dataclass(frozen=True)
class RowReading:
    """How a mapping wants the rows of a file read.

    Attributes:
        converter: makes our columns of a row; without it they are the file's own.
        offset: added to each line, so that two inputs of a kind have lines of their own.
        repeated: whether several rows may say the same.
        drops_zero: whether a total of zero means that there is no row.
    """

    converter: RowConverter | None = None
    offset: int = 0
    repeated: bool = False
    drops_zero: bool = False


class Check:
    """The rows of one file, checked as they are read.

    Attributes:
        columns: the columns of ours that the file has.
        rows: how many rows have been read.
        blank: how many rows without any text were left out.
        repeated: how many rows said again what the row above them said.
        nothing: how many rows had a zero where that means no row.
    """

    def __init__(
        self,
        source: InputSource,
        kind: FileKind,
        problems: Problems,
        reading: RowReading | None = None,
    ) -> None:
        self.rows = self.blank = self.repeated = self.nothing = 0
        self._reading = reading or RowReading()
        self._converter = self._reading.converter
        has = source.columns if self._converter is None else self._converter.columns
        self.columns = [column.name for column in kind.columns if column.name in has]
        self._source = source
        self._kind = kind
        self._problems = problems
        self._validate: Callable[[Any], BaseModel]
        self._validate = kind.row.__pydantic_validator__.validate_python

    @property
    def used(self) -> set[str]:
        """The file's columns that are read."""
        return {*self.columns} if self._converter is None else self._converter.used

    def field(self, name: str) -> str:
        """Return what problems call the column that one of ours is read from."""
        return name if self._converter is None else self._converter.fields[name]

    async def records(self, progress: Callable[[int], None]) -> AsyncIterator[tuple[Any, ...]]:
        """Yield the good rows as records of the staging table."""
        record_of = attrgetter(*self.columns)
        last: tuple[Any, ...] = ()
        for line, cells, unreadable in self._source.rows():
            if _is_blank_row(cells):
                self.blank += 1
                continue
            self.rows += 1
            if not self.rows % TURN_ROWS:
                progress(self.rows)
                await asyncio.sleep(0)
            if unreadable is not None:
                self._note_unreadable(line, cells, unreadable)
                continue
            row = self._checked(line, cells)
            if row is None:
                continue
            record = record_of(row)
            if self._reading.repeated and record == last:
                self.repeated += 1
                continue
            last = record
            yield line + self._reading.offset, *record
        progress(self.rows)

    def _checked(self, line: int, cells: Sequence[object]) -> BaseModel | None:
        """Return a row, or None when it is bad, which is noted, or no row."""
        values: dict[str, Any] = {}
        try:
            values = self._values(cells)
            if self._reading.drops_zero and not any(values.get(name) for name in _TOTALS):
                self.nothing += 1
                return None
            return self._validate(values)
        except BadCellsError as error:
            for rule, field, message in error.problems:
                self._note(line, rule, field, message, error.row)
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False):
                field = self.field(str(problem["loc"][0]))
                self._note(line, problem["type"], field, problem["msg"], values)
        return None

    def _note_unreadable(self, line: int, cells: Sequence[object], message: str) -> None:
        known = {}
        if self._converter is None:
            known = dict(zip(self._source.columns, cells, strict=False))
        self._note(line, "malformed-row", None, message, known)

    def _values(self, cells: Sequence[object]) -> dict[str, Any]:
        if self._converter is not None:
            return self._converter.convert(cells)
        return dict(zip(self._source.columns, cells, strict=True))

    def _note(
        self, line: int, rule: str, field: str | None, message: str, row: dict[str, Any]
    ) -> None:
        noted = (self._kind.name, line + self._reading.offset, rule, field, message)
        parent = self._kind.parent
        parent_id = None
        if parent is not None and self._kind.parent_column is not None:
            parent_id = _known_id(parent.singular, row.get(self._kind.parent_column))
        self._problems.add(*noted, _known_id(self._kind.singular, row.get("id")), parent_id)


def _known_id(singular: str, external: object) -> UUID | None:
    """Return the id of a bad row, so that rows which refer to it say why."""
    try:
        return stable_id(singular, external)
    except PydanticCustomError:
        return None


def _is_blank_row(cells: Sequence[object]) -> bool:
    first = cells[0] if cells else None
    if first is not None and not (isinstance(first, str) and not first.strip()):
        return False
    return all(is_blank(cell) for cell in cells)
