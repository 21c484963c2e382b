"""`invoicing rename`: rename a column of a live table, phase by phase."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from invoicing.cli import rename_output as output
from invoicing.cli.output import errors
from invoicing.cli.rename_run import (
    ask,
    busy,
    make_options,
    on_database,
    print_json,
    run_backfill,
    run_phase,
    show_status,
)
from invoicing.rename import Options, Target

app = typer.Typer(
    help="Rename a column of a live table: nothing lost, no request failed.\n\n"
    "In this order: plan, expand, backfill, verify; then deploy the code that knows the new name; "
    "then gate, contract. Before the contract there is rollback, after it restore. Each may be run "
    "again, and goes on where it was; status tells where that is.",
    no_args_is_help=True,
)

Table = Annotated[str, typer.Argument(help="The table.", show_default=False)]
Old = Annotated[str, typer.Argument(help="The column's name now.", show_default=False)]
New = Annotated[str, typer.Argument(help="The name it shall have.", show_default=False)]
Schema = Annotated[str | None, typer.Option(help="The table's schema; else the search path's.")]
Url = Annotated[
    str | None, typer.Option(help="The database; else DATABASE_URL, else the embedded one.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(help="A refusal that you have seen to, by its name; may be given again."),
]
Way = Annotated[
    Literal["columns", "view"],
    typer.Option(help="columns: fill a second column; view: a view in the table's place."),
]
LockTimeout = Annotated[float, typer.Option(help="Seconds a statement waits for its lock.")]
LockAttempts = Annotated[int, typer.Option(help="How often it tries before it gives up.")]
BatchSize = Annotated[int, typer.Option(help="Rows of one batch, committed by itself.")]
Workers = Annotated[int, typer.Option(help="Connections that backfill at once.")]
Stripes = Annotated[
    int | None, typer.Option(help="Passes over each range of pages; chosen if not given.")
]
Pause = Annotated[float, typer.Option(help="Seconds of rest after each batch.")]
BatchTarget = Annotated[
    float, typer.Option("--target", help="A batch of more seconds makes the next one smaller.")
]
MaxLag = Annotated[float | None, typer.Option(help="Wait while a replica is more seconds behind.")]
Quiet = Annotated[float, typer.Option(help="Seconds without a write by the old name.")]
MaxAge = Annotated[float, typer.Option(help="Name transactions that are older, in seconds.")]
_DEFAULTS = Options()


@app.command()
def plan(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    strategy: Way = _DEFAULTS.strategy,
    batch_size: BatchSize = _DEFAULTS.batch_size,
    workers: Workers = _DEFAULTS.workers,
    max_replica_lag: MaxLag = None,
    max_transaction_age: MaxAge = _DEFAULTS.max_transaction_age,
    accept: Accept = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements only.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Look at the catalog and say what would happen; nothing is touched.

    Exit code 1 when something is in the way.

    Example: invoicing rename plan invoice amt amount_cents
    """
    target = Target(table, old, new, schema)
    options = make_options(
        strategy=strategy,
        batch_size=batch_size,
        workers=workers,
        max_replica_lag=max_replica_lag,
        max_transaction_age=max_transaction_age,
        accept=accept,
    )
    found = asyncio.run(on_database(url, target, options, lambda rename: rename.plan()))
    if as_json:
        print_json(found.as_dict())
    elif sql:
        typer.echo(output.plan_sql(found))
    else:
        output.print_plan(found)
    if found.refusals:
        raise typer.Exit(1)


@app.command()
def expand(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    strategy: Way = _DEFAULTS.strategy,
    lock_timeout: LockTimeout = _DEFAULTS.lock_timeout,
    lock_attempts: LockAttempts = _DEFAULTS.lock_attempts,
    accept: Accept = None,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Add the new column and the triggers that keep both equal.

    Example: invoicing rename expand invoice amt amount_cents
    """
    target = Target(table, old, new, schema)
    options = make_options(
        strategy=strategy, lock_timeout=lock_timeout, lock_attempts=lock_attempts, accept=accept
    )
    ask(f"Expand {target}: add {new}, and keep it equal to {old}?", yes=yes)
    run_phase((url, target, options), lambda rename: rename.expand(), "Expanding", as_json=as_json)


@app.command()
def backfill(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    batch_size: BatchSize = _DEFAULTS.batch_size,
    workers: Workers = _DEFAULTS.workers,
    stripes: Stripes = None,
    pause: Pause = _DEFAULTS.pause,
    target_seconds: BatchTarget = _DEFAULTS.target,
    max_replica_lag: MaxLag = None,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Fill the new column batch by batch; Ctrl-C stops between two, and it goes on when run again.

    Example: invoicing rename backfill invoice amt amount_cents --workers 2 --max-replica-lag 10
    """
    target = Target(table, old, new, schema)
    options = make_options(
        batch_size=batch_size,
        workers=workers,
        stripes=stripes,
        pause=pause,
        target=target_seconds,
        max_replica_lag=max_replica_lag,
    )
    ask(f"Backfill {target}: write {new} in every row that lacks it?", yes=yes)
    run_backfill((url, target, options), "backfill", as_json=as_json)


@app.command()
def verify(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    lock_timeout: LockTimeout = _DEFAULTS.lock_timeout,
    lock_attempts: LockAttempts = _DEFAULTS.lock_attempts,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Compare every row; build on the new column what the old one has, and validate it.

    Example: invoicing rename verify invoice amt amount_cents
    """
    target = Target(table, old, new, schema)
    options = make_options(lock_timeout=lock_timeout, lock_attempts=lock_attempts)
    ask(f"Verify {target}: copy indexes and constraints to {new}?", yes=yes)
    with busy("Comparing rows, building copies"):
        report = asyncio.run(on_database(url, target, options, lambda rename: rename.verify()))
    if as_json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        output.print_verify(report, target)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def status(
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    max_transaction_age: MaxAge = _DEFAULTS.max_transaction_age,
    watch: Annotated[
        float | None, typer.Option(min=0.2, help="Look again every so many seconds.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say where a rename stands, from any connection, while it runs or not.

    Example: invoicing rename status invoice amt amount_cents --watch 1
    """
    target = Target(table, old, new, schema)
    options = make_options(max_transaction_age=max_transaction_age)
    asyncio.run(
        on_database(
            url, target, options, lambda rename: show_status(rename, watch, as_json=as_json)
        )
    )


@app.command()
def gate(
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    quiet: Quiet = _DEFAULTS.quiet,
    accept: Accept = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Ask what stands in the way of the contract; it drops nothing. Exit code 1 if anything does.

    Example: invoicing rename gate invoice amt amount_cents --quiet 60
    """
    target = Target(table, old, new, schema)
    options = make_options(quiet=quiet, accept=accept)
    with busy(f"Watching for old code, for {quiet:g} s"):
        report = asyncio.run(on_database(url, target, options, lambda rename: rename.gate()))
    if as_json:
        print_json(asdict(report) | {"open": report.open})
    else:
        output.print_gate(report, target)
    if not report.open:
        raise typer.Exit(1)


@app.command()
def contract(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    confirm: Annotated[
        str | None, typer.Option(help="What is dropped, as table.old: asked for if not given.")
    ] = None,
    quiet: Quiet = _DEFAULTS.quiet,
    lock_timeout: LockTimeout = _DEFAULTS.lock_timeout,
    lock_attempts: LockAttempts = _DEFAULTS.lock_attempts,
    accept: Accept = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Drop the old column, once the gate is open. DESTRUCTIVE: what it is to do must be typed.

    Example: invoicing rename contract invoice amt amount_cents --confirm invoice.amt
    """
    target = Target(table, old, new, schema)
    options = make_options(
        quiet=quiet, lock_timeout=lock_timeout, lock_attempts=lock_attempts, accept=accept
    )
    if confirm is None and sys.stdin.isatty():
        errors.print(f"{table}.{old} is dropped for ever.", markup=False, highlight=False)
        confirm = typer.prompt(f"Type {table}.{old} to confirm", err=True)
    run_phase(
        (url, target, options),
        lambda rename: rename.contract(confirm=confirm),
        f"Watching for old code, for {quiet:g} s, then dropping {old}",
        as_json=as_json,
    )


@app.command()
def rollback(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    lock_timeout: LockTimeout = _DEFAULTS.lock_timeout,
    lock_attempts: LockAttempts = _DEFAULTS.lock_attempts,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Go back to before the expand, from any phase before the contract.

    Example: invoicing rename rollback invoice amt amount_cents
    """
    target = Target(table, old, new, schema)
    options = make_options(lock_timeout=lock_timeout, lock_attempts=lock_attempts)
    ask(f"Roll back {target}: take {new} away again? Code that names it fails then.", yes=yes)
    run_phase(
        (url, target, options), lambda rename: rename.rollback(), "Rolling back", as_json=as_json
    )


@app.command()
def restore(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    batch_size: BatchSize = _DEFAULTS.batch_size,
    workers: Workers = _DEFAULTS.workers,
    pause: Pause = _DEFAULTS.pause,
    max_replica_lag: MaxLag = None,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """After the contract: add the old column again, refill it from the new one, keep both equal.

    Example: invoicing rename restore invoice amt amount_cents
    """
    target = Target(table, old, new, schema)
    options = make_options(
        batch_size=batch_size, workers=workers, pause=pause, max_replica_lag=max_replica_lag
    )
    ask(f"Restore {table}.{old} from {new}, and keep both equal?", yes=yes)
    run_backfill((url, target, options), "restore", as_json=as_json)
