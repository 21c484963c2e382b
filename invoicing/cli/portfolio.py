"""`invoicing portfolio`: the roll-up that answers questions about all invoices at once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.table import Table

from invoicing.cli.connection import open_database
from invoicing.cli.output import AsJson, console, echo_json
from invoicing.rollup import build_rollup, check_rollup, drop_rollup, fold_rollup, rollup_state
from invoicing.tables import grid_of
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from invoicing.db import Database
    from invoicing.rollup.state import RollupState

app = typer.Typer(
    no_args_is_help=True,
    help="Totals that triggers keep exact: questions about all invoices take milliseconds.",
)
Result = TypeVar("Result")

_STAGES = {
    "triggers": "Creating the triggers",
    "totals": "Adding up the invoices; writers go on",
}


@app.command()
def build(*, as_json: AsJson = False) -> None:
    """Build the roll-up while others write, or build it anew; the services use it from then on.

    Each write costs a little more from then on (docs/decisions/0009-portfolio-roll-up.md).

    Example: invoicing portfolio build
    """
    with console.status("Building") as status:
        built = asyncio.run(
            _with_database(
                lambda database: build_rollup(
                    database, progress=lambda stage: status.update(_STAGES[stage])
                )
            )
        )
    _show(
        asdict(built),
        f"Built in {built.seconds:.1f} s: {built.days:,} totals by day, {built.accounts:,} by "
        f"account, {plural(built.differences, 'invoice')} whose lines do not add up",
        as_json=as_json,
    )


@app.command()
def fold(*, as_json: AsJson = False) -> None:
    """Move the changes since the last fold into the totals; from cron, say, each minute.

    Answers are the same before and after, and faster after.

    Example: invoicing portfolio fold
    """
    folded = asyncio.run(_with_database(fold_rollup))
    _show(
        asdict(folded),
        f"Folded {folded.changes:,} changes in {folded.seconds:.2f} s",
        as_json=as_json,
    )


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Show whether the services use the roll-up, and how many changes are not folded.

    Example: invoicing portfolio status
    """
    state = asyncio.run(_with_database(_state))
    if as_json:
        echo_json(json.dumps(asdict(state), indent=2, default=str))
        return
    table = Table("", "", show_header=False, box=None)
    used = "yes" if state.usable else f"no: {state.reason}. Run: invoicing portfolio build"
    table.add_row("used by the services", used)
    table.add_row("built", f"{state.built_at:%Y-%m-%d %H:%M:%S %Z}" if state.built_at else "-")
    table.add_row("folded", f"{state.folded_at:%Y-%m-%d %H:%M:%S %Z}" if state.folded_at else "-")
    table.add_row("changes not folded", f"{state.unfolded:,}")
    console.print(table)


@app.command()
def check(*, as_json: AsJson = False) -> None:
    """Compare the roll-up with all invoices and lines; exit code 1 if they differ.

    Example: invoicing portfolio check
    """
    with console.status("Comparing with every invoice and line"):
        checked = asyncio.run(_with_database(check_rollup))
    if as_json:
        echo_json(json.dumps(asdict(checked), indent=2))
    elif checked.different:
        rows = checked.shown
        columns = {
            "total": [row.total for row in rows],
            "only in": [row.source for row in rows],
            "row": [row.row for row in rows],
        }
        console.print(grid_of(columns).rich())
        are = "is" if checked.different == 1 else "are"
        console.print(
            f"{plural(checked.different, 'row')} of totals {are} not what the invoices come to, so "
            "answers are wrong. Run: invoicing portfolio build"
        )
    else:
        console.print(
            f"All {checked.rows:,} totals are what the invoices and their lines come to, with "
            f"{checked.unfolded:,} changes not folded ({checked.seconds:.1f} s)"
        )
    if checked.different:
        raise typer.Exit(1)


@app.command()
def drop(*, as_json: AsJson = False) -> None:
    """Drop the triggers and empty the totals; the services read the invoices again.

    Nothing is lost that `invoicing portfolio build` would not bring back.

    Example: invoicing portfolio drop
    """
    asyncio.run(_with_database(drop_rollup))
    _show({"dropped": True}, "The roll-up is dropped; writing costs what it did", as_json=as_json)


def _show(facts: dict[str, Any], message: str, *, as_json: bool) -> None:
    if as_json:
        echo_json(json.dumps(facts, indent=2))
    else:
        console.print(message)


async def _state(database: Database) -> RollupState:
    async with database.transaction() as session:
        return await rollup_state(session)


async def _with_database(work: Callable[[Database], Coroutine[Any, Any, Result]]) -> Result:
    async with open_database() as database:
        return await work(database)
