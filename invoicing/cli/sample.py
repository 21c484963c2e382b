"""`invoicing sample`: fill the database with deterministic sample data."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from invoicing.cli.connection import open_database
from invoicing.cli.output import AsJson, console, echo_json, errors
from invoicing.cli.progress import ProgressStep, shown_progress
from invoicing.sample import (
    DEFAULT_SEED,
    MOST_ACCOUNTS,
    MOST_INVOICES,
    SampleCounts,
    SampleProgress,
    load_sample,
)
from invoicing.tables import grid_of
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

app = typer.Typer()

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
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before rows are deleted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Load deterministic sample data into a migrated database, all of it or nothing.

    Example: invoicing sample --accounts 200 --invoices 20000
    """
    if replace and not yes and sys.stdin.isatty():
        asyncio.run(_confirm())
    with shown_progress() as show:
        loaded = asyncio.run(
            _load(accounts, invoices, seed, lambda at: show(_step(at)), replace=replace)
        )
    if as_json:
        facts = asdict(loaded) | {"rows_per_second": loaded.rows_per_second}
        echo_json(json.dumps(facts, indent=2))
    else:
        console.print(_counts_table(loaded))
        console.print(
            f"Seed {loaded.seed}; {loaded.rows:,} rows in {loaded.seconds:,.1f} s, "
            f"{loaded.rows_per_second:,} rows a second, with indexes and foreign keys. "
            f"Not matching their lines, on purpose: {plural(loaded.mismatches, 'invoice')}.",
            highlight=False,
        )


async def _confirm() -> None:
    async with open_database() as database:
        where = database.shown_url
    errors.print(f"Delete all accounts, invoices and lines in {where}?")
    if not typer.confirm("It cannot be undone.", err=True):
        raise typer.Exit(1)


async def _load(
    accounts: int,
    invoices: int,
    seed: int,
    show: Callable[[SampleProgress], None],
    *,
    replace: bool,
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
    rows = {"account": loaded.accounts, "invoice": loaded.invoices, "invoice_line": loaded.lines}
    return grid_of({"table": [*rows], "rows": [*rows.values()]}).rich()


def _step(progress: SampleProgress) -> ProgressStep:
    rate = _rate(progress) if progress.stage == "rows" else ""
    return ProgressStep(_STAGES[progress.stage], progress.done, progress.total, rate)


def _rate(progress: SampleProgress) -> str:
    return f"{progress.rows / max(progress.seconds, 0.001):,.0f} rows a second"
