"""The record of a rename, for the change ticket: who did what, when, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.files import write_whole
from invoicing.report.page import page
from invoicing.tables import Grid, TableColumn
from invoicing.toolkit.rename import strategy_of
from invoicing.toolkit.rename.journal import FIGURES, figure
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from invoicing.toolkit.rename import Run, Status

# Said elsewhere on the page.
_SHOWN = (*FIGURES, "seconds")


def write_rename_report(status: Status, runs: list[Run], database: str, path: Path) -> None:
    """Write the record as one HTML file."""
    write_whole(rename_page(status, runs, database), path)


def rename_page(status: Status, runs: list[Run], database: str) -> str:
    """Return the record as a page.

    Args:
        status: where the rename stands.
        runs: what was done to it so far.
        database: its URL, without a password.
    """
    target = status.target
    title = f"Rename of {target.table}.{target.old} to {target.new}"
    facts = {
        "Database": database,
        "Strategy": strategy_of(status.strategy).wording.label,
        "Phase": status.phase.value,
        "Rows": f"{status.rows_done:,} of {status.rows_total:,}",
        "Table and indexes now": f"{status.table_bytes / 1e6:,.1f} MB, "
        f"{status.index_bytes / 1e6:,.1f} MB",
        "Lock holder": str(status.operator or "none"),
    }
    body = [
        f"<h1>{escape(title)}</h1>",
        _table(("Fact", "Value"), facts.items()),
        "<h2>What was done</h2>",
        _table(
            ("", "Phase", "Began (UTC)", "Took, s", "Who", "Ended", "Result"),
            [_row(number, run, target.old) for number, run in enumerate(runs, 1)],
            right=frozenset({3}),
        ),
        *(_details(number, run) for number, run in enumerate(runs, 1)),
    ]
    return page(title, "\n".join(body), {"database": database})


def _row(number: int, run: Run, old: str) -> tuple[str, ...]:
    took = "" if run.seconds is None else f"{run.seconds:,.3f}"
    # A restore runs the other way round.
    phase = run.phase if run.old == old else f"restore: {run.phase}"
    who = f"{run.operator} as {run.role}"
    began = f"{run.began_at:%Y-%m-%d %H:%M:%S}"
    return (str(number), phase, began, took, who, run.outcome, run.summary)


def _said(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {figure(each)}" for name, each in value.items()) or "none"
    return figure(value)


def _details(number: int, run: Run) -> str:
    parts = [f"<h3>{number}. {escape(run.phase)}: {escape(run.old)} to {escape(run.new)}</h3>"]
    if run.options:
        options = ", ".join(f"{name} = {value}" for name, value in run.options.items())
        parts.append(f"<p>Options: {escape(options)}</p>")
    rest = {name: value for name, value in run.result.items() if name not in _SHOWN}
    others = "; ".join(f"{name.replace('_', ' ')}: {_said(value)}" for name, value in rest.items())
    if others:
        parts.append(f"<p>{escape(others)}</p>")
    for statement in run.statements:
        tries = (
            "" if statement["tries"] == 1 else f", lock acquired on attempt {statement['tries']}"
        )
        took = "" if statement["seconds"] is None else f"\n-- {statement['seconds']:,.3f} s{tries}"
        parts.append(f"<pre>{escape(statement['sql'], lines=True)}{took}</pre>")
    return "\n".join(parts)


def _table(
    headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], right: frozenset[int] = frozenset()
) -> str:
    columns = [TableColumn(heading, right=place in right) for place, heading in enumerate(headings)]
    return Grid(columns, list(rows)).html()
