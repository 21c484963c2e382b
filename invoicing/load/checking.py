"""Check the rows of a file one by one: good ones come out as records, bad ones are noted."""

from __future__ import annotations

import asyncio
import json
import tempfile
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from invoicing.schemas.cells import stable_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from uuid import UUID

    from invoicing.load.kinds import FileKind
    from invoicing.load.source import InputSource

# How often the event loop gets a turn (an interrupt arrives then) and progress is reported.
TURN_ROWS = 2_000
_HELD_BYTES = 1_000_000


class Problems:
    """Bad rows noted while a COPY holds the connection; on disk once they are many."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 -- close() closes it
            _HELD_BYTES, "w+", encoding="utf-8"
        )
        self.count = 0

    def add(
        self, kind: str, line: int, rule: str, field: str | None, message: str, row_id: UUID | None
    ) -> None:
        """Note one thing that is wrong with a row."""
        noted = (kind, line, rule, field, message, None if row_id is None else str(row_id))
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


class Check:
    """The rows of one file, checked as they are read.

    Attributes:
        columns: the columns of ours that the file has.
        rows: how many rows have been read.
    """

    def __init__(self, source: InputSource, kind: FileKind, problems: Problems) -> None:
        self.columns = [column.name for column in kind.columns if column.name in source.columns]
        self.rows = 0
        self._source = source
        self._kind = kind
        self._problems = problems
        self._id_at = source.columns.index("id")

    async def records(self, progress: Callable[[int], None]) -> AsyncIterator[tuple[Any, ...]]:
        """Yield the good rows as records of the staging table."""
        validate = self._kind.row.__pydantic_validator__.validate_python
        record = attrgetter(*self.columns)
        names = self._source.columns
        for line, cells, unreadable in self._source.rows():
            self.rows += 1
            if not self.rows % TURN_ROWS:
                progress(self.rows)
                await asyncio.sleep(0)
            if unreadable is not None:
                self._note(line, "malformed-row", None, unreadable, cells)
                continue
            try:
                row = validate(dict(zip(names, cells, strict=True)))
            except ValidationError as error:
                for problem in error.errors(include_url=False, include_input=False):
                    field = str(problem["loc"][0])
                    self._note(line, problem["type"], field, problem["msg"], cells)
                continue
            yield line, *record(row)
        progress(self.rows)

    def _note(
        self, line: int, rule: str, field: str | None, message: str, cells: Sequence[object]
    ) -> None:
        row_id = self._row_id(cells)
        self._problems.add(self._kind.name, line, rule, field, message, row_id)

    def _row_id(self, cells: Sequence[object]) -> UUID | None:
        """Return the id of a bad row, so that rows which refer to it say why."""
        try:
            return stable_id(self._kind.singular, cells[self._id_at])
        except (PydanticCustomError, IndexError):
            return None
