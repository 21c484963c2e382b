"""Tables: the same rows to a terminal, to HTML and to plain text.

Values are shown by what they are: cents as money of the row's currency, dates as days, ids and
long text so that no other column is pushed off the page. Text of others is escaped by
`invoicing.visible`. What a notebook or a terminal shows it by is imported when it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from invoicing.money import format_money
from invoicing.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rich.table import Table

CENTS = "_cents"
# Of a whole, 1 being all of it: shown as a percentage.
SHARE = "share"
# A column with a longer text is wrapped, so that no other is pushed off the page.
_LONG = 30
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class TableColumn:
    """How one column is shown.

    Attributes:
        heading: above it.
        right: whether its texts stand to the right, as numbers do.
        fold: whether a terminal that is too narrow breaks its texts, instead of cutting them.
        css: of its cells in HTML. It stands in each cell: a notebook that is not trusted loses its
            style sheets.
    """

    heading: str
    right: bool = False
    fold: bool = False
    css: str = ""


@dataclass(frozen=True)
class Grid:
    """Columns and rows of text, to be shown.

    Attributes:
        columns: their headings, and how each is shown.
        rows: a text for each column.
        title: above the table.
        caption: below it.
        nothing: shown instead of rows, where there are none.
    """

    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[str]]
    title: str = ""
    caption: str = ""
    nothing: str = ""

    def without(self, place: int) -> Grid:
        """Return it without one of its columns."""
        columns = [column for n, column in enumerate(self.columns) if n != place]
        rows = [[text for n, text in enumerate(row) if n != place] for row in self.rows]
        return replace(self, columns=columns, rows=rows)

    def text(self) -> str:
        """Return the table in plain text, columns aligned."""
        headings = [column.heading for column in self.columns]
        rows = [list(map(visible, row)) for row in (headings, *self.rows)]
        widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                text.rjust(width) if column.right else text.ljust(width)
                for column, text, width in zip(self.columns, row, widths, strict=True)
            ).rstrip()
            for row in rows
        ]
        nothing = "" if self.rows else self.nothing
        return "\n".join(
            filter(None, [visible(self.title), *lines, nothing, visible(self.caption)])
        )

    def html(self, *, title_css: str = "") -> str:
        """Return the table for a page or a notebook."""
        style = f' style="{title_css}"' if title_css else ""
        title = f"<caption{style}>{escape(self.title)}</caption>" if self.title else ""
        caption = f"<p>{escape(self.caption)}</p>" if self.caption else ""
        head = self._row_html("th", [column.heading for column in self.columns])
        body = "".join(self._row_html("td", row) for row in self.rows)
        if self.nothing and not self.rows:
            body = f'<tr><td colspan="{len(self.columns)}">{escape(self.nothing)}</td></tr>'
        return f"<table>{title}<thead>{head}</thead><tbody>{body}</tbody></table>{caption}"

    def _row_html(self, tag: str, texts: Iterable[str]) -> str:
        cells = zip(self.columns, texts, strict=True)
        return f"<tr>{''.join(_cell(tag, column, text) for column, text in cells)}</tr>"

    def rich(self) -> Table:
        """Return the table for a terminal."""
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=visible(self.title) or None,
            caption=visible(self.caption) or None,
            title_justify="left",
            caption_justify="left",
        )
        for column in self.columns:
            table.add_column(
                visible(column.heading),
                justify="right" if column.right else "left",
                no_wrap=not column.fold,
                overflow="fold",
            )
        for row in self.rows:
            # Text, not a string: brackets are no markup.
            table.add_row(*(Text(visible(text)) for text in row))
        return table


def columns_of(rows: Sequence[object], names: Iterable[str]) -> dict[str, list[Any]]:
    """Return the values of each column: of models, dataclasses or dictionaries."""
    return {
        name: [row[name] if isinstance(row, Mapping) else getattr(row, name) for row in rows]
        for name in names
    }


def grid_of(
    columns: Mapping[str, Sequence[Any]],
    *,
    title: str = "",
    caption: str = "",
    headings: Mapping[str, str] | None = None,
    right: Collection[str] | None = None,
    hide: Collection[str] = (),
) -> Grid:
    """Return the table of these values.

    Args:
        columns: the values of each column by the field's name. One that ends in `_cents` is shown
            as money of the row's `currency`, which is then not shown by itself; without a
            `currency` the minor units are shown as they are.
        title: above the table.
        caption: below it.
        headings: of the fields whose own name does not do.
        right: the columns to the right; if not given, those that hold numbers.
        hide: columns not to show.
    """
    names = [name for name in columns if name not in hide]
    is_money = {name: name.endswith(CENTS) and "currency" in columns for name in names}
    if any(is_money.values()):
        # Each amount says its currency itself.
        names = [name for name in names if name != "currency"]
    texts = {
        name: (
            list(map(_money, columns[name], columns["currency"]))
            if is_money[name]
            else [_shown(value, name) for value in columns[name]]
        )
        for name in names
    }
    return Grid(
        [
            TableColumn(
                (headings or {}).get(name) or _heading(name, is_money[name]),
                right=_is_of_numbers(name, columns[name]) if right is None else name in right,
                fold=_has_ids(texts[name]) or _is_long(texts[name]),
                css=_css(texts[name]),
            )
            for name in names
        ],
        list(zip(*texts.values(), strict=True)),
        title,
        caption,
    )


def _money(cents: int | None, currency: str) -> str:
    return "" if cents is None else format_money(int(cents), currency)


def _shown(value: object, name: str) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, date):  # and so a moment
        return f"{value:%Y-%m}" if name == "month" else f"{value:%Y-%m-%d}"
    if isinstance(value, float) and name.endswith(SHARE):
        return f"{value:.1%}"
    if _is_number(value):
        return f"{value:,}" if isinstance(value, Integral) else f"{value:,.1f}"
    return "" if value is None else str(value)


def _is_of_numbers(name: str, values: Iterable[object]) -> bool:
    return name.endswith(CENTS) or any(map(_is_number, values))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _heading(name: str, is_money: bool) -> str:
    words = (name.removesuffix(CENTS) if is_money else name).replace("_", " ")
    return words[:1].upper() + words[1:]


def _has_ids(texts: list[str]) -> bool:
    return any(map(_ID.fullmatch, texts))


def _is_long(texts: list[str]) -> bool:
    return max(map(len, texts), default=0) > _LONG


def _css(texts: list[str]) -> str:
    if _has_ids(texts):
        return "white-space: nowrap; font-size: 85%"
    if _is_long(texts):
        return "white-space: normal; min-width: 12em; overflow-wrap: anywhere"
    return "white-space: nowrap"


def _cell(tag: str, column: TableColumn, text: str) -> str:
    side = "right" if column.right else "left"
    style = f"text-align: {side}; {column.css}" if column.css else f"text-align: {side}"
    return f'<{tag} style="{style}">{escape(text)}</{tag}>'
