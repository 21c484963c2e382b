"""The rules of a mapping, turned into functions that read a row's cells."""

from __future__ import annotations

import fnmatch
import re
import sqlite3
import weakref
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from invoicing.load.errors import InputFileError
from invoicing.load.mapping.values import CellError
from invoicing.schemas.cells import UnknownValue, id_text, is_blank, is_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from invoicing.load.mapping.model import FileOptions
    from invoicing.load.mapping.rules import CellRule, RowCondition
    from invoicing.load.source import InputSource

    Reader = Callable[[Sequence[object]], Any]

# Between the names of the columns that one value was made of.
JOINED = "\x1f"
_WHOLE = re.compile(r"0*([0-9]+)(?:\.0+)?", re.ASCII)


def plain_name(name: str) -> str:
    """Return a column's name as it is compared: case, white space and stars do not count."""
    return " ".join(name.split()).lower().lstrip("*").strip()


class Columns:
    """The cells of a file by the names of their columns.

    Attributes:
        read: the columns that were asked for.

    Raises:
        InputFileError: a column that is named is not there, or there more than once.
    """

    def __init__(self, source: InputSource, options: FileOptions) -> None:
        self._source = source
        self._places: dict[str, int] = {}
        for place, name in enumerate(source.columns):
            self._places.setdefault(plain_name(name), place)
        self.read: set[str] = set()
        self._empty = {word.strip().casefold() for word in options.empty or ()}

    def __contains__(self, name: str) -> bool:
        return plain_name(name) in self._places

    def key(self, *names: str) -> str:
        """Return what problems call these columns."""
        return JOINED.join(self._source.columns[self.place(name)] for name in names)

    def place(self, name: str) -> int:
        """Return where a column stands."""
        found = self._places.get(plain_name(name))
        if found is not None:
            self.read.add(self._source.columns[found])
            return found
        has = ", ".join(self._source.columns)
        numbered = [column for column in self._places if column.startswith(f"{plain_name(name)} (")]
        reason = f"it has no column {name!r}, which the mapping names; its columns are {has}"
        if numbered:
            reason = f"it has several columns {name!r}: name one of {', '.join(numbered)}"
        raise InputFileError(self._source.path, reason)

    def cell(self, name: str) -> Reader:
        """Return what reads a cell: None when it is empty, text without white space around it.

        It raises CellError where the cell's value is not known.
        """
        place, empty = self.place(name), self._empty
        column = self._source.columns[place]

        def read(cells: Sequence[object]) -> object:
            value = cells[place]
            if isinstance(value, UnknownValue):
                raise CellError("unknown-value", value.reason, column)
            if isinstance(value, str):
                text = value.strip()
                return None if not text or (empty and text.casefold() in empty) else text
            return None if is_blank(value) else value

        return read

    def is_met(self, conditions: Sequence[RowCondition]) -> Reader:
        """Return what tells whether a row meets any of these conditions."""
        tests = []
        for condition in conditions:
            patterns = [fnmatch.translate(value.strip().casefold()) for value in condition.values]
            tests.append((self.cell(condition.column), re.compile("|".join(patterns))))

        def met(cells: Sequence[object]) -> bool:
            for read, pattern in tests:
                value = read(cells)
                if pattern.match("" if value is None else str(value).strip().casefold()):
                    return True
            return False

        return met


def text_reader(columns: Columns, rule: CellRule) -> Reader:
    """Return what reads a cell by its rule; words are not looked up yet."""
    if rule.value is not None:
        constant = str(rule.value)
        return lambda _: constant
    if rule.column is not None:
        return _or_else(columns.cell(rule.column), rule.when_empty)
    if rule.either is not None:
        present = [columns.cell(name) for name in rule.either if name in columns]
        if not present:
            columns.place(rule.either[0])
        return _or_else(_first_of(present), rule.when_empty)
    parts = [columns.cell(name) for name in rule.columns or ()]
    return _or_else(
        lambda cells: (
            " ".join(str(value) for part in parts if (value := part(cells)) is not None) or None
        ),
        rule.when_empty,
    )


def _or_else(read: Reader, when_empty: str | None) -> Reader:
    if when_empty is None:
        return read
    return lambda cells: when_empty if (value := read(cells)) is None else value


def _first_of(readers: Sequence[Reader]) -> Reader:
    return lambda cells: next((v for read in readers if (v := read(cells)) is not None), None)


def names_read(columns: Columns, rule: CellRule) -> list[str]:
    """Return the columns of a rule that the file has."""
    return [name for name in rule.names if rule.either is None or name in columns]


def id_reader(columns: Columns, rule: CellRule, options: FileOptions) -> Reader:
    """Return what reads an id: its parts joined, counted, and after the name of its source."""
    if rule.columns is not None:
        parts = [columns.cell(name) for name in rule.columns]
    else:
        parts = [text_reader(columns, rule)]
    whole = options.ids == "integer"
    prefix = f"{options.source}:" if options.source else ""
    count = RowCounter() if rule.number else None

    def read(cells: Sequence[object]) -> str | None:
        texts = [_id_part(part(cells), whole=whole) for part in parts]
        if None in texts:
            return None
        text = _joined([text for text in texts if text is not None])
        if count is not None:
            text = f"{text}/{count.next(text)}"
        return text if not prefix or is_uuid(text) else prefix + text

    return read


def _joined(parts: Sequence[str]) -> str:
    """Return parts as one id, of which no two lists have the same.

    The first may have slashes, as numbers of invoices do; one in a later part is written %2F.
    """
    first, *later = parts
    return "/".join([first, *(part.replace("%", "%25").replace("/", "%2F") for part in later)])


def _id_part(value: object, *, whole: bool) -> str | None:
    if value is None:
        return None
    try:
        text = id_text(value)
    except PydanticCustomError as error:
        raise CellError(error.type, error.message()) from None
    if not whole:
        return text
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise CellError(
            "not-an-integer", 'is no whole number, and the mapping says ids = "integer"'
        )
    return match[1]


class RowCounter:
    """Counts the rows of each key; on disk once they are many, so that memory does not grow."""

    def __init__(self) -> None:
        # An empty name is a database of SQLite's own, which it removes. The collector of garbage
        # closes it, and runs in any thread.
        self._counts = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._counts.close)
        self._counts.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, rows INTEGER) WITHOUT ROWID")
        # One transaction that never ends: each by itself would be written to the disk.
        self._counts.execute("BEGIN")
        self._last: tuple[str, int] = ("", 0)

    def next(self, key: str) -> int:
        """Return how many rows of this key there were, this one included."""
        last, count = self._last
        if key != last:
            self._keep(last, count)
            row = self._counts.execute("SELECT rows FROM seen WHERE key = ?", (key,)).fetchone()
            count = row[0] if row else 0
        self._last = (key, count + 1)
        return count + 1

    def _keep(self, key: str, count: int) -> None:
        self._counts.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (key, count))


def word_reader(
    read: Reader, rule: CellRule, words: dict[str, str], own: dict[str, str], kind: str
) -> Reader:
    """Return what reads a cell and says what its word means.

    Args:
        read: the cell.
        rule: its rule, whose words come first.
        words: those of the whole mapping.
        own: our own words, which mean themselves.
        kind: of what it is a word, for the message.
    """
    known = own | _folded(words) | _folded(rule.words or {})
    other = known.get("*")

    def meaning(cells: Sequence[object]) -> str:
        value = read(cells)
        word = "" if value is None else str(value).casefold()
        meant = known.get(word)
        if meant is None and word:
            meant = other
        if meant is None:
            if not word:
                raise CellError("empty-value", "is empty")
            message = f"is no {kind} that the mapping has a word for: add it to [words.{kind}]"
            raise CellError(f"unknown-{kind}", message)
        return meant

    return meaning


def _folded(words: dict[str, Any]) -> dict[str, str]:
    return {word.strip().casefold(): str(meant) for word, meant in words.items()}
