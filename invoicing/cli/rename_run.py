"""How a command runs a phase of a rename: asks first, shows progress, stops when interrupted."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import typer
from rich.live import Live

from invoicing.cli import rename_output as output
from invoicing.cli.output import console, echo_for_program, echo_json, echo_text, errors
from invoicing.cli.progress import shown_progress
from invoicing.cli.rename_metrics import openmetrics
from invoicing.errors import UsageError
from invoicing.toolkit.rename import Phase, Rename
from invoicing.toolkit.rename.consequences import consequences, is_typed
from invoicing.toolkit.rename.strategies import wording_of
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from invoicing.cli.rename_options import CommandContext
    from invoicing.toolkit.rename import BackfillReport, LiveSettings, Status


def ask(context: CommandContext, question: str) -> None:
    """Continue only after a yes.

    Raises:
        UsageError: there is no terminal to ask on.
    """
    if context.yes:
        return
    if not sys.stdin.isatty():
        message = f"cannot ask {question!r}: there is no terminal. Nothing was changed. Add: --yes"
        raise UsageError(message)
    if not typer.confirm(visible(question), err=True):
        errors.print("Nothing was changed")
        raise typer.Exit(1)


def ask_for_name(context: CommandContext, verb: str, name: str, confirm: str | None) -> None:
    """Continue only if the name of what is dropped is given or typed; say what would be lost first.

    Raises:
        UsageError: another name was given, or there is no terminal to ask on.
    """
    shown, target = visible(name), visible(str(context.target))
    dropped = f"the second column of {shown}" if context.target.keeps_name else shown
    if confirm is not None and not is_typed(confirm, name):
        message = f"cannot {verb} {target}: --confirm is {visible(confirm)!r}, but {dropped} would"
        raise UsageError(f"{message} be dropped. Nothing was changed. Give: --confirm {shown}")
    if context.yes or confirm is not None:
        return
    if not sys.stdin.isatty():
        message = (
            f"cannot ask whether to drop {dropped}: there is no terminal. Nothing was changed."
        )
        raise UsageError(f"{message} Add: --yes, or --confirm {shlex.quote(shown)}")
    said = context.run(lambda rename: consequences(rename, verb))
    if not said:
        return
    errors.print(f"{verb} of {target}: {said}", markup=False, highlight=False)
    if not is_typed(typer.prompt(f"Type {shown} to confirm", err=True), name):
        errors.print("The name does not match. Nothing was changed")
        raise typer.Exit(1)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Say that something is under way."""
    if not errors.is_terminal:
        errors.print(what, markup=False, highlight=False)
        yield
        return
    with errors.status(what):
        yield


@contextmanager
def resumable(context: CommandContext, verb: str) -> Iterator[None]:
    """Say after a Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        message = f"Interrupted; what was done is kept. To continue: {context.command(verb)}"
        errors.print(message, markup=False, highlight=False)
        raise typer.Exit(128 + signal.SIGINT) from None


def run_phase(
    context: CommandContext, verb: str, work: Callable[[Rename], Awaitable[bool | None]], doing: str
) -> None:
    """Run one phase, then say what was done, where the rename stands and what comes next.

    Args:
        context: the command's.
        verb: the phase.
        work: runs it; true of a contract that renamed the column itself.
        doing: what is said meanwhile.
    """

    async def run(rename: Rename) -> tuple[Status, bool | None, Status]:
        before = await rename.status()
        with busy(doing):
            in_place = await work(rename)
        return before, in_place, await rename.status()

    with resumable(context, verb):
        before, in_place, after = context.run(run)
    if context.as_json:
        print_json(after.as_dict())
    else:
        output.print_done(verb, before, after, context.options, in_place=bool(in_place))


def run_contract(context: CommandContext, confirm: str | None, warning: str, doing: str) -> None:
    """Run the contract; on a terminal ask for the name of what is dropped, if it is not given."""
    if confirm is None and sys.stdin.isatty():
        errors.print(visible(warning), markup=False, highlight=False)
        name = f"{context.target.table}.{context.target.old}"
        confirm = typer.prompt(visible(f"Type {name} to confirm"), err=True)
    run_phase(context, "contract", lambda rename: rename.contract(confirm=confirm), doing)


def show_live(context: CommandContext, settings: LiveSettings) -> None:
    """Show what counts for a running backfill from now on."""
    if context.as_json:
        print_json(asdict(settings))
    else:
        output.print_live(settings)


async def show_status(
    rename: Rename, watch: float | None, form: Literal["text", "json", "openmetrics"]
) -> None:
    """Show where a rename stands; again every `watch` seconds, if that is given."""
    if watch is not None and console.is_terminal and form == "text":
        await _watch(rename, watch)
    while True:
        found = await rename.status()
        if form == "json":
            print_json(found.as_dict(), indent=2 if watch is None else None)
        elif form == "openmetrics":
            echo_for_program(openmetrics(found))
        elif watch is None:
            output.print_status(found, rename.options)
        else:
            echo_text(output.status_line(found))
        if watch is None:
            return
        await asyncio.sleep(watch)


async def _watch(rename: Rename, seconds: float) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            shown = output.status_screen(await rename.status(), rename.options)
            live.update(shown, refresh=True)
            await asyncio.sleep(seconds)


def run_backfill(context: CommandContext, verb: Literal["backfill", "restore"]) -> None:
    """Run a backfill with its progress; a signal stops it between two batches."""
    began = time.monotonic()
    heard: list[int] = []

    async def run(rename: Rename) -> BackfillReport:
        with shown_progress() as show:
            async with stopped_by_signals(heard) as stop:
                work = rename.backfill if verb == "backfill" else rename.restore
                return await work(progress=lambda at: show(output.backfill_step(at)), stop=stop)

    with resumable(context, verb):
        report = context.run(run)
    if context.as_json:
        print_json(asdict(report))
    else:
        output.print_backfill(report, time.monotonic() - began)
    if not report.completed:
        stopped(context, verb, heard)
    if not context.as_json:
        wording = wording_of(context.options.strategy, context.target)
        restored = wording.done["restore"] if verb == "restore" else ""
        output.print_next(Phase.BACKFILLED, context.target, context.options, restored=restored)


def stopped(context: CommandContext, verb: str, heard: list[int]) -> NoReturn:
    """Say how to go on after a stop between two batches.

    Raises:
        typer.Exit: always, as after the signal that was heard.
    """
    again = context.command(verb)
    message = f"Stopped between two batches; what was done is kept. To continue: {again}"
    errors.print(message, markup=False, highlight=False)
    raise typer.Exit(128 + heard[0] if heard else 1)


@asynccontextmanager
async def stopped_by_signals(heard: list[int]) -> AsyncIterator[asyncio.Event]:
    """Yield an event that Ctrl-C sets; a second one cancels, which loses nothing either."""
    stop = asyncio.Event()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def hear(number: int) -> None:
        if heard and task is not None:
            task.cancel()
        elif not heard:
            errors.print("Stopping after this batch; a second signal stops at once", style="yellow")
        heard.append(number)
        stop.set()

    # SIGHUP: the terminal was closed. Not on every platform.
    numbers = (signal.SIGINT, signal.SIGTERM, *filter(None, [getattr(signal, "SIGHUP", None)]))
    # Windows' loops have no signal handlers: there Ctrl-C cancels at once.
    with suppress(NotImplementedError):
        for number in numbers:
            loop.add_signal_handler(number, hear, number)
    try:
        yield stop
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        with suppress(NotImplementedError):
            for number in numbers:
                loop.remove_signal_handler(number)


def print_json(facts: dict[str, Any], *, indent: int | None = 2) -> None:
    """Print JSON; without an indent it is one line, as a program that follows reads it."""
    echo_json(json.dumps(facts, indent=indent, ensure_ascii=False))
