"""`invoicing rename`: rename a column of a live table, phase by phase."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from invoicing.cli import rename_output as output
from invoicing.cli import rename_practice
from invoicing.cli.output import echo_for_program, errors
from invoicing.cli.rename_options import (
    USUAL,
    Accept,
    AsJson,
    BatchBytes,
    BatchSize,
    BatchTarget,
    LockAttempts,
    LockTimeout,
    MaxAge,
    MaxLag,
    New,
    Old,
    Pause,
    Quiet,
    Schema,
    Stripes,
    Table,
    Url,
    Way,
    Workers,
    Yes,
    make_options,
    make_target,
)
from invoicing.cli.rename_run import (
    On,
    ask,
    ask_for_name,
    busy,
    print_json,
    resumable,
    run_backfill,
    run_phase,
    show_status,
)
from invoicing.errors import UsageError
from invoicing.toolkit.rename import strategy_of
from invoicing.visible import visible

if TYPE_CHECKING:
    from invoicing.toolkit.rename import Plan, Rename, Status

app = typer.Typer(
    help="Rename a column of a live table: nothing lost, no request failed.\n\n"
    "In this order: plan, expand, backfill, verify; then deploy the code that knows the new name; "
    "then gate, contract. Before the contract there is rollback, after it restore. Each may be run "
    "again, and goes on where it was; status tells where that is.",
    no_args_is_help=True,
)
app.add_typer(rename_practice.app)


@app.command()
def plan(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    strategy: Way = USUAL.strategy,
    workers: Workers = USUAL.workers,
    max_replica_lag: MaxLag = None,
    max_transaction_age: MaxAge = USUAL.max_transaction_age,
    accept: Accept = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements only.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Look at the catalog and say what would happen; nothing is touched.

    Exit code 1 when something is in the way.

    Example: invoicing rename plan invoice amt amount_cents
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(
        strategy=strategy,
        workers=workers,
        max_replica_lag=max_replica_lag,
        max_transaction_age=max_transaction_age,
        accept=accept,
    )
    if as_json and sql:
        message = "--json has every statement too: give it alone, or --sql alone"
        raise UsageError(message)

    async def look(rename: Rename) -> tuple[Plan, Status]:
        return await rename.plan(), await rename.status()

    found, status = On(url, target, options).run(look)
    if as_json:
        print_json(found.as_dict())
    elif sql:
        echo_for_program(output.plan_sql(found))
    else:
        output.print_plan(found, status, options)
    if found.refusals:
        raise typer.Exit(1)


@app.command()
def expand(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    strategy: Way = USUAL.strategy,
    lock_timeout: LockTimeout = USUAL.lock_timeout,
    lock_attempts: LockAttempts = USUAL.lock_attempts,
    accept: Accept = None,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Add the new column and the triggers that keep both equal.

    Example: invoicing rename expand invoice amt amount_cents
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(
        strategy=strategy, lock_timeout=lock_timeout, lock_attempts=lock_attempts, accept=accept
    )
    what = strategy_of(strategy).wording.expand.format(table=table, old=old, new=new)
    ask(f"Expand {target}: {what}?", yes=yes)
    on = On(url, target, options)
    run_phase(on, "expand", lambda rename: rename.expand(), "Expanding", as_json=as_json)


@app.command()
def backfill(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    batch_size: BatchSize = USUAL.batch_size,
    batch_bytes: BatchBytes = USUAL.batch_bytes,
    workers: Workers = USUAL.workers,
    stripes: Stripes = None,
    pause: Pause = USUAL.pause,
    target_seconds: BatchTarget = USUAL.target,
    max_replica_lag: MaxLag = None,
    lock_timeout: LockTimeout = USUAL.lock_timeout,
    lock_attempts: LockAttempts = USUAL.lock_attempts,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Fill the new column batch by batch; Ctrl-C stops between two, and it goes on when run again.

    Example: invoicing rename backfill invoice amt amount_cents --workers 2 --max-replica-lag 10
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(
        batch_size=batch_size,
        batch_bytes=batch_bytes,
        workers=workers,
        stripes=stripes,
        pause=pause,
        target=target_seconds,
        max_replica_lag=max_replica_lag,
        lock_timeout=lock_timeout,
        lock_attempts=lock_attempts,
    )
    ask(f"Backfill {target}: write {new} in every row that lacks it?", yes=yes)
    run_backfill(On(url, target, options), "backfill", as_json=as_json)


@app.command()
def verify(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    lock_timeout: LockTimeout = USUAL.lock_timeout,
    lock_attempts: LockAttempts = USUAL.lock_attempts,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Compare every row; build on the new column what the old one has, and validate it.

    Example: invoicing rename verify invoice amt amount_cents
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(lock_timeout=lock_timeout, lock_attempts=lock_attempts)
    ask(f"Verify {target}: copy indexes and constraints to {new}?", yes=yes)
    on = On(url, target, options)
    with resumable(on, "verify"), busy("Comparing rows, building copies"):
        report = on.run(lambda rename: rename.verify())
    if as_json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        output.print_verify(report, target, options)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def status(
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    max_transaction_age: MaxAge = USUAL.max_transaction_age,
    watch: Annotated[
        float | None, typer.Option(min=0.2, help="Look again every so many seconds.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say where a rename stands, from any connection, while it runs or not.

    Example: invoicing rename status invoice amt amount_cents --watch 1
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(max_transaction_age=max_transaction_age)
    On(url, target, options).run(lambda rename: show_status(rename, watch, as_json=as_json))


@app.command()
def gate(
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    quiet: Quiet = USUAL.quiet,
    accept: Accept = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Ask what stands in the way of the contract; it drops nothing. Exit code 1 if anything does.

    Example: invoicing rename gate invoice amt amount_cents --quiet 60
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(quiet=quiet, accept=accept)
    with busy(f"Watching for old code, for {quiet:g} s"):
        report = On(url, target, options).run(lambda rename: rename.gate())
    if as_json:
        print_json(asdict(report) | {"open": report.open})
    else:
        output.print_gate(report, target, options)
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
    quiet: Quiet = USUAL.quiet,
    lock_timeout: LockTimeout = USUAL.lock_timeout,
    lock_attempts: LockAttempts = USUAL.lock_attempts,
    accept: Accept = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Drop the old column, once the gate is open. DESTRUCTIVE: what it is to do must be typed.

    Example: invoicing rename contract invoice amt amount_cents --confirm invoice.amt
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(
        quiet=quiet, lock_timeout=lock_timeout, lock_attempts=lock_attempts, accept=accept
    )
    if confirm is None and sys.stdin.isatty():
        warning = f"{table}.{old} ends for ever: nothing answers to that name any more."
        errors.print(warning, markup=False, highlight=False)
        confirm = typer.prompt(visible(f"Type {table}.{old} to confirm"), err=True)
    run_phase(
        On(url, target, options),
        "contract",
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
    lock_timeout: LockTimeout = USUAL.lock_timeout,
    lock_attempts: LockAttempts = USUAL.lock_attempts,
    confirm: Annotated[
        str | None, typer.Option(help="What is dropped, as table.new: asked for if not given.")
    ] = None,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Go back to before the expand, from any phase before the contract. DESTRUCTIVE.

    It says what would be lost, and the name of the new column must be typed. In a script give
    --confirm, or --yes.

    Example: invoicing rename rollback invoice amt amount_cents --confirm invoice.amount_cents
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(lock_timeout=lock_timeout, lock_attempts=lock_attempts)
    on = On(url, target, options)
    ask_for_name(on, "rollback", f"{table}.{new}", confirm, yes=yes)
    run_phase(on, "rollback", lambda rename: rename.rollback(), "Rolling back", as_json=as_json)


@app.command()
def restore(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    old: Old,
    new: New,
    *,
    schema: Schema = None,
    strategy: Way = USUAL.strategy,
    batch_size: BatchSize = USUAL.batch_size,
    batch_bytes: BatchBytes = USUAL.batch_bytes,
    workers: Workers = USUAL.workers,
    stripes: Stripes = None,
    pause: Pause = USUAL.pause,
    target_seconds: BatchTarget = USUAL.target,
    max_replica_lag: MaxLag = None,
    lock_timeout: LockTimeout = USUAL.lock_timeout,
    lock_attempts: LockAttempts = USUAL.lock_attempts,
    accept: Accept = None,
    url: Url = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """After the contract: add the old column again, refill it from the new one, keep both equal.

    Example: invoicing rename restore invoice amt amount_cents
    """
    target = make_target(table, old, new, schema, url)
    options = make_options(
        strategy=strategy,
        batch_size=batch_size,
        batch_bytes=batch_bytes,
        workers=workers,
        stripes=stripes,
        pause=pause,
        target=target_seconds,
        max_replica_lag=max_replica_lag,
        lock_timeout=lock_timeout,
        lock_attempts=lock_attempts,
        accept=accept,
    )
    ask(f"Restore {table}.{old} from {new}, and keep both equal?", yes=yes)
    run_backfill(On(url, target, options), "restore", as_json=as_json)
