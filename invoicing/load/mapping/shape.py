"""The rows of a file as a mapping's options want them: without totals, and filled down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.load.mapping.cells import Columns
from invoicing.load.mapping.values import CellError
from invoicing.schemas.cells import UnknownValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from invoicing.load.mapping.model import FileOptions
    from invoicing.load.source import InputSource


class ShapedSource:
    """A source whose rows are chosen and completed.

    Attributes:
        found: how the file is read, as far as that was found out.
        decimal: the point that amounts are written with.
        left_out: how many rows `skip` and `only` left out, once they were read.
    """

    def __init__(self, source: InputSource, options: FileOptions) -> None:
        self.path: Path = source.path
        self.columns = source.columns
        self.headings = source.headings
        self.left_out = 0
        self.found = getattr(source, "found", "")
        self.decimal = options.decimal or "."
        self._source = source
        columns = Columns(source, options)
        self._is_skipped = columns.is_met(options.skip) if options.skip else None
        self._is_wanted = columns.is_met(options.only) if options.only else None
        self._filled = [
            (columns.place(name), columns.cell(name)) for name in options.fill_down or ()
        ]
        within = options.fill_within
        self._within = columns.cell(within) if within is not None else None

    def rows(self) -> Iterator[tuple[int, Sequence[object], str | None]]:
        """Yield each row's line, its cells, and why it cannot be read, if it cannot."""
        self.left_out = 0
        above: dict[int, object] = {}
        group: object = None
        for line, cells, problem in self._source.rows():
            if problem is not None:
                yield line, cells, problem
                continue
            try:
                if self._leaves_out(cells):
                    self.left_out += 1
                    continue
                key = self._within(cells) if self._within is not None else None
            except CellError as error:
                # Nothing below it is filled from above: that may be of another group.
                above = dict.fromkeys(above)
                yield line, cells, f"cannot be chosen or filled: a cell of it {error.message}"
                continue
            if key is not None and key != group:
                group, above = key, {}
            yield line, self._fill(cells, above) if self._filled else cells, None

    def _leaves_out(self, cells: Sequence[object]) -> bool:
        if self._is_skipped is not None and self._is_skipped(cells):
            return True
        return self._is_wanted is not None and not self._is_wanted(cells)

    def _fill(self, cells: Sequence[object], above: dict[int, object]) -> list[object]:
        filled = list(cells)
        if all(cell is None or cell == "" for cell in filled):
            return filled
        for place, read in self._filled:
            if not isinstance(cells[place], UnknownValue) and read(cells) is None:
                filled[place] = above.get(place, filled[place])
            else:
                above[place] = filled[place]
        return filled
