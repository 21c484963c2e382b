"""Tables as people like to read them: money with its currency, to the right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from invoicing.notebook.frames import frame
from invoicing.schemas.money import format_money
from invoicing.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from pydantic import BaseModel

CENTS = "_cents"
# A column with a longer text is wrapped, so that no other is pushed off the page.
_LONG = 30
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class _Column(NamedTuple):
    heading: str
    to_the_right: bool
    texts: list[str]


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
        columns = [self._aligned(column) for column in self._columns()]
        lines = ["  ".join(texts).rstrip() for texts in zip(*columns, strict=True)]
        return "\n".join(
            filter(None, [visible(self.title), *lines, "" if len(self.data) else "(nothing)"])
        )

    def _repr_html_(self) -> str:
        columns = self._columns()
        caption = (
            f'<caption style="text-align: left">{escape(self.title)}</caption>'
            if self.title
            else ""
        )
        head = "".join(_cell("th", column, column.heading) for column in columns)
        body = "".join(
            f"<tr>{''.join(_cell('td', column, column.texts[n]) for column in columns)}</tr>"
            for n in range(len(self.data))
        )
        nothing = "" if len(self.data) else f'<tr><td colspan="{len(columns)}">(nothing)</td></tr>'
        return (
            f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}{nothing}</tbody></table>"
        )

    def _columns(self) -> list[_Column]:
        names = [str(name) for name in self.data.columns if name not in self.hide]
        if any(name.endswith(CENTS) for name in names):
            # Each amount says its currency itself.
            names = [name for name in names if name != "currency"]
        return [
            _Column(
                visible(_heading(name)),
                pd.api.types.is_any_real_numeric_dtype(self.data[name]),
                list(map(visible, self._texts(name))),
            )
            for name in names
        ]

    def _texts(self, name: str) -> list[str]:
        values = self.data[name]
        if name.endswith(CENTS):
            money = zip(values, self.data["currency"], strict=True)
            return ["" if pd.isna(cents) else format_money(int(cents), of) for cents, of in money]
        if pd.api.types.is_datetime64_any_dtype(values):
            form = "%Y-%m" if name == "month" else "%Y-%m-%d"
            return ["" if pd.isna(moment) else format(moment, form) for moment in values]
        if pd.api.types.is_integer_dtype(values):
            return ["" if pd.isna(number) else f"{number:,}" for number in values]
        if pd.api.types.is_float_dtype(values):
            return ["" if pd.isna(number) else f"{number:,.1f}" for number in values]
        return ["" if pd.isna(value) else str(value) for value in values]

    @staticmethod
    def _aligned(column: _Column) -> list[str]:
        texts = [column.heading, *column.texts]
        width = max(map(len, texts))
        return [text.rjust(width) if column.to_the_right else text.ljust(width) for text in texts]


def _heading(name: str) -> str:
    words = name.removesuffix(CENTS).replace("_", " ")
    return words[:1].upper() + words[1:]


def _cell(tag: str, column: _Column, text: str) -> str:
    # The style stands in each cell: a notebook that is not trusted loses its style sheets.
    side = "right" if column.to_the_right else "left"
    wrap = "nowrap"
    if any(map(_ID.fullmatch, column.texts)):
        wrap = "nowrap; font-size: 85%"
    elif max(map(len, column.texts), default=0) > _LONG:
        wrap = "normal; min-width: 12em; overflow-wrap: anywhere"
    return f'<{tag} style="text-align: {side}; white-space: {wrap}">{escape(text)}</{tag}>'
