"""A comparison as people read it: in a terminal, in a notebook, as a DataFrame."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from invoicing.visible import escape

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from invoicing.toolkit.profiling.comparison.result import LoadingComparison, Measured

COLUMNS = (
    "Size",
    "Strategy",
    "Statements",
    "Round trips",
    "Rows",
    "Repeated",
    "KB",
    "DB ms",
    "ORM ms",
    "Memory KB",
)
GROWTH = ("Statements grow", "Rows grow")
TEXT = frozenset({"Size", "Strategy", *GROWTH})


def frame_of(comparison: LoadingComparison) -> pd.DataFrame:
    """Return a row for each strategy and size; what is not known is missing."""
    import pandas as pd  # noqa: PLC0415 -- half a second that no comparison has to wait for

    measured = comparison.measured
    frame = pd.DataFrame()
    if measured:
        names = [field.name for field in fields(measured[0]) if field.name != "plans"]
        frame = pd.DataFrame({name: [getattr(one, name) for one in measured] for name in names})
    frame["strategy"] = [str(one.strategy) for one in measured]
    for name in ("round_trips", "bytes_received"):
        frame[name] = frame[name].astype("Int64")
    for figure in ("statements", "rows"):
        frame[f"{figure}_growth"] = [_growth(comparison, one, figure) for one in measured]
    return frame


def table_of(comparison: LoadingComparison) -> Table:
    """Return the table for a terminal."""
    from rich.table import Table  # noqa: PLC0415 -- only a terminal needs it
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=_title(comparison), title_justify="left", caption=_caption(comparison))
    for name in _columns(comparison):
        table.add_column(name, justify="left" if name in TEXT else "right")
    for row in _rows(comparison):
        table.add_row(*map(Text, row))
    return table


def html_of(comparison: LoadingComparison) -> str:
    """Return the table for a notebook."""
    columns = _columns(comparison)
    head = "".join(_cell("th", name, name) for name in columns)
    body = "".join(
        f"<tr>{''.join(_cell('td', *pair) for pair in zip(columns, row, strict=True))}</tr>"
        for row in _rows(comparison)
    )
    return (
        f"<table><caption>{escape(_title(comparison))}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><p>{escape(_caption(comparison))}</p>"
    )


def _columns(comparison: LoadingComparison) -> tuple[str, ...]:
    # One size tells of no growth.
    return COLUMNS if len(comparison.sizes) == 1 else COLUMNS + GROWTH


def _title(comparison: LoadingComparison) -> str:
    return f"Loading {comparison.path}"


def _caption(comparison: LoadingComparison) -> str:
    return f"Use {comparison.recommendation}."


def _rows(comparison: LoadingComparison) -> list[tuple[str, ...]]:
    return [_row(comparison, one) for one in comparison.measured]


def _row(comparison: LoadingComparison, measured: Measured) -> tuple[str, ...]:
    size = f"{measured.parents:,} x {measured.children / max(measured.parents, 1):,.0f}"
    if measured.raised is not None:
        raised = ("raises", *[""] * (len(_columns(comparison)) - 3))
        return ("" if not measured.parents else size, str(measured.strategy), *raised)
    return (
        size,
        str(measured.strategy),
        f"{measured.statements:,}",
        _number(measured.round_trips),
        f"{measured.rows:,}",
        f"{measured.duplicate_rows:,}",
        _number(measured.bytes_received, 1000),
        f"{measured.database_seconds * 1000:,.1f}",
        f"{measured.orm_seconds * 1000:,.1f}",
        _number(measured.peak_memory, 1000),
        *_growths(comparison, measured),
    )


def _growths(comparison: LoadingComparison, measured: Measured) -> list[str]:
    if len(comparison.sizes) == 1:
        return []
    return [_growth(comparison, measured, figure) for figure in ("statements", "rows")]


def _growth(comparison: LoadingComparison, measured: Measured, figure: str) -> str:
    # Said once, where all sizes have been seen.
    if measured.raised is not None or measured is not comparison.of(measured.strategy)[-1]:
        return ""
    return str(comparison.growth(measured.strategy, figure))


def _number(value: int | None, unit: int = 1) -> str:
    return "?" if value is None else f"{value / unit:,.0f}"


def _cell(tag: str, column: str, text: str) -> str:
    # The style stands in each cell: a notebook that is not trusted loses its style sheets.
    side = "left" if column in TEXT else "right"
    wrap = "; white-space: nowrap" if column == "Size" else ""
    return f'<{tag} style="text-align: {side}; padding: 0.25em 0.3em{wrap}">{escape(text)}</{tag}>'
