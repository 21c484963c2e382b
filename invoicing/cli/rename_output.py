"""What `invoicing rename` prints: reports for people; the commands print JSON themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from invoicing.cli.output import console
from invoicing.cli.progress import ProgressStep
from invoicing.toolkit.rename import Phase, wording_of
from invoicing.toolkit.rename.facts import duration, next_command, size, status_facts
from invoicing.visible import plural, visible

if TYPE_CHECKING:
    from invoicing.toolkit.rename import (
        BackfillReport,
        GateReport,
        LiveSettings,
        Options,
        Plan,
        PlanFinding,
        Progress,
        Status,
        Target,
        VerifyReport,
    )

_VERDICTS = {
    "refused": "Blocking issues: fix these first",
    "later": "To change before the contract: these still use the old column",
    "noted": "Notes",
    "carried": "Copied to the new column",
}


def print_plan(plan: Plan, status: Status, options: Options) -> None:
    """Print the findings, what each strategy costs, and every statement with its lock."""
    _say(f"{plan.target}, on PostgreSQL {plan.server_version}", style="bold")
    _say(
        f"About {plan.rows:,} rows; table {size(plan.table_bytes)}, "
        f"indexes {size(plan.index_bytes)}"
    )
    for verdict, heading in _VERDICTS.items():
        found = [finding for finding in plan.findings if finding.verdict == verdict]
        if found:
            _say(f"\n{heading}", style="bold red" if verdict == "refused" else "bold")
            _print_findings(found)
    _say("\nCost of each strategy", style="bold")
    console.print(_estimates(plan))
    for estimate in plan.estimates:
        if estimate.breaks:
            _say(f"  Strategy {estimate.strategy} would break:")
            _say("".join(f"    {what}\n" for what in estimate.breaks).rstrip())
    _say(f"\nStatements of strategy {plan.strategy}", style="bold")
    _print_steps(plan)
    whole = plan.target.command("plan", options, "--sql")
    _say(f"  (in full: {whole})\n")
    if plan.refusals:
        again = plan.target.command("plan", options)
        _say(f"Blocking issues: {len(plan.refusals)}. Fix them, then run: {again}")
    elif status.phase is Phase.NONE:
        _say(f"Blocking issues: none. Next: {plan.target.command('expand', options)}")
    else:
        _say(f"The rename is in progress, phase: {status.phase}")
        print_next(status.phase, plan.target, options)


def plan_sql(plan: Plan) -> str:
    """Return the statements alone, each below a comment that names its phase and lock."""
    return "\n\n".join(
        f"-- {step.phase}; lock: {step.lock}; blocks: {step.blocks}\n{step.sql.rstrip()};"
        for step in plan.steps
    )


def print_verify(report: VerifyReport, target: Target, options: Options) -> None:
    """Print the rows by state, and what was built."""
    table = _facts()
    table.add_row("rows", f"{report.rows:,}")
    table.add_row("equal", f"{report.equal:,}")
    table.add_row("different", f"{report.different:,}")
    table.add_row("not filled", f"{report.missing:,}")
    if report.nulls:
        table.add_row("NULL in both", f"{report.nulls:,}")
    if report.not_null is not None:
        table.add_row("NOT NULL", "validated" if report.not_null else "missing")
    for name, valid in (report.constraints | report.indexes).items():
        table.add_row(name, "valid" if valid else "not valid")
    for line in report.reconciled:
        table.add_row("reconciled", visible(line))
    console.print(table)
    for note in report.notes:
        _say(f"Note: {visible(note)}")
    for refusal in report.refused:
        _say(visible(refusal), style="red")
    if report.ok:
        print_next(Phase.VERIFIED, target, options)
    else:
        then = "Fix that, then run" if report.refused else "Run again"
        _say(f"Verification failed. {then}: {target.command('verify', options)}", style="red")


def print_gate(report: GateReport, target: Target, options: Options) -> None:
    """Print what blocks the contract, and what could not be seen."""
    if report.unseen:
        _print_findings(report.unseen)
    if report.accepted:
        _say("Accepted", style="bold")
        _print_findings(report.accepted)
    if report.open:
        confirm = f"{target.table}.{target.old}"
        command = target.command("contract", options, "--confirm", confirm)
        _say(f"The gate is open. Next: {command}")
        return
    _say("The gate is closed", style="bold red")
    _print_findings(report.objections)
    _say(f"Fix these, then run: {target.command('gate', options)}")


def print_backfill(report: BackfillReport, seconds: float) -> None:
    """Print what a backfill has done."""
    if report.waited_for is not None:
        _say(f"Waited for {visible(report.waited_for)}, which was at work on the table")
    rate = f", {report.rows_updated / seconds:,.0f} a second" if seconds >= 1 else ""
    _say(
        f"{plural(report.rows_updated, 'row')} filled in {plural(report.batches, 'batch')},"
        f" {seconds:,.1f} s{rate}"
    )
    if report.guard:
        _say(_guard(report.guard))


def _guard(figures: dict[str, Any]) -> str:
    """Return how fast the guard let a backfill go, and what it was slower for."""
    said = f"Guard: {figures['mean_speed']:.0%} of full speed on average"
    if "calm_ms" in figures:
        said += f"; calm level {figures['calm_ms']:,.1f} ms"
    if figures.get("worst_latency"):
        said += f", at worst {figures['worst_latency']:.1f} times"
    slowed = ", ".join(f"{times:,} times for {kind}" for kind, times in figures["slowed"].items())
    return f"{said}; slowed {slowed or 'never'}"


def print_done(
    verb: str, before: Status, after: Status, options: Options, *, in_place: bool = False
) -> None:
    """Print what a phase has done; what it did is to be seen in what there was before."""
    target = after.target
    strategy = after.strategy if verb == "expand" else before.strategy
    done = wording_of(strategy, target).done["in place" if in_place else verb]
    if verb == "rollback" and before.phase is Phase.NONE and not before.notes:
        done = "There was nothing to roll back"
    _say(done.format(table=target.table, old=target.old, new=target.new), style="bold")
    # After a rollback there is no rename that could have another strategy.
    console.print(status_table(replace(after, strategy=strategy)))
    # What was said of a view, or of what was left, is over with it.
    stays = before.strategy == "columns" and not before.left
    for note in before.notes if verb in {"expand", "contract", "rollback"} and stays else []:
        if note not in after.notes:
            _say(f"Before this {verb}: {visible(note)}")
    if verb == "rollback":
        _say(f"To start again: {target.command('plan', options)}")
    else:
        print_next(after.phase, target, options)


def print_status(status: Status, options: Options) -> None:
    """Print where a rename stands."""
    console.print(status_table(status))
    _say(_after(status, options))


def status_screen(status: Status, options: Options) -> Group:
    """Return where a rename stands and what comes next, for a terminal that is written again."""
    return Group(status_table(status), Text(_after(status, options)))


def print_next(phase: Phase, target: Target, options: Options, *, restored: str = "") -> None:
    """Print what to run after a phase; after a restore also what it has done."""
    if restored:
        _say(
            f"{restored.format(table=target.table, old=target.old)}. Old code may be deployed. "
            f"When only new code runs, drop it again: {_back(target)}"
        )
        return
    _say(next_command(phase, target, options))


def status_table(status: Status) -> Table:
    """Return where a rename stands, a fact a line."""
    table = _facts()
    for name, value in status_facts(status):
        table.add_row(name, visible(value))
    return table


def print_live(settings: LiveSettings) -> None:
    """Print what counts for a running backfill from now on."""
    said = visible(str(settings)) or "as the backfill's own options say"
    _say(f"The backfill: {said}. It is read within a second, and by the next run")


def status_line(status: Status) -> str:
    """Return where a rename stands, for a log."""
    parts = [f"{status.phase}: {status.rows_done:,} of {status.rows_total:,} rows"]
    if status.rate is not None:
        parts.append(f"{status.rate:,.0f} rows a second")
    if status.eta is not None:
        parts.append(f"ETA {duration(status.eta)}")
    return ", ".join(parts)


def backfill_step(progress: Progress) -> ProgressStep:
    """Return where a backfill stands, for a bar or a line."""
    note = f"{progress.rate:,.0f} rows a second, batch {progress.batch_size:,}"
    if progress.eta is not None:
        note += f", ETA {duration(progress.eta)}"
    if progress.guard and progress.guard != progress.waiting:
        note += f", guard: {progress.guard}"
    if progress.waiting:
        note += f", waiting: {progress.waiting}"
    return ProgressStep(
        "Backfill", min(progress.rows_done, progress.rows_total), progress.rows_total, note
    )


def _after(status: Status, options: Options) -> str:
    if status.paused and status.phase in {Phase.EXPANDED, Phase.BACKFILLING}:
        return f"To go on with the backfill: {status.target.command('resume')}"
    phase = Phase.ROLLING_BACK if status.left else status.phase
    return next_command(phase, status.target, options, status.notes)


def _back(target: Target) -> str:
    return target.reversed().command("rollback")


def _estimates(plan: Plan) -> Table:
    table = Table(box=box.SIMPLE)
    for name in ("Strategy", "Time", "More space", "Longest lock", "Safe here", "Breaks"):
        table.add_column(name)
    for estimate in plan.estimates:
        table.add_row(
            estimate.strategy,
            f"about {duration(estimate.seconds)}",
            size(estimate.extra_bytes),
            estimate.longest_lock,
            "yes" if estimate.safe else "no",
            f"{plural(len(estimate.breaks), 'thing')}, below" if estimate.breaks else "nothing",
        )
    return table


def _print_steps(plan: Plan) -> None:
    """Print each statement below its phase and its lock; of a function, the first line."""
    for (phase, lock, waits), steps in groupby(
        plan.steps, lambda step: (step.phase, step.lock, step.blocks)
    ):
        _say(f"  {phase}: lock {lock}; blocks: {waits}", style="bold")
        for step in steps:
            sql, *body = step.sql.strip().splitlines()
            _say(f"    {sql}" + (" ..." if body else ";"))


def _print_findings(findings: list[PlanFinding]) -> None:
    alike: dict[tuple[str, str], list[PlanFinding]] = {}
    for finding in findings:
        alike.setdefault((finding.slug, finding.message), []).append(finding)
    for first, *others in alike.values():
        subjects = "; ".join([first.subject, *(other.subject for other in others)])
        finding = replace(first, subject=subjects)
        line = Text("  ")
        line.append(finding.slug, style="bold")
        line.append(f"  {visible(str(finding))}")
        console.print(line, highlight=False, soft_wrap=not console.is_terminal)


def _facts() -> Table:
    table = Table("", "", show_header=False, box=None)
    table.columns[0].no_wrap = True
    return table


def _say(text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
