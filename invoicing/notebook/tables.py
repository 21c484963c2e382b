"""Tables as people like to read them: money with its currency, to the right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from invoicing.notebook.frames import frame
from invoicing.tables import grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from pydantic import BaseModel

    from invoicing.tables import Grid


@dataclass(frozen=True, repr=False)
class Table:
    """A DataFrame shown for reading; `data` has the exact values behind it.

    Columns that end in `_cents` are shown as money of the row's `currency`, to the right with the
    other numbers. It shows the same in plain text, so that a terminal and a test can read it.
    """

    data: pd.DataFrame
    title: str = ""
    hide: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        rows: Sequence[BaseModel],
        model: type[BaseModel] | None = None,
        *,
        title: str = "",
        hide: Sequence[str] = (),
    ) -> Self:
        """Make a table of what a service returned; `hide` names columns not to show."""
        return cls(frame(rows, model), title, frozenset(hide))

    def __repr__(self) -> str:
        return self._grid().text()

    def _repr_html_(self) -> str:
        return self._grid().html(title_css="text-align: left")

    def _grid(self) -> Grid:
        grid = grid_of(
            {
                str(name): [None if pd.isna(value) else value for value in values.astype(object)]
                for name, values in self.data.items()
            },
            title=self.title,
            right=[
                str(name)
                for name, values in self.data.items()
                if pd.api.types.is_any_real_numeric_dtype(values)
            ],
            hide=self.hide,
        )
        return replace(grid, nothing="(nothing)")
