"""Cells of an .xlsx sheet whose value is not known: errors, and formulas that nothing calculated.

A program that writes a workbook without calculating it (openpyxl, pandas) leaves a formula without
a value, and what reads workbooks takes that for an empty cell, as it does an error. Of .xls, .xlsb
and .ods nothing says which it is.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.parsers.expat import ExpatError, ParserCreate
from zipfile import BadZipFile, ZipFile

from invoicing.schemas.cells import UnknownValue

if TYPE_CHECKING:
    from pathlib import Path

_WORKBOOK, _LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
# A sheet without any is not parsed: that takes as long as reading its values.
_SUSPECT = re.compile(rb"""<(?:\w+:)?f[\s/>]|\st\s*=\s*["']e["']""")
_CHUNK, _LONGEST_SUSPECT = 1 << 20, 64


def unknown_cells(path: Path, sheet: str) -> dict[tuple[int, int], UnknownValue] | None:
    """Return the cells without a known value by their row and column, counted from 0.

    Returns:
        None where the workbook is of a format that does not say.
    """
    try:
        with ZipFile(path) as archive:
            if _WORKBOOK not in archive.namelist():
                return None
            part = _part(archive, sheet)
            with archive.open(part) as file:
                if not _is_suspect(file):
                    return {}
            with archive.open(part) as file:
                return _Sheet(file, sheet).cells
    except (BadZipFile, ExpatError, ET.ParseError, KeyError, ValueError):
        return None


def _part(archive: ZipFile, sheet: str) -> str:
    """Return the name of a sheet's file in the archive."""
    # The parser's library limits what entities expand to.
    workbook, links = (ET.fromstring(archive.read(name)) for name in (_WORKBOOK, _LINKS))  # noqa: S314
    (named,) = (each for each in workbook.iterfind(".//{*}sheet") if each.get("name") == sheet)
    (link,) = (value for key, value in named.items() if key.endswith("}id"))
    (target,) = (each.get("Target", "") for each in links if each.get("Id") == link)
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _is_suspect(file: IO[bytes]) -> bool:
    before = b""
    while chunk := file.read(_CHUNK):
        if _SUSPECT.search(before + chunk):
            return True
        before = chunk[-_LONGEST_SUSPECT:]
    return False


class _Sheet:
    """Reads a sheet's XML; of a cell that is not suspect, as little as can be.

    Attributes:
        cells: those without a known value.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.cells: dict[tuple[int, int], UnknownValue] = {}
        self._name = name
        self._row = self._after = 0
        self._address = self._type = ""
        self._texts: dict[str, str] = {}
        self._parser = ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.ParseFile(file)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag == "c":
            self._type, address = attributes.get("t", ""), attributes.get("r", "")
            # A cell that does not say where it is stands beside the one before it.
            self._after = 0 if address else self._after + 1
            self._address = address or self._address
            self._texts = {}
            if self._type == "e":
                self._parser.EndElementHandler = self._end
        elif tag == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._address, self._after = "", 0
        elif tag == "f" or (tag == "v" and self._parser.EndElementHandler is not None):
            self._texts[tag] = ""
            self._parser.EndElementHandler = self._end
            self._parser.CharacterDataHandler = self._text

    def _text(self, text: str) -> None:
        self._texts[next(reversed(self._texts))] += text

    def _end(self, name: str) -> None:
        self._parser.CharacterDataHandler = None
        if name.rpartition(":")[2] == "c":
            self._parser.EndElementHandler = None
            self._judge()

    def _judge(self) -> None:
        column = _number(self._address.rstrip("0123456789")) + self._after
        where = f"cell {_letters(column)}{self._row} of sheet {self._name!r}"
        value = self._texts.get("v", "")
        if self._type == "e":
            reason = f"is an error in {where}: correct it, and save the file"
            unknown = UnknownValue(value or "error", reason)
        # An empty text, which a formula may well have, says that it is one.
        elif value or self._type == "str":
            return
        else:
            reason = f"is a formula without a value in {where}: open the file in a spreadsheet "
            unknown = UnknownValue(f"={self._texts['f']}", f"{reason}program and save it")
        self.cells[self._row - 1, column - 1] = unknown


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
