"""A recording as people read it: in a terminal, in a notebook, as a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.tables import Grid, TableColumn
from invoicing.visible import escape, plural, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from rich.table import Table
    from rich.text import Text

    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.recorded import Recorded
    from invoicing.toolkit.profiling.statement import Statement

SHOWN = 100
# Columns of a terminal in which a statement has room beside its line.
WIDE = 120
# Folded, and never cut: where a statement comes from is what a reader looks for.
COLUMNS = tuple(
    TableColumn(name, right=True, fold=True, css="white-space: nowrap")
    if name not in {"Line", "Why", "Statement"}
    else TableColumn(name, fold=True, css="min-width: 8em; overflow-wrap: anywhere")
    for name in ("#", "Line", "Why", "Statement", "Rows", "Round trips", "KB", "DB ms", "ORM ms")
)
_STATEMENT = 3
# Columns of the DataFrame, with the dtype that keeps what is not known apart from nothing.
DTYPES = {
    "number": "Int64",
    "caller": "str",
    "function": "str",
    "source": "str",
    "cause": "str",
    "relationship": "str",
    "parent": "str",
    "loader": "str",
    "operation": "str",
    "fingerprint": "str",
    "transaction": "Int64",
    "connection": "Int64",
    "session": "Int64",
    "started": "float64",
    "database_seconds": "float64",
    "server_seconds": "float64",
    "driver_seconds": "float64",
    "orm_seconds": "float64",
    "rows": "Int64",
    "duplicate_rows": "Int64",
    "affected": "Int64",
    "fetches": "Int64",
    "round_trips": "Int64",
    "bytes_received": "Int64",
    "bytes_sent": "Int64",
    "parameter_count": "Int64",
    "executions": "Int64",
    "sqlstate": "str",
    "error": "str",
}


class _RowRun(NamedTuple):
    """Statements that follow each other and differ in nothing that is shown but their cost."""

    first: Statement
    all: list[Statement]


def frame_of(statements: list[Statement]) -> pd.DataFrame:
    """Return a row for each statement."""
    import pandas as pd

    return pd.DataFrame(
        {
            name: pd.array([_value(statement, name) for statement in statements], dtype=dtype)  # type: ignore[call-overload]
            for name, dtype in DTYPES.items()
        }
    )


def _value(statement: Statement, name: str) -> object:
    caller = statement.caller
    match name:
        case "caller" | "parent" | "cause":
            value = getattr(statement, name)
            return None if value is None else str(value)
        case "function" | "source":
            return getattr(caller, name, None)
        case _:
            return getattr(statement, name)


def lines_of(statements: list[Statement]) -> list[str]:
    """Return one line for each statement: number, line of code, why, and its shape."""
    return [
        visible(
            f"{statement.number}. {statement.caller or '(no line of your own)'}"
            f"{_source(statement)}"
            f" -- {_why(statement)}: {_cut(statement.fingerprint)}"
        )
        for statement in statements
    ]


def grid_of(recorder: Recorded) -> Grid:
    """Return the table, and the totals above it."""
    return Grid(COLUMNS, _rows(recorder.statements), title_of(recorder))


def text_of(recorder: Recorded) -> str:
    """Return the table and the findings in plain text."""
    findings = (visible(str(finding)) for finding in recorder.findings)
    return "\n".join([grid_of(recorder).text(), *findings])


def table_of(recorder: Recorded, width: int) -> Table:
    """Return the table for a terminal of so many columns; a narrow one goes without statements."""
    grid = grid_of(recorder)
    return (grid if width >= WIDE else grid.without(_STATEMENT)).rich()


def shown_of(recorder: Recorded, width: int) -> Iterator[Table | Text]:
    """Return the table and the findings for a terminal."""
    from rich.text import Text

    yield table_of(recorder, width)
    yield from (Text(visible(str(finding)), style="yellow") for finding in recorder.findings)


def html_of(recorder: Recorded) -> str:
    """Return the table and the findings for a notebook."""
    findings = "".join(map(_finding_html, recorder.findings))
    return grid_of(recorder).html() + (f"<ul>{findings}</ul>" if findings else "")


def _finding_html(finding: Finding) -> str:
    where = f"{finding.caller}: " if finding.caller is not None else ""
    return (
        f"<li>{escape(where)}<b>{escape(finding.slug)}</b>: {escape(finding.said)}."
        f" Cost: {escape(str(finding.cost))}. Fix: <code>{escape(finding.fix)}</code></li>"
    )


def title_of(recorder: Recorded) -> str:
    """Return the totals in one line; what is not known is left out."""
    parts = [plural(len(recorder.statements), "statement")]
    if recorder.round_trips is not None:
        parts.append(plural(recorder.round_trips, "round trip"))
    parts.append(plural(recorder.rows, "row"))
    if recorder.bytes_received is not None:
        parts.append(f"{recorder.bytes_received / 1000:,.1f} KB received")
    if recorder.server_seconds is None:
        parts.append(f"database {_ms(recorder.database_seconds)} ms")
    else:
        parts.append(f"server {_ms(recorder.server_seconds)} ms")
        parts.append(f"driver and wire {_ms(recorder.driver_seconds)} ms")
    parts.append(f"objects {_ms(recorder.orm_seconds)} ms")
    if recorder.left_out:
        parts.append(f"{plural(recorder.left_out, 'unit')} of work left out of the sample")
    if recorder.lost:
        parts.append(f"{recorder.lost} events lost")
    return ", ".join(parts)


def _rows(statements: list[Statement]) -> list[tuple[str, ...]]:
    runs = _runs(statements)
    rows = [_row(run) for run in runs[:SHOWN]]
    if len(runs) > SHOWN:
        left = sum(len(run.all) for run in runs[SHOWN:])
        rows.append(("", f"and {left:,} more statements", *[""] * (len(COLUMNS) - 2)))
    return rows


def _runs(statements: list[Statement]) -> list[_RowRun]:
    runs: list[_RowRun] = []
    for statement in statements:
        if runs and _shown_alike(runs[-1].first, statement):
            runs[-1].all.append(statement)
        else:
            runs.append(_RowRun(statement, [statement]))
    return runs


def _shown_alike(statement: Statement, other: Statement) -> bool:
    return (
        statement.caller,
        statement.cause,
        statement.relationship,
        statement.fingerprint,
        statement.error,
    ) == (
        other.caller,
        other.cause,
        other.relationship,
        other.fingerprint,
        other.error,
    )


def _row(run: _RowRun) -> tuple[str, ...]:
    first, last = run.first, run.all[-1]
    return (
        str(first.number) if first is last else f"{first.number}-{last.number}",
        f"{first.caller} {first.caller.source}".strip() if first.caller else "",
        _why(first) if first is last else f"{_why(first)} x {len(run.all):,}",
        _cut(first.fingerprint),
        _sum([each.rows for each in run.all]),
        _sum([each.round_trips for each in run.all]),
        _sum([each.bytes_received for each in run.all], 1000),
        _ms(sum(each.database_seconds for each in run.all)),
        _ms(sum(each.orm_seconds for each in run.all)),
    )


def _source(statement: Statement) -> str:
    source = statement.caller.source if statement.caller is not None else ""
    return f" {source}" if source else ""


def _why(statement: Statement) -> str:
    words = [str(statement.cause)]
    if statement.relationship is not None:
        words.append(f"of {statement.relationship}")
    if statement.error is not None:
        words.append(f"({statement.sqlstate or statement.error})")
    return " ".join(words)


def _sum(values: list[int | None], unit: int = 1) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "?"
    return f"{sum(known):,}" if unit == 1 else f"{sum(known) / unit:,.1f}"


def _ms(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds * 1000:,.1f}"


def _cut(text: str, width: int = 100) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
