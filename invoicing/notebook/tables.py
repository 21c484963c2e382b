"""Tables as people like to read them: money with its currency, to the right."""

from __future__ import annotations

import inspect
import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from invoicing.files import write_whole
from invoicing.notebook.confirm import is_attended
from invoicing.notebook.errors import ExportError, MissingAwaitError
from invoicing.notebook.export import export_columns, to_csv, to_excel, to_parquet
from invoicing.notebook.frames import frame, listed
from invoicing.tables import grid_of
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from pydantic import BaseModel

    from invoicing.tables import Grid

# With more rows the links would make the page slow: the methods still write the file.
_MOST_LINKED = 2_000
# A difference of nothing is not worth a glance, and would hide the others.
_DIFFERENCE = "difference_cents"
_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, repr=False)
class Table:
    """A DataFrame shown for reading; `data` has the exact values behind it.

    Columns that end in `_cents` are shown as money of the row's `currency`, to the right with the
    other numbers. It shows the same in plain text, so that a terminal and a test can read it.

    Where a person looks at it, links below it give the same rows as CSV, Excel and Parquet; so do
    `to_csv`, `to_excel` and `to_parquet`. See `invoicing.notebook.export` for what they write.
    """

    data: pd.DataFrame
    title: str = ""
    hide: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what `read_frame` returns before it is awaited."""
        data: object = self.data
        if inspect.iscoroutine(data):
            raise MissingAwaitError(data.__name__)

    @classmethod
    def of(
        cls,
        rows: Sequence[BaseModel],
        model: type[BaseModel] | None = None,
        *,
        title: str = "",
        hide: Sequence[str] = (),
    ) -> Self:
        """Make a table of what a service returned; `hide` names columns not to show.

        Invoices with their lines' total also have the difference, where there is one.
        """
        rows = listed(rows)
        data = frame(rows, model)
        if _DIFFERENCE not in data and hasattr(model or type(rows[0]), _DIFFERENCE):
            differences = [getattr(row, _DIFFERENCE) for row in rows]
            data[_DIFFERENCE] = pd.array(differences, dtype="Int64")
        return cls(data, title, frozenset(hide))

    def to_csv(self, path: str | Path | None = None) -> str | Path:
        """Write what is shown as CSV and return the path; without a path, return the text."""
        content = to_csv(export_columns(self.data, self.hide))
        return content.decode() if path is None else _write(content, path, "CSV")

    def to_excel(self, path: str | Path) -> Path:
        """Write what is shown as an Excel workbook (.xlsx), and return the path.

        Raises:
            ExportError: a sheet does not hold so much, or the file cannot be written.
        """
        columns = export_columns(self.data, self.hide)
        return _write(to_excel(columns, self.title), path, "Excel")

    def to_parquet(self, path: str | Path) -> Path:
        """Write what is shown as a Parquet file, and return the path."""
        return _write(to_parquet(export_columns(self.data, self.hide)), path, "Parquet")

    def __repr__(self) -> str:
        return self.grid().text()

    def _repr_html_(self) -> str:
        return self.html() + (self.links() if is_attended() else "")

    def html(self) -> str:
        """Return the table for a page, without links to export it."""
        return self.grid().html(title_css="text-align: left")

    def links(self, label: str = "Export", *, most: int = _MOST_LINKED) -> str:
        """Return links that hold the files themselves, for up to `most` rows: a click saves one."""
        if not 0 < len(self.data) <= most:
            return ""
        columns = export_columns(self.data, self.hide)
        name = re.sub(r"\W+", "-", self.title.lower()).strip("-")[:60] or "table"
        files = [
            ("CSV", "csv", "text/csv;charset=utf-8", to_csv(columns)),
            ("Parquet", "parquet", "application/vnd.apache.parquet", to_parquet(columns)),
        ]
        with suppress(ExportError):  # a text that no cell of Excel holds
            files.insert(1, ("Excel", "xlsx", _EXCEL, to_excel(columns, self.title)))
        links = " &middot; ".join(
            f'<a download="{escape(name)}.{suffix}" '
            f'href="data:{kind};base64,{b64encode(content).decode()}">{label}</a>'
            for label, suffix, kind, content in files
        )
        return f'<p style="margin: 0.2em 0">{escape(label)}: {links}</p>'

    def grid(self) -> Grid:
        """Return what is shown, as text by columns and rows."""
        columns = {
            str(name): [None if pd.isna(value) else value for value in values.astype(object)]
            for name, values in self.data.items()
        }
        if _DIFFERENCE in columns:
            columns[_DIFFERENCE] = [cents or None for cents in columns[_DIFFERENCE]]
        grid = grid_of(
            columns,
            title=self.title,
            right=[
                str(name)
                for name, values in self.data.items()
                if pd.api.types.is_any_real_numeric_dtype(values)
            ],
            hide=self.hide,
        )
        return replace(grid, nothing="(nothing)")


def _write(content: bytes, path: str | Path, kind: str) -> Path:
    try:
        write_whole(content, Path(path))
    except OSError as error:
        raise ExportError(kind, f"{path}: {error.strerror or error}") from None
    return Path(path)
