"""What a status says in words, a fact a line: the same in a terminal and on a notebook's board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.model import Phase
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.model import Options, Status, Target

_FOUR_DIGITS = 9_999
_NEXT = {
    Phase.NONE: ("Next", "expand"),
    Phase.EXPANDING: ("To continue", "expand"),
    Phase.EXPANDED: ("Next", "backfill"),
    Phase.BACKFILLING: ("To continue", "backfill"),
    Phase.BACKFILLED: ("Next", "verify"),
    Phase.VERIFYING: ("To continue", "verify"),
    Phase.VERIFIED: ("Deploy the code that knows {new} everywhere, then", "gate"),
    Phase.CONTRACTING: ("To continue", "contract"),
    Phase.CONTRACTED: ("Done. If old code is needed again", "restore"),
    Phase.ROLLING_BACK: ("To continue", "rollback"),
    Phase.REVERSED: ("{table} has {old} again, beside {new}. To drop {old}", "rollback"),
}
_NEXT_OF_TYPE = {
    Phase.VERIFIED: ("Next", "contract"),
    Phase.CONTRACTED: ("{old} has its new type. To see it", "status"),
}
# What a note says to run, the mildest first.
_REPAIRS = ("expand", "contract", "rollback")


def status_facts(status: Status) -> list[tuple[str, str]]:
    """Return what a status says, as names and values; a name comes again for each of many."""
    facts = [
        ("type of" if status.target.keeps_name else "rename", str(status.target)),
        ("strategy", status.strategy),
        ("phase", status.phase.value),
    ]
    if status.rows_total:
        done = f"{status.rows_done:,} of {status.rows_total:,} done, {status.rows_left:,} left"
        facts.append(("rows", done))
    if status.rate is not None:
        facts.append(("rate", f"{status.rate:,.0f} rows a second"))
    if status.eta is not None:
        facts.append(("ETA", duration(status.eta)))
    facts += [
        ("table", size(status.table_bytes)),
        ("indexes", size(status.index_bytes)),
        ("dead rows", f"{status.dead_rows:,}"),
        *([] if status.target.keeps_name else [("writes to the old name", old_writes(status))]),
        ("replica lag", "no replica" if status.lag is None else f"{status.lag:,.1f} s"),
    ]
    if status.lock_waits:
        facts.append(("waiting for a lock", plural(status.lock_waits, "session")))
    facts.append(("lock holder", lock_holder(status)))
    if status.live:
        facts.append(("backfill", status.live))
    if status.guard:
        facts.append(("guard", status.guard["said"]))
    facts += [("accepted", name) for name in status.accepted]
    facts += [("reconciled", line) for line in status.reconciled]
    facts += [("note", note) for note in status.notes]
    return facts + [("blocking sessions", str(who)) for who in status.blockers or ("none",)]


def lock_holder(status: Status) -> str:
    """Return which session works on the rename.

    Between two statements its session is idle, and it is at work all the same.
    """
    holder = status.operator
    if holder is None:
        return "none"
    who = holder.application or "no application_name"
    return f"pid {holder.pid} ({who}), at work for {duration(holder.age)}"


def old_writes(status: Status) -> str:
    """Return how many writes the old name had, and for how long there was none."""
    still = status.old_write_age
    seen = f"{status.old_writes:,}"
    return seen if still is None else f"{seen}, and none for {duration(still)}"


def next_step(phase: Phase, target: Target, notes: Sequence[str] = ()) -> tuple[str, str, Target]:
    """Return when the next step comes, its command's verb, and for which way it is.

    What `notes` say to run comes before what the phase does.
    """
    for verb in _REPAIRS:
        if any(target.command(verb) in note for note in notes):
            return "First, as the note says", verb, target
    when, verb = (_NEXT | _NEXT_OF_TYPE if target.keeps_name else _NEXT)[phase]
    where = target.reversed() if phase is Phase.REVERSED else target
    return when.format(table=target.table, old=target.old, new=target.new), verb, where


def next_command(phase: Phase, target: Target, options: Options, notes: Sequence[str] = ()) -> str:
    """Return what to run after a phase."""
    when, verb, where = next_step(phase, target, notes)
    return f"{when}: {where.command(verb, options)}"


def size(count: int) -> str:
    """Return bytes as people read them."""
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while value > _FOUR_DIGITS and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:,.0f} {units[0]}"


def duration(seconds: float) -> str:
    """Return seconds as people read them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
