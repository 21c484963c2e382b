"""What `invoicing load` prints of a load: bad rows, counts, sums, and how far it has got."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from invoicing.cli.output import console, echo_json, errors
from invoicing.cli.progress import ProgressStep
from invoicing.tables import columns_of, grid_of
from invoicing.visible import plural, visible

if TYPE_CHECKING:
    from invoicing.load import LoadProgress
    from invoicing.schemas.load import LoadReport, MonthSum

_PHASES = {"reading": "Reading", "checking": "Checking", "writing": "Writing"}
_NO_RATE_BEFORE = 0.1
_COUNTS = ("kind", "path", "rows", "inserted", "updated", "unchanged", "rejected")
# More months than these are shown as the sum of each currency; --json has them all.
_MOST_MONTHS = 24


def print_report(report: LoadReport, *, as_json: bool) -> None:
    """Print what became of the rows."""
    if as_json:
        echo_json(json.dumps(report.to_json(), indent=2))
        return
    for note in [*_ignored(report), *report.notes]:
        # What a dry run found out is what it is run for.
        (console if report.dry_run else errors).print(visible(note), style="yellow", soft_wrap=True)
    for row in report.first_rejected:
        console.print(visible(f"{row.path}:{row.line}: {row.reason}"), soft_wrap=True)
    if report.rejected > len(report.first_rejected):
        console.print(f"... and {report.rejected - len(report.first_rejected):,} more bad rows")
    if report.reasons:
        reasons: dict[str, list[Any]] = {
            "reason": [*report.reasons],
            "times": [*report.reasons.values()],
        }
        console.print(grid_of(reasons).rich())
    for kind, rows in report.first_rows.items():
        if rows:
            title = f"First {kind}, as they would be stored"
            console.print(grid_of(columns_of(rows, rows[0]), title=title).rich())
    _print_sums(report)
    files = columns_of(report.files, _COUNTS)
    console.print(grid_of(files, headings={"path": "File"}).rich())
    if report.rejects is not None:
        console.print(visible(f"Every bad row is in {report.rejects}"), soft_wrap=True)
    console.print(_last_line(report))


def _ignored(report: LoadReport) -> list[str]:
    return [
        f"{file.path}: these columns were not loaded: {', '.join(file.ignored_columns)}"
        for file in report.files
        if file.ignored_columns
    ]


def _print_sums(report: LoadReport) -> None:
    if not report.sums:
        return
    title = "In the database now" if report.loaded else "What the database would hold"
    if not report.sums_are_stored:
        title = "What the good rows add up to"
    by_month = len(report.sums) <= _MOST_MONTHS
    rows = _with_totals(report.sums, by_month=by_month)
    caption = "By month of issue" if by_month else "By currency; --json has the months"
    names = ("month", "invoices", "amount_cents", "lines", "lines_cents", "currency")
    headings = {"amount_cents": "Amount", "lines_cents": "Lines total"}
    grid = grid_of(columns_of(rows, names), title=title, caption=caption, headings=headings)
    console.print(grid.rich())


def _with_totals(sums: list[MonthSum], *, by_month: bool) -> list[dict[str, Any]]:
    """Return the sums of each currency after its months."""
    rows: list[dict[str, Any]] = []
    for currency in dict.fromkeys(row.currency for row in sums):
        months = [row for row in sums if row.currency == currency]
        if by_month:
            rows += [
                row.model_dump() | {"month": "undated" if row.month is None else row.month}
                for row in months
            ]
        if len(months) > 1 or not by_month:
            lines = [row.lines_cents for row in months if row.lines_cents is not None]
            rows.append(
                {
                    "month": "all",
                    "currency": currency,
                    "invoices": sum(row.invoices for row in months),
                    "amount_cents": sum(row.amount_cents for row in months),
                    "lines": sum(row.lines for row in months),
                    "lines_cents": sum(lines) if lines else None,
                }
            )
    return rows


def _last_line(report: LoadReport) -> str:
    left = [("unchanged", report.unchanged), ("rejected", report.rejected)]
    others = "".join(f", {count:,} {name}" for name, count in left if count)
    read = f"{report.rows:,} read in {report.seconds:,.1f} s"
    if report.seconds > 1:
        read += f", {report.rows / report.seconds:,.0f} a second"
    if report.loaded:
        return f"Loaded: {plural(report.written, 'row')}{others}; {read}"
    would = f": {plural(report.written, 'row')} would be" if report.dry_run else ""
    return f"Checked, and nothing loaded{would}{others}; {read}"


class LoadRate:
    """Turns where a load stands into a step, with its rate."""

    def __init__(self) -> None:
        self._label = ""
        self._begun = 0.0

    def step(self, progress: LoadProgress) -> ProgressStep:
        """Say what is being done, and how fast."""
        label = f"{_PHASES[progress.phase]} {progress.kind}"
        if label != self._label:
            self._label = label
            self._begun = time.monotonic()
        seconds = time.monotonic() - self._begun
        rate = ""
        if progress.phase == "reading" and seconds > _NO_RATE_BEFORE:
            rate = f"{progress.rows / seconds:,.0f} rows a second"
        return ProgressStep(label, progress.rows, note=rate)
