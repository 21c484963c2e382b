"""`invoicing sample`: fill the database with deterministic sample data."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from invoicing.cli.output import console, errors, open_database
from invoicing.sample import (
    DEFAULT_SEED,
    MOST_ACCOUNTS,
    MOST_INVOICES,
    Progress,
    SampleCounts,
    load_sample,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

app = typer.Typer()

_SECONDS_BETWEEN_LINES = 5.0
_STAGES = {
    "rows": "Sending rows",
    "indexes": "Building indexes and foreign keys",
    "statistics": "Gathering statistics",
}


@app.command()
def sample(
    accounts: Annotated[
        int, typer.Option(min=1, max=MOST_ACCOUNTS, help="How many accounts.", show_default=False)
    ],
    invoices: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_INVOICES,
            help="How many invoices, of about 3 lines.",
            show_default=False,
        ),
    ],
    *,
    seed: Annotated[
        int, typer.Option(min=0, max=2**64 - 1, help="The same seed makes the same rows.")
    ] = DEFAULT_SEED,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete all rows that are there first.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Load deterministic sample data into a migrated database, all of it or nothing.

    Example: invoicing sample --accounts 200 --invoices 20000
    """
    with _shown_progress() as show:
        loaded = asyncio.run(_load(accounts, invoices, seed, show, replace=replace))
    if as_json:
        facts = asdict(loaded) | {"rows_per_second": loaded.rows_per_second}
        typer.echo(json.dumps(facts, indent=2))
    else:
        console.print(_counts_table(loaded))
        console.print(
            f"Seed {loaded.seed}; {loaded.rows:,} rows in {loaded.seconds:,.1f} s, "
            f"{loaded.rows_per_second:,} rows a second, with indexes and foreign keys. "
            f"{loaded.mismatches:,} invoices do not match their lines, on purpose."
        )


async def _load(
    accounts: int, invoices: int, seed: int, show: Callable[[Progress], None], *, replace: bool
) -> SampleCounts:
    async with open_database() as database:
        return await load_sample(
            database,
            accounts=accounts,
            invoices=invoices,
            seed=seed,
            replace=replace,
            progress=show,
        )


def _counts_table(loaded: SampleCounts) -> Table:
    table = Table()
    table.add_column("Table")
    table.add_column("Rows", justify="right")
    table.add_row("account", f"{loaded.accounts:,}")
    table.add_row("invoice", f"{loaded.invoices:,}")
    table.add_row("invoice_line", f"{loaded.lines:,}")
    return table


@contextmanager
def _shown_progress() -> Iterator[Callable[[Progress], None]]:
    """Yield what shows progress on stderr: a bar on a terminal, now and then a line in a log."""
    if not errors.is_terminal:
        yield _LineProgress()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with ProgressBar(*columns, console=errors) as bar:
        tasks = {
            stage: bar.add_task(label, total=None, rate="", visible=False)
            for stage, label in _STAGES.items()
        }

        def show(progress: Progress) -> None:
            bar.update(
                tasks[progress.stage],
                completed=progress.done,
                total=progress.total,
                rate=_rate(progress) if progress.stage == "rows" else "",
                visible=True,
            )

        yield show


class _LineProgress:
    """Print a line when a stage begins and every few seconds."""

    def __init__(self) -> None:
        self._stage = ""
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.stage == self._stage and progress.seconds < self._next:
            return
        self._stage = progress.stage
        self._next = progress.seconds + _SECONDS_BETWEEN_LINES
        share = f"{progress.done:,} of {progress.total:,}"
        rate = f"; {_rate(progress)}" if progress.stage == "rows" else ""
        errors.print(f"{_STAGES[progress.stage]}: {share}{rate}", highlight=False)


def _rate(progress: Progress) -> str:
    return f"{progress.rows:,} rows, {progress.rows / max(progress.seconds, 0.001):,.0f} a second"
