"""What a phase will do, and what a rollback will cost: said before a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.strategies import wording_of
from invoicing.visible import visible

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Status
    from invoicing.toolkit.rename.rename import Rename

PHASES = ("expand", "backfill", "verify", "contract", "restore", "rollback")
_MB = 1_000_000
# A time is said in the next larger unit from so many on.
_IN_UNIT = 120
_NOTHING = (Phase.NONE, Phase.CONTRACTED, Phase.REVERSED)


def is_typed(typed: str, name: str) -> bool:
    """Return whether `typed` is `name`, as it is or as it is shown; blanks around it are let be."""
    return bool({typed, typed.strip()} & {name, visible(name)})


def dropped(rename: Rename, verb: str) -> str | None:
    """Return the column that a phase drops, as `table.column`; None for one that drops nothing."""
    target = rename.target
    column = {"contract": target.old, "rollback": target.new}.get(verb)
    return None if column is None else f"{target.table}.{column}"


async def consequences(rename: Rename, verb: str) -> str:
    """Return what a phase will do here, in rows, time and locks; empty where it does nothing.

    Args:
        rename: the rename.
        verb: which of `PHASES`.
    """
    status = await rename.status()
    old, new, table = rename.target.old, rename.target.new, rename.target.table
    if verb == "rollback":
        said = await _rollback(rename, status)
    elif verb == "contract":
        said = f"It drops {table}.{old}: no statement that names it works from then on."
        if rename.target.keeps_name:
            said = f"It gives {table}.{old} its new type: the column with the old one is dropped."
    elif verb == "restore":
        said = f"It adds {old} to {table} again, fills it from {new}, and keeps both equal."
    else:
        said = await _forward(rename, verb, status)
    return visible(said)


async def _forward(rename: Rename, verb: str, status: Status) -> str:
    plan, options, target = await rename.plan(), rename.options, rename.target
    wording = wording_of(plan.strategy, target)
    rows = f"about {plan.rows:,} rows"
    left = status.rows_left if status.rows_total else plan.rows
    seconds = next(cost.seconds for cost in plan.estimates if cost.strategy == plan.strategy)
    said = wording.consequences[verb].format(
        table=target.table,
        old=target.old,
        new=target.new,
        rows=rows,
        size=f"{rows}, {(plan.table_bytes + plan.index_bytes) / _MB:,.1f} MB",
        left=f"{left:,}",
        time=_time(seconds * left / max(status.rows_total or left, 1)),
        batch_size=f"{options.batch_size:,}",
    )
    if verb == "expand":
        wait = f"others wait for it for at most {options.lock_timeout:g} s per attempt"
        return f"{said}. Lock: ACCESS EXCLUSIVE, for milliseconds; {wait}."
    return said


async def _rollback(rename: Rename, status: Status) -> str:
    if status.phase in _NOTHING:
        return ""
    target, wording = rename.target, wording_of(status.strategy, rename.target)
    what = wording.rollback.format(table=target.table, new=target.new)
    lost = wording.no_loss or await _filled(rename, status)
    record = "this change" if target.keeps_name else "this rename"
    said = f"It drops {what}. {lost} The record of {record} goes with it. {target.old} keeps"
    said += " every value"
    return said + (
        "." if target.keeps_name else f"; code that names {target.new} fails from then on."
    )


async def _filled(rename: Rename, status: Status) -> str:
    if not status.rows_done:
        return "No row has been filled by a backfill yet."
    runs = [run for run in await rename.runs() if run.phase == "backfill"]
    seconds = sum(run.seconds or 0 for run in runs if run.new == rename.target.new)
    at_least = "at least " if any(run.seconds is None for run in runs) else ""
    return (
        f"{status.rows_done:,} of {status.rows_total:,} rows have been filled, which took "
        f"{at_least}{_time(seconds)}: that work is lost, and another backfill begins with the "
        "first row."
    )


def _time(seconds: float) -> str:
    if seconds < _IN_UNIT:
        return f"{seconds:,.1f} s"
    minutes = seconds / 60
    return f"{minutes:,.0f} min" if minutes < _IN_UNIT else f"{minutes / 60:,.1f} h"
