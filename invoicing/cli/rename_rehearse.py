"""The command `rehearse`: try a rename on a copy of the schema, and print what would differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from invoicing.cli.output import console, errors
from invoicing.cli.rename_options import CommandContext, rename_command
from invoicing.cli.rename_run import print_json
from invoicing.toolkit.rename.facts import duration
from invoicing.toolkit.rename.rehearsal.rehearse import rehearse as rehearsed
from invoicing.visible import plural, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.toolkit.rename import Rename
    from invoicing.toolkit.rename.rehearsal.report import (
        Difference,
        RehearsalReport,
        StatementChange,
    )

app = typer.Typer()
ROWS = 2_000
Rows = Annotated[int, typer.Option(min=1, help="Rows to generate.")]
OnServer = Annotated[bool, typer.Option("--on-server", help="In databases beside the real one.")]
_MOST = 40
_SHOWN = 300
_MINUTE = 60


@rename_command(app)
def rehearse(
    *,
    context: CommandContext,
    rows: Rows = ROWS,
    on_server: OnServer = False,
) -> None:
    """Try every phase on a copy of the schema with generated rows; the real database is only read.

    A twin that PostgreSQL itself changes judges it: by RENAME COLUMN, with --type by ALTER COLUMN
    ... TYPE as well. Exit code 1 if anything would differ or fail, or could not be rehearsed.

    Example: invoicing rename rehearse invoice amt amount_cents
    """
    report = run(context, rows=rows, on_server=on_server)
    if context.as_json:
        print_json(report.as_dict())
    else:
        more = ["--on-server"] if on_server else []
        more += ["--rows", str(rows)] if rows != ROWS else []
        print_rehearsal(report, context, more)
    if not report.clean:
        raise typer.Exit(1)


def run(context: CommandContext, *, rows: int = ROWS, on_server: bool = False) -> RehearsalReport:
    """Rehearse, and say on stderr what is being done."""

    def say(what: str) -> None:
        errors.print(f"Rehearsal: {visible(what)}", markup=False, highlight=False)

    async def work(rename: Rename) -> RehearsalReport:
        return await rehearsed(rename, rows=rows, on_server=on_server, progress=say)

    return context.run(work)


def print_rehearsal(
    report: RehearsalReport, context: CommandContext, more: Sequence[str] = ()
) -> None:
    """Print what was rehearsed, what would differ, and what to run."""
    _say(f"Rehearsal of {visible(str(report.target))}, strategy {report.strategy}", bold=True)
    if report.refused:
        _list("The plan refuses it", [str(finding) for finding in report.refused])
        _say(f"Nothing was rehearsed. Run: {context.command('plan')}")
        return
    _say(
        f"On {report.server}: {plural(report.rows, 'generated row')} (the real table: about "
        f"{report.real_rows:,}), {plural(report.ran, 'statement')}"
        + ("" if report.target.keeps_name else " by both names")
    )
    if report.looked_at is not None:
        _say(f"{report.looked_at:,} statements of production were planned after each phase")
    times = ", ".join(f"{phase} {_took(took)}" for phase, took in report.scaled.items())
    if times:
        _say(f"At the real size, on such a machine and without traffic: {times}")
    _list("To run between verify and contract: with it all went well", report.to_run)
    _list(f"What a plain {_plain(context)} does otherwise", map(_difference, report.differences))
    fails = [change for change in report.statements if change.fails]
    others = [change for change in report.statements if not change.fails]
    _list("Statements of production that would fail", map(_statement, fails))
    _list("Statements of production with other result columns", map(_statement, others))
    _list("Not rehearsed, so not known to be clean", report.unrehearsed)
    _list("Notes", report.notes)
    if report.clean:
        _say(f"Nothing would differ. Next: {context.command('expand')}")
    else:
        again = context.target.command("rehearse", context.options, *more)
        _say(f"Not clean. Look at the above, then run again: {again}")


def _plain(context: CommandContext) -> str:
    return "RENAME COLUMN" if context.options.type is None else "ALTER COLUMN ... TYPE"


def _difference(difference: Difference) -> str:
    head = f"{difference.phase}, {difference.kind}: {difference.subject}"
    if difference.kind == "failed":
        return f"{difference.phase} failed: {difference.ours}"
    ours, twin = difference.ours or "nothing", difference.twin or "nothing"
    return f"{head}\n  here: {_cut(ours)}\n  twin: {_cut(twin)}"


def _statement(change: StatementChange) -> str:
    calls = f"{change.calls:,} call{'' if change.calls == 1 else 's'}"
    if change.calls_a_day is not None:
        calls += f", {change.calls_a_day:,.0f} a day"
    users = ", ".join(change.users)
    said = f"after {change.phase}: {change.change}"
    if change.on_twin:
        said += " (PostgreSQL's own ALTER TABLE changes it, too)"
    query = _cut(" ".join(change.query.split()))
    return f"{query}\n  {calls}, by {users}, queryid {change.queryid}\n  {said}"


def _took(seconds: float) -> str:
    return duration(seconds) if seconds >= _MINUTE else f"{seconds:.1f} s"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _list(heading: str, found: Iterable[str]) -> None:
    lines = list(found)
    if not lines:
        return
    _say(f"\n{heading}: {len(lines):,}", bold=True)
    for line in lines[:_MOST]:
        parts = [visible(part) for part in line.split("\n") if part.strip()]
        _say("    " + "\n    ".join(parts))
    if len(lines) > _MOST:
        _say(f"    and {len(lines) - _MOST:,} more; --json has them all")


def _say(text: str, *, bold: bool = False) -> None:
    console.print(Text(text, style="bold" if bold else ""), soft_wrap=True, highlight=False)
