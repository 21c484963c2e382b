"""A sheet of an Excel workbook; its lines are the sheet's rows.

A formula is the value that was saved with it; without one it is refused where it is read, as an
error is (see `excel_unknown`). The sheet is held in memory, all of it: a workbook
has at most 1,048,576 rows.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from python_calamine import CalamineError, CalamineWorkbook

from invoicing.load.errors import InputFileError
from invoicing.load.excel_unknown import unknown_cells
from invoicing.schemas.cells import NotAnId, UnknownValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_EXACT_FLOAT = 2**53


class ExcelSource:
    """Rows of a sheet.

    Args:
        sheet: its name; the first when not given.
        header_row: the row of its header; the first that is not blank when not given.

    Raises:
        InputFileError: it cannot be read, or has no such sheet.
    """

    def __init__(
        self, path: Path, *, sheet: str | None = None, header_row: int | None = None
    ) -> None:
        self.path = path
        try:
            with CalamineWorkbook.from_path(str(path)) as workbook:
                self.sheets = list(workbook.sheet_names)
                if not self.sheets or (sheet is not None and sheet not in self.sheets):
                    reason = f"it has no sheet {sheet!r}, but {', '.join(self.sheets)}"
                    raise InputFileError(path, reason)
                self._sheet = sheet or self.sheets[0]
                self._rows = workbook.get_sheet_by_name(self._sheet).to_python(
                    skip_empty_area=False
                )
        except (CalamineError, OSError) as error:
            reason = f"it is an Excel workbook or a zip archive that cannot be read: {error}"
            raise InputFileError(path, reason) from None
        self._knows_errors = self._mark_unknown()
        self._header = self._find_header(header_row)
        names = [" ".join(str(cell).split()) for cell in self._rows[self._header]]
        self._width = max(number for number, name in enumerate(names, 1) if name)
        self.headings = [
            name or f"(unnamed column {number})"
            for number, name in enumerate(names[: self._width], 1)
        ]
        self.columns = [heading.lower() for heading in self.headings]

    @property
    def found(self) -> str:
        """How it is read, as far as it was found out."""
        found = f"sheet {self._sheet!r}, the header is in row {self._header + 1}"
        if self._knows_errors:
            return found
        return (
            f"{found}; in this format errors such as #N/A are read as empty cells: save it as .xlsx"
        )

    def _mark_unknown(self) -> bool:
        """Put cells whose value is not known in place of the empty ones that stand for them."""
        cells = unknown_cells(self.path, self._sheet)
        for (row, column), value in (cells or {}).items():
            self._rows += [[] for _ in range(row + 1 - len(self._rows))]
            self._rows[row] += [""] * (column + 1 - len(self._rows[row]))
            self._rows[row][column] = value
        return cells is not None

    def _find_header(self, header_row: int | None) -> int:
        places = range(len(self._rows)) if header_row is None else [header_row - 1]
        for place in places:
            if place < len(self._rows) and any(cell != "" for cell in self._rows[place]):
                return place
        where = "it is empty" if header_row is None else f"its row {header_row} names no column"
        raise InputFileError(self.path, where)

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's number, its cells, and None: no row of a sheet is broken."""
        for number, row in enumerate(self._rows[self._header + 1 :], self._header + 2):
            cells = [_value(cell) for cell in row[: self._width]]
            yield number, cells + [None] * (self._width - len(cells)), None


def _value(cell: object) -> object:
    """Return a cell's value; Excel has floats only, and 17.0 is the number 17."""
    match cell:
        case UnknownValue():
            return cell
        case str():
            return cell if cell.strip() else None
        case bool():
            return NotAnId(str(cell).lower())
        case float():
            return int(cell) if cell.is_integer() and abs(cell) < _EXACT_FLOAT else cell
        case int() | date() | None:
            return cell
    return str(cell)
