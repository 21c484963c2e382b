"""The board of a rename as HTML: where, how far, how fast, who, and what was done; no I/O.

Everything comes from one snapshot of the database. What is stale keeps its counts, and has no rate
and no ETA.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from invoicing.tables import Grid, TableColumn
from invoicing.toolkit.rename import Phase
from invoicing.toolkit.rename.facts import duration, next_step, old_writes, size, status_facts
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from invoicing.notebook.place import DatabasePlace
    from invoicing.toolkit.rename import Blocker, RowCounts, Run, Snapshot, Status

# The phases as a reader counts them, and where each is done.
_WAY = ("expand", "backfill", "verify", "contract")
_DONE = {
    Phase.EXPANDED: 1,
    Phase.BACKFILLING: 1,
    Phase.BACKFILLED: 2,
    Phase.VERIFYING: 2,
    Phase.VERIFIED: 3,
    Phase.CONTRACTING: 3,
    Phase.CONTRACTED: 4,
    Phase.REVERSED: 4,
}
# What stands in a figure or a table of its own; the rest is listed as it is.
_ELSEWHERE = {"rename", "phase", "rows", "rate", "ETA", "table", "indexes", "dead rows"} | {
    "writes to the old name",
    "replica lag",
    "waiting for a lock",
    "lock holder",
    "blocking sessions",
}
_AT_WORK, _WHOLE_LINE = "at work", ' class="board-line"'


@dataclass(frozen=True)
class Counted:
    """The rows by state, when they were counted and how long that took; or why they were not."""

    counts: RowCounts | None
    at: datetime | None = None
    seconds: float = 0.0
    reason: str = ""


def style() -> str:
    """Return the style sheet of the widgets."""
    sheet = (files("invoicing.notebook") / "widgets.css").read_text(encoding="utf-8")
    return f"<style>{sheet}</style>"


def banner(place: DatabasePlace, *, practice: bool) -> str:
    """Return which database this is: production, a real one, or one to practise on."""
    kind, words = ("practice", "Practice") if practice else ("real", "Real")
    if place.production:
        kind, words = "production", "PRODUCTION, to practise" if practice else "PRODUCTION"
    return f'<div class="board-banner board-{kind}"><b>{words}</b> {escape(str(place))}</div>'


def head(snapshot: Snapshot, labels: dict[str, str], *, stale: bool = False) -> str:
    """Return the phases, what comes next, and how far a backfill is."""
    status = snapshot.status
    when, verb, where = next_step(status.phase, status.target, status.notes)
    then = where.command(verb) if status.phase is Phase.REVERSED else labels[verb]
    if (running := _running(snapshot.runs)) is not None and status.operator is not None:
        when, then = "Under way", running.phase
    way = f'<div class="board-way">{escape(str(status.target))}: {_way(status.phase)}</div>'
    following = f'<div class="board-next">{escape(when)}: <b>{escape(then)}</b></div>'
    return f"{way}{following}{_progress(status, stale=stale) if status.rows_total else ''}"


def facts(snapshot: Snapshot, counted: Counted, *, own: bool, waiting: str = "") -> str:
    """Return the rows by state, what it costs, who is at work, and what else a status says.

    Args:
        snapshot: what the database said.
        counted: the rows by state.
        own: whether the lock's holder is a session of this notebook.
        waiting: why a backfill of this notebook rests.
    """
    status = snapshot.status
    tiles = _tiles(_states(counted)) + _tiles(
        {
            "dead rows": f"{status.dead_rows:,}",
            "replica lag": "no replica" if status.lag is None else f"{status.lag:,.1f} s",
            "sessions waiting for a lock": f"{status.lock_waits:,}",
            "writes to the old name": old_writes(status),
            "table": size(status.table_bytes),
            "indexes": size(status.index_bytes),
            _AT_WORK: _at_work(snapshot, own=own),
        }
    )
    others = [(name, value) for name, value in status_facts(status) if name not in _ELSEWHERE]
    if waiting:
        others.append(("waiting", waiting))
    lines = "".join(f"<li>{escape(name)}: <b>{escape(value)}</b></li>" for name, value in others)
    return f"{tiles}{_blockers(status.blockers)}<ul>{lines}</ul>"


def record(runs: Sequence[Run], old: str) -> str:
    """Return every run so far, the last one first."""
    headings = ("Phase", "Began (UTC)", "Took", "Who", "Ended", "Result")
    columns = [TableColumn(heading, right=heading == "Took") for heading in headings]
    rows = [
        (
            run.phase if run.old == old else f"restore: {run.phase}",
            f"{run.began_at:%Y-%m-%d %H:%M:%S}",
            "" if run.seconds is None else f"{run.seconds:,.1f} s",
            f"{run.operator} as {run.role}",
            run.outcome,
            run.summary,
        )
        for run in reversed(runs)
    ]
    grid = Grid(columns, rows, nothing="Nothing was done yet")
    return _scrolled("The record of this rename", grid.html())


def seen(snapshot: Snapshot, patience: float) -> str:
    """Return of when that is; it fades by itself when nothing replaces it for `patience` seconds.

    So a page whose kernel has died, or is busy, does not pass for a live one.
    """
    return fading(f"As of {_moment(snapshot.at)}.", patience)


def fading(text: str, patience: float) -> str:
    """Return a text that covers its widget with a veil, and says why, unless it is replaced."""
    delay = f"animation-delay: {patience:g}s"
    veil = f'<div class="board-veil" style="{delay}"></div>'
    lost = (
        "It is out of date: the kernel does not answer. If that goes on, run this cell again, or "
        "load the page again."
    )
    return f'{veil}<span>{escape(text)}</span><b class="board-lost" style="{delay}"> {lost}</b>'


def stale(snapshot: Snapshot | None, why: str, *, closed: bool = False) -> str:
    """Return why the board is not true any more, and of when it is."""
    word = "Closed" if closed else "Stale"
    when = f" What is shown is as of {_moment(snapshot.at)}." if snapshot else ""
    return f'<b role="alert">{word}: {escape(why)}.{when}</b>'


def _way(phase: Phase) -> str:
    done = _DONE.get(phase, 0)
    steps = []
    for number, step in enumerate(_WAY):
        now = ' class="board-now"' if number == done else ""
        steps.append(f"<span{now}>{'&#10003; ' if number < done else ''}{step}</span>")
    return f"{' &rsaquo; '.join(steps)} ({phase.value})"


def _progress(status: Status, *, stale: bool) -> str:
    share = min(status.rows_done / status.rows_total, 1.0)
    # Never all of them before they are.
    percent = 100.0 if share == 1 else min(100 * share, 99.9)
    figures = {
        "of the rows": "100 %" if share == 1 else f"{percent:.1f} %",
        "done, about": f"{status.rows_done:,}",
        "left, about": f"{status.rows_left:,}",
    }
    if status.paused:
        figures["speed"] = "paused"
    elif status.rate is not None and not stale:
        figures["rows a second"] = f"{status.rate:,.0f}"
        figures["ETA"] = "unknown" if status.eta is None else duration(status.eta)
    bar = (
        '<div class="board-bar" role="progressbar" aria-label="Backfill" aria-valuemin="0"'
        f' aria-valuemax="100" aria-valuenow="{percent:.0f}">'
        f'<div style="width: {percent:.1f}%"></div></div>'
    )
    return bar + _tiles(figures, large=True)


def _states(counted: Counted) -> dict[str, str]:
    counts = counted.counts
    if counts is None:
        return {"rows by state": counted.reason} if counted.reason else {}
    return {
        "equal": f"{counts.equal:,}",
        "different": f"{counts.different:,}",
        "not filled": f"{counts.missing:,}",
        "counted": f"{counted.at:%H:%M:%S} UTC" if counted.at else "",
    }


def _at_work(snapshot: Snapshot, *, own: bool) -> str:
    holder = snapshot.status.operator
    if holder is None:
        return "none"
    running = _running(snapshot.runs)
    what = f"{running.phase} since {running.began_at:%H:%M:%S} UTC" if running else ""
    if own:
        who = "this notebook"
    else:
        who = running.operator if running else holder.application or "no application_name"
    return ", ".join(filter(None, (who, f"pid {holder.pid}", what)))


def _running(runs: Sequence[Run]) -> Run | None:
    """Return the run that is under way, the last to begin."""
    return next((run for run in reversed(runs) if run.outcome == "running"), None)


def _blockers(blockers: Iterable[Blocker]) -> str:
    columns = [TableColumn(name) for name in ("pid", "application", "state", "for", "query")]
    rows = [
        (str(who.pid or ""), who.application, who.state, duration(who.age), who.query)
        for who in blockers
    ]
    if not rows:
        return "<p>blocking sessions: <b>none</b></p>"
    return _scrolled("Blocking sessions", Grid(columns, rows).html())


def _tiles(values: dict[str, str], *, large: bool = False) -> str:
    tiles = "".join(
        f"<div{_WHOLE_LINE if name == _AT_WORK else ''}><dt>{escape(name)}</dt>"
        f"<dd>{escape(value)}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="board-tiles{" board-large" if large else ""}">{tiles}</dl>' if tiles else ""


def _scrolled(title: str, html: str) -> str:
    name = escape(title)
    region = f'<div class="board-wide" role="region" aria-label="{name}" tabindex="0">{html}</div>'
    return f'<div class="board-title">{name}</div>{region}'


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
