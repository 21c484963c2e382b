"""`invoicing retype`: change the type of a column of a live table, all at once or by phases."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from invoicing.cli import rename, rename_rehearse, rename_revisions
from invoicing.cli import rename_output as output
from invoicing.cli.output import echo_text, errors
from invoicing.cli.progress import shown_progress
from invoicing.cli.rename_options import CommandContext, Form, Watch, retype_command
from invoicing.cli.rename_rehearse import ROWS, OnServer, Rows
from invoicing.cli.rename_run import (
    ask,
    ask_for_name,
    print_json,
    resumable,
    run_backfill,
    run_contract,
    run_phase,
    stopped,
    stopped_by_signals,
)
from invoicing.errors import UsageError
from invoicing.toolkit.rename import Phase
from invoicing.toolkit.rename.consequences import is_typed
from invoicing.toolkit.rename.retype.walk import look, walk, with_referring
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename import Rename, Status
    from invoicing.toolkit.rename.retype.walk import Beginning, Walked


class Phases(TyperGroup):
    """Takes what is no phase for the table of `run`."""

    def parse_args(self, ctx: Any, args: Sequence[str]) -> list[str]:  # noqa: ANN401 -- typer's own
        """Put the verb in that is left out."""
        words = list(args)
        if words and words[0] not in {*self.commands, "--help"}:
            words.insert(0, "run")
        return super().parse_args(ctx, words)


app = typer.Typer(
    cls=Phases,
    help="Change the type of a column of a live table: nothing lost, no request failed.\n\n"
    "invoicing retype TABLE COLUMN TYPE does all of it, and asks before the contract. By phases: "
    "plan, expand, backfill, verify, contract; before the contract there is rollback. Each may be "
    "run again, and continues where it stopped. A table that is called as a phase is: "
    "invoicing retype run TABLE ...",
    no_args_is_help=True,
)
app.add_typer(rename_revisions.of_types)
_OVER = frozenset({Phase.NONE, Phase.CONTRACTED})
_Confirm = Annotated[
    str | None, typer.Option(help="The column, as table.column; prompted for if not given.")
]


@retype_command(app, asks=True)
def run(*, context: CommandContext, confirm: _Confirm = None) -> None:
    """Plan, expand, backfill, verify and, once it is confirmed by name, contract.

    Run again after an interruption it continues, without the type as well. Without --confirm and
    without a terminal it stops before the contract. Columns of narrower integers that refer to this
    one by a foreign key are changed first, each to its own contract; --confirm is for them as well.
    A change that is under way goes before the others, and gives its type where none is given. The
    word run may be left out.

    Example: invoicing retype run loan fee bigint --confirm loan.fee
    """
    name = f"{context.target.table}.{context.target.old}"
    if confirm is not None and not is_typed(confirm.removeprefix(_schema(context)), name):
        message = f"--confirm is {confirm!r}, but {name} is to be changed. Nothing was changed"
        raise UsageError(f"{message}. Give: --confirm {name}")
    changes = context.run(with_referring)
    context = replace(context, options=changes[-1].options)
    first = replace(context, target=changes[0].target)
    # Under way, it may itself be what the key's plan refuses; that is looked at again in its turn.
    if len(changes) > 1 and first.run(lambda change: change.status()).phase in _OVER:
        _refuse(context, context.run(look))
    order = "First"
    for target in (change.target for change in changes):
        if target == context.target:
            order, given = "Then", confirm
        else:
            errors.print(visible(f"{order} {target}, which refers to {name}"), markup=False)
            given = f"{target.table}.{target.old}" if confirm is not None else None
        if not _change(replace(context, target=target), given):
            return


def _refuse(context: CommandContext, begins: Beginning) -> None:
    """Print the plan where it has blocking issues.

    Raises:
        typer.Exit: it has.
    """
    if begins.plan is not None and begins.plan.refusals and not begins.over:
        output.print_plan(begins.plan, begins.status, context.options)
        raise typer.Exit(1)


def _schema(context: CommandContext) -> str:
    return f"{context.target.schema}." if context.target.schema else "public."


def _change(context: CommandContext, confirm: str | None) -> bool:
    """Change one column's type; return whether its contract has run."""
    target, begins = context.target, context.run(look)
    if begins.over:
        _finish(context)
        return True
    _refuse(context, begins)
    if begins.plan is not None and not context.as_json:
        output.print_plan(begins.plan, begins.status, context.options)
    to = f" to {context.options.type}" if context.options.type else ""
    ask(context, f"Change the type of {target}{to}?")
    _walk(context)
    if confirm is not None or sys.stdin.isatty():
        contract(context=context, confirm=confirm)
        return True
    if context.as_json:
        print_json(context.run(lambda change: change.status()).as_dict())
    else:
        name = f"{target.table}.{target.old}"
        then = target.command("contract", context.options, "--confirm", name)
        echo_text(visible(f"Verified; only the contract is left. Next: {then}"))
    return False


def _finish(context: CommandContext) -> None:
    """Tidy up what a killed contract has left, and say that the column has its type."""

    async def finish(change: Rename) -> Status:
        status = await change.status()
        if status.phase is Phase.CONTRACTED:
            await change.contract()
        return status

    status = context.run(finish)
    if context.as_json:
        print_json(status.as_dict())
    else:
        echo_text(visible(f"{context.target} has its type already: there is nothing to do"))


def _walk(context: CommandContext) -> None:
    """Go as far as the contract.

    Raises:
        typer.Exit: it was stopped, or a row or a copy is not as it has to be.
    """
    heard: list[int] = []

    async def go(change: Rename) -> Walked:
        with shown_progress() as show:
            async with stopped_by_signals(heard) as stop:
                return await walk(change, lambda at: show(output.backfill_step(at)), stop)

    with resumable(context, "run"):
        walked = context.run(go)
    if walked.verify is not None and not walked.verify.ok:
        output.print_verify(walked.verify, context.target, context.options)
        raise typer.Exit(1)
    if not walked.verified:
        stopped(context, "run", heard)


@retype_command(app)
def plan(
    *,
    context: CommandContext,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements only.")] = False,
) -> None:
    """Read the catalog and show what would happen; nothing is changed.

    Exit code 1 if there are blocking issues.

    Example: invoicing retype plan loan fee bigint
    """
    rename.plan(context=context, sql=sql)


@retype_command(app, asks=True)
def expand(context: CommandContext) -> None:
    """Add a column of the new type, and triggers that keep it as the column is.

    Example: invoicing retype expand loan fee bigint
    """
    rename.expand(context)


@retype_command(app, asks=True)
def backfill(context: CommandContext) -> None:
    """Fill it batch by batch; Ctrl-C stops between two, and a new run continues there.

    Example: invoicing retype backfill loan fee --workers 2 --max-replica-lag 10
    """
    ask(context, f"Backfill {context.target}: convert the value of every row?")
    run_backfill(context, "backfill")


@retype_command(app)
def pause(context: CommandContext) -> None:
    """Let a running backfill wait between two batches, from another terminal, until resume.

    Example: invoicing retype pause loan fee
    """
    rename.pause(context)


@retype_command(app)
def resume(context: CommandContext) -> None:
    """Let a paused backfill go on.

    Example: invoicing retype resume loan fee
    """
    rename.resume(context)


@retype_command(app, asks=True)
def verify(context: CommandContext) -> None:
    """Compare every row; build on the new column what the old one has, and validate it.

    Example: invoicing retype verify loan fee
    """
    ask(context, f"Verify {context.target}: build indexes and constraints for the new type?")
    rename.verify(replace(context, yes=True))


@retype_command(app)
def status(*, context: CommandContext, watch: Watch = None, form: Form = "text") -> None:
    """Show how far the change is, from any connection, while it runs or not.

    Example: invoicing retype status loan fee --watch 1
    """
    rename.status(context=context, watch=watch, form=form)


@retype_command(app)
def rehearse(*, context: CommandContext, rows: Rows = ROWS, on_server: OnServer = False) -> None:
    """Try every phase on a copy of the schema with generated rows; the real database is only read.

    A twin judges it: until the contract one that nothing is done to, then one that ALTER COLUMN ...
    TYPE changed. Columns that refer to it are rehearsed each by itself.

    Example: invoicing retype rehearse loan fee bigint
    """
    rename_rehearse.rehearse(context=context, rows=rows, on_server=on_server)


@retype_command(app)
def gate(context: CommandContext) -> None:
    """Check whether the contract may run; nothing is dropped. Exit code 1 if it may not.

    Example: invoicing retype gate loan fee
    """
    rename.gate(context)


@retype_command(app)
def contract(*, context: CommandContext, confirm: _Confirm = None) -> None:
    """Give the column its new type. DESTRUCTIVE: it must be confirmed by name.

    Example: invoicing retype contract loan fee --confirm loan.fee
    """
    table, old = context.target.table, context.target.old
    warning = f"{table}.{old} with its old type is dropped for good."
    run_contract(context, confirm, warning, f"Comparing rows, then giving {old} its new type")


@retype_command(app, asks=True)
def rollback(*, context: CommandContext, confirm: _Confirm = None) -> None:
    """Go back to before the expand, from any phase before the contract. DESTRUCTIVE.

    It drops the column of the new type and asks for the name. In a script give --confirm, or --yes.

    Example: invoicing retype rollback loan fee --confirm loan.fee
    """
    name = f"{context.target.table}.{context.target.old}"
    ask_for_name(context, "rollback", name, confirm)
    run_phase(context, "rollback", lambda change: change.rollback(), "Rolling back")
