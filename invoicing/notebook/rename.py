"""What a rename's reports look like in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from invoicing.notebook.pictures import INK, MIDDLE, drawing
from invoicing.notebook.tables import Table
from invoicing.toolkit.rename.facts import status_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from invoicing.notebook.pictures import Picture
    from invoicing.practice import LedgerReport, TrafficFigures, Trial
    from invoicing.toolkit.rename import GateReport, Plan, PlanFinding, RowCounts, Status

_MB = 1_000_000
_WIDTH = 100


def show_findings(findings: Sequence[PlanFinding]) -> Table:
    """Show what the preflight found: what depends on the column, and what becomes of it."""
    rows = [
        {
            "finding": finding.slug,
            "subject": finding.subject,
            "verdict": finding.verdict,
            "means": finding.message,
        }
        for finding in findings
    ]
    return _table(rows, ["finding", "subject", "verdict", "means"])


def show_steps(plan: Plan, phase: str | None = None) -> Table:
    """Show each statement of the plan, the lock it takes and whom it keeps waiting."""
    rows = [
        {
            "phase": step.phase,
            "statement": _line(step.sql),
            "lock": step.lock,
            "blocks": step.blocks,
        }
        for step in plan.steps
        if phase in {None, step.phase}
    ]
    return _table(rows, ["phase", "statement", "lock", "blocks"])


def show_ways(plan: Plan) -> Table:
    """Show both strategies side by side: time, space, and what they would break here."""
    rows = [
        {
            "strategy": estimate.strategy,
            "time, s": estimate.seconds,
            "space, MB": estimate.extra_bytes / _MB,
            "longest lock": estimate.longest_lock,
            "safe here": "yes" if estimate.safe else "no",
            "would break": "; ".join(estimate.breaks) or "nothing",
        }
        for estimate in plan.estimates
    ]
    return _table(rows, [])


def show_status(status: Status) -> Table:
    """Show where a rename stands, as any connection sees it."""
    rows = [{"fact": fact, "value": value} for fact, value in status_facts(status)]
    return _table(rows, [])


def show_counts(counts: RowCounts) -> Table:
    """Show the live rows by state."""
    facts = {
        "rows": counts.rows,
        "equal by both names": counts.equal,
        "not filled yet": counts.missing,
        "two different values": counts.different,
    }
    rows = [{"state": state, "count": count} for state, count in facts.items()]
    return _table(rows, [])


def show_gate(report: GateReport) -> Table:
    """Show what blocks the contract."""
    title = "The gate is open" if report.open else "The gate is closed"
    rows = [
        {"objection": objection.slug, "means": objection.message} for objection in report.objections
    ]
    return _table(rows, ["objection", "means"], title)


def show_traffic(phases: Mapping[str, TrafficFigures]) -> Table:
    """Show how live traffic fared in each phase."""
    rows = [
        {
            "meanwhile": name,
            "old code": figures.by_code.get("old", 0),
            "new code": figures.by_code.get("new", 0),
            "failed": figures.failed,
            "p50, ms": 1000 * figures.p50,
            "p99, ms": 1000 * figures.p99,
            "longest, ms": 1000 * figures.longest,
        }
        for name, figures in phases.items()
    ]
    return _table(rows, [])


def show_clocks(ways: Mapping[str, Mapping[str, TrafficFigures]]) -> Table:
    """Show how long each phase of each way took, and the longest request meanwhile."""
    rows = [
        {
            "way": way,
            "phase": phase,
            "took, ms": 1000 * measured.seconds,
            "longest request, ms": 1000 * measured.longest,
        }
        for way, phases in ways.items()
        for phase, measured in phases.items()
    ]
    return _table(rows, [])


def show_ledger(report: LedgerReport) -> Table:
    """Show what the comparison of the clients' ledger with the table found."""
    facts = {
        "rows compared": f"{report.rows:,}",
        "deleted, and gone": f"{report.gone:,}",
        "not as they were written": f"{len(report.differences):,}",
    }
    return _table([{"fact": fact, "value": value} for fact, value in facts.items()], [])


def show_trials(trials: Mapping[str, Trial]) -> Table:
    """Show what live traffic said to each way; the same in every run, for counts differ.

    A request that read what cannot be true was not refused: what was lost says that.
    """
    rows = [
        {
            "way": name,
            "requests": "some refused" if trial.sqlstates else "none refused",
            "SQLSTATE": ", ".join(trial.sqlstates) or "none",
            "acknowledged writes": "all found" if trial.ledger.intact else "some lost",
        }
        for name, trial in trials.items()
    ]
    return _table(rows, [])


def plot_traffic(history: Sequence[tuple[float, float]], began: Mapping[str, float]) -> Picture:
    """Draw every request by when it ended and how long it took, with the moments of the phases."""
    milliseconds = [1000 * took for _, took in history]
    with drawing((1, 1), (9, 3.4), "How long each request took") as (picture, [[axes]]):
        axes.scatter([end for end, _ in history], milliseconds, s=3, color=MIDDLE)
        for number, (name, moment) in enumerate(began.items()):
            axes.axvline(moment, color=INK, linestyle=":", linewidth=0.8)
            # One below the other, for short phases stand close together.
            place = (moment, 1 - 0.07 * (number % 4))
            axes.annotate(f" {name}", place, xycoords=("data", "axes fraction"), va="top")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("seconds since the traffic began")
        axes.set_ylabel("latency, ms")
        longest = max(milliseconds, default=0.0)
        title = f"{len(history):,} requests; the longest took {longest:,.0f} ms"
        axes.set_title(title, loc="left")
    return picture


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "") -> Table:
    return Table(pd.DataFrame(rows, columns=list(columns) or None), title)


def _line(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}..."
