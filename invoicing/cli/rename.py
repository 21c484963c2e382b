"""`invoicing rename`: rename a column of a live table, phase by phase."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from invoicing.cli import rename_output as output
from invoicing.cli import rename_practice, rename_rehearse, rename_revisions
from invoicing.cli.output import echo_for_program, errors
from invoicing.cli.rename_options import CommandContext, Form, Watch, rename_command
from invoicing.cli.rename_run import (
    ask,
    ask_for_name,
    busy,
    print_json,
    resumable,
    run_backfill,
    run_contract,
    run_phase,
    show_live,
    show_status,
)
from invoicing.errors import UsageError
from invoicing.toolkit.rename import LiveSettings, wording_of
from invoicing.visible import visible

if TYPE_CHECKING:
    from invoicing.toolkit.rename import Plan, Rename, Status

app = typer.Typer(
    help="Rename a column of a live table: nothing lost, no request failed.\n\n"
    "In this order: plan, expand, backfill, verify; then deploy the code that knows the new name; "
    "then gate, contract. Before the contract there is rollback, after it restore. Each may be run "
    "again, and continues where it stopped; status says where that is.",
    no_args_is_help=True,
)
app.add_typer(rename_practice.app)
app.add_typer(rename_revisions.app)
app.add_typer(rename_rehearse.app)


@rename_command(app)
def plan(
    *,
    context: CommandContext,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements only.")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Rehearse it as well, as the command of that name.")
    ] = False,
) -> None:
    """Read the catalog and show what would happen; nothing is changed.

    Exit code 1 if there are blocking issues, or a rehearsal is not clean.

    Example: invoicing rename plan invoice amt amount_cents
    """
    if context.as_json and sql:
        message = "--json has every statement too; give --json or --sql, not both"
        raise UsageError(message)
    if sql and rehearse:
        message = "--sql prints statements only; give --sql or --rehearse, not both"
        raise UsageError(message)

    async def look(rename: Rename) -> tuple[Plan, Status]:
        return await rename.plan(), await rename.status()

    found, status = context.run(look)
    report = rename_rehearse.run(context) if rehearse else None
    if context.as_json:
        print_json(found.as_dict() | ({"rehearsal": report.as_dict()} if report else {}))
    elif sql:
        echo_for_program(output.plan_sql(found))
    else:
        output.print_plan(found, status, context.options)
    if report is not None and not context.as_json:
        rename_rehearse.print_rehearsal(report, context)
    if found.refusals or (report is not None and not report.clean):
        raise typer.Exit(1)


@rename_command(app, asks=True)
def expand(context: CommandContext) -> None:
    """Add the new column and the triggers that keep both equal.

    Example: invoicing rename expand invoice amt amount_cents
    """
    target = context.target
    what = wording_of(context.options.strategy, context.target).expand.format(
        table=target.table, old=target.old, new=target.new
    )
    ask(context, f"Expand {target}: {what}?")
    notes: list[str] = []

    async def expanding(rename: Rename) -> None:
        notes.extend(await rename.expand())

    run_phase(context, "expand", expanding, "Expanding")
    for note in notes:
        errors.print(f"Note: {visible(note)}", markup=False, highlight=False)


@rename_command(app, asks=True)
def backfill(context: CommandContext) -> None:
    """Fill the new column batch by batch; Ctrl-C stops between two, and a new run continues there.

    Example: invoicing rename backfill invoice amt amount_cents --workers 2 --max-replica-lag 10
    """
    target = context.target
    ask(context, f"Backfill {target}: write {target.new} in every row that lacks it?")
    run_backfill(context, "backfill")


@rename_command(app)
def pause(context: CommandContext) -> None:
    """Let a running backfill wait between two batches, from another terminal, until resume.

    Example: invoicing rename pause invoice amt amount_cents
    """
    show_live(context, context.run(lambda rename: rename.pause()))


@rename_command(app)
def resume(context: CommandContext) -> None:
    """Let a paused backfill go on.

    Example: invoicing rename resume invoice amt amount_cents
    """
    show_live(context, context.run(lambda rename: rename.resume()))


@rename_command(app)
def throttle(
    *,
    context: CommandContext,
    settings: LiveSettings,
    reset: Annotated[
        bool, typer.Option("--reset", help="Let the backfill's own options count again.")
    ] = False,
) -> None:
    """Set the speed of a running backfill from another terminal; it counts for the next run too.

    Example: invoicing rename throttle invoice amt amount_cents --pause 0.2 --batch-size 1000
    """
    given = settings.changes
    if not reset and not given:
        options = ", ".join("--" + name.replace("_", "-") for name in LiveSettings.names())
        message = f"nothing to set. Give at least one of {options}, --reset"
        raise UsageError(message)

    async def work(rename: Rename) -> LiveSettings:
        return await rename.throttle(**given, reset=reset)

    show_live(context, context.run(work))


@rename_command(app, asks=True)
def verify(context: CommandContext) -> None:
    """Compare every row; build on the new column what the old one has, and validate it.

    Example: invoicing rename verify invoice amt amount_cents
    """
    target = context.target
    ask(context, f"Verify {target}: copy indexes and constraints to {target.new}?")
    with resumable(context, "verify"), busy("Comparing rows, building copies"):
        report = context.run(lambda rename: rename.verify())
    if context.as_json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        output.print_verify(report, target, context.options)
    if not report.ok:
        raise typer.Exit(1)


@rename_command(app)
def status(*, context: CommandContext, watch: Watch = None, form: Form = "text") -> None:
    """Show the state of a rename, from any connection, while it runs or not.

    Example: invoicing rename status invoice amt amount_cents --watch 1
    """
    form = "json" if context.as_json and form == "text" else form
    context.run(lambda rename: show_status(rename, watch, form))


@rename_command(app)
def gate(context: CommandContext) -> None:
    """Check whether the contract may run; nothing is dropped. Exit code 1 if it may not.

    Example: invoicing rename gate invoice amt amount_cents --quiet 60
    """
    watching = f"Watching for old code, for {context.options.quiet:g} s"
    # No code has to change for another type alone.
    with busy("Comparing rows" if context.target.keeps_name else watching):
        report = context.run(lambda rename: rename.gate())
    if context.as_json:
        print_json(asdict(report) | {"open": report.open})
    else:
        output.print_gate(report, context.target, context.options)
    if not report.open:
        raise typer.Exit(1)


@rename_command(app)
def contract(
    *,
    confirm: Annotated[
        str | None,
        typer.Option(help="The column to drop, as table.old; prompted for if not given."),
    ] = None,
    context: CommandContext,
) -> None:
    """Drop the old column, once the gate is open. DESTRUCTIVE: it must be confirmed by name.

    Example: invoicing rename contract invoice amt amount_cents --confirm invoice.amt
    """
    table, old, quiet = context.target.table, context.target.old, context.options.quiet
    warning = f"{table}.{old} is dropped for good: statements that use that name will fail."
    work = f"Watching for old code, for {quiet:g} s, then dropping {old}"
    run_contract(context, confirm, warning, work)


@rename_command(app, asks=True)
def rollback(
    *,
    context: CommandContext,
    confirm: Annotated[
        str | None,
        typer.Option(help="The column to drop, as table.new; prompted for if not given."),
    ] = None,
) -> None:
    """Go back to before the expand, from any phase before the contract. DESTRUCTIVE.

    It says what would be lost and asks for the name of the new column. In a script give --confirm,
    or --yes.

    Example: invoicing rename rollback invoice amt amount_cents --confirm invoice.amount_cents
    """
    ask_for_name(context, "rollback", f"{context.target.table}.{context.target.new}", confirm)
    run_phase(context, "rollback", lambda rename: rename.rollback(), "Rolling back")


@rename_command(app, asks=True)
def restore(context: CommandContext) -> None:
    """After the contract: add the old column again, backfill it from the new one, keep both equal.

    Example: invoicing rename restore invoice amt amount_cents
    """
    target = context.target
    ask(context, f"Restore {target.table}.{target.old} from {target.new}, and keep both equal?")
    run_backfill(context, "restore")
