"""JSON lines: an object a line, plain or gzip; an object in it is columns such as `customer.id`."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from invoicing.load.errors import InputFileError
from invoicing.load.text_file import READ_ERRORS, open_text
from invoicing.schemas.cells import NotAnId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LONGEST_LINE = 16_000_000


class JsonSource:
    """Rows of a file of JSON lines.

    Its columns are all keys of all its lines: the file is read once to find them.
    """

    def __init__(self, path: Path, *, encoding: str | None = None) -> None:
        self.path = path
        self._encoding = encoding
        names: dict[str, str] = {}
        first = ""
        for line, row, problem in self._objects():
            for name in row:
                names.setdefault(name.lower(), name)
            if problem is not None and not first:
                first = f"; line {line} {problem[0]}"
        if not names:
            raise InputFileError(path, f"none of its lines is a JSON object with columns{first}")
        self.headings = [*names.values()]
        self.columns = [*names]

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's line, its cells, and why it cannot be read, if it cannot."""
        lowered: dict[str, str] = {}
        for line, row, problem in self._objects():
            if problem is not None:
                yield line, [problem[1]], problem[0]
                continue
            named = {lowered.setdefault(name, name.lower()): cell for name, cell in row.items()}
            yield line, [named.get(name) for name in self.columns], None

    def _objects(self) -> Iterator[tuple[int, dict[str, object], tuple[str, str] | None]]:
        try:
            with open_text(self.path, self._encoding) as file:
                for line, text in enumerate(iter(lambda: file.readline(_LONGEST_LINE), ""), 1):
                    if not text.strip():
                        continue
                    try:
                        yield line, _flat(_DECODER.decode(text)), None
                    except (ValueError, RecursionError) as error:
                        yield line, {}, (f"is no JSON object: {error}", text)
        except READ_ERRORS as error:
            raise InputFileError(self.path, str(error)) from None


def _flat(row: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(row, dict):
        message = f"it is {json.dumps(row)[:40]}"
        raise ValueError(message)  # noqa: TRY004 -- what json itself raises
    flat: dict[str, object] = {}
    lowered: set[str] = set()
    for key, value in row.items():
        name = " ".join(f"{prefix}{key}".split())
        if isinstance(value, dict):
            added: dict[str, object] = _flat(value, f"{name}.")
        elif isinstance(value, list):
            added = {name: NotAnId(json.dumps(value, default=str))}
        else:
            added = {name: NotAnId(str(value).lower()) if isinstance(value, bool) else value}
        for column in added:
            if column.lower() in lowered:
                message = f"the column {column!r} is there more than once"
                raise ValueError(message)
            lowered.add(column.lower())
        flat |= added
    return flat


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        message = f"the key {twice!r} is there more than once"
        raise ValueError(message)
    return row


def _constant(name: str) -> NoReturn:
    message = f"{name} is no number of JSON"
    raise ValueError(message)


def _number(text: str) -> object:
    """Return a number exactly; 17.0 is 17, as an id and as an amount."""
    return Decimal(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_number, parse_constant=_constant
)
