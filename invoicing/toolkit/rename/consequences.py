"""What a phase will do, and what a rollback will cost: said before a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.model import Phase
from invoicing.visible import visible

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Status
    from invoicing.toolkit.rename.rename import Rename

PHASES = ("expand", "backfill", "verify", "contract", "restore", "rollback")
_MB = 1_000_000
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
    elif verb == "restore":
        said = f"It adds {old} to {table} again, fills it from {new}, and keeps both equal."
    else:
        said = await _forward(rename, verb, status)
    return visible(said)


async def _forward(rename: Rename, verb: str, status: Status) -> str:
    plan, options, target = await rename.plan(), rename.options, rename.target
    rows, new, old = f"about {plan.rows:,} rows", target.new, target.old
    by_view = plan.strategy == "view"
    if verb == "expand":
        size = f"{rows}, {(plan.table_bytes + plan.index_bytes) / _MB:,.1f} MB"
        what = f"It adds {new} to {target.table} ({size}) and triggers that keep it equal to {old}"
        if by_view:
            what = f"It puts a view that answers to both names in place of {target.table} ({size})"
        wait = f"others wait for at most {options.lock_timeout:g} s at each try for it"
        return f"{what}. Lock: ACCESS EXCLUSIVE, for milliseconds; {wait}."
    if by_view:
        return f"{target.table} is a view in this rename: no row is written."
    if verb == "backfill":
        left = status.rows_left if status.rows_total else plan.rows
        seconds = next(way.seconds for way in plan.estimates if way.strategy == "columns")
        share = left / max(status.rows_total or left, 1)
        return (
            f"It writes {new} in about {left:,} rows, about {_time(seconds * share)} of work, in "
            f"batches of at most {options.batch_size:,} rows. Locks: the rows of one batch at a "
            "time, none on the whole table."
        )
    return (
        f"It compares every row ({rows}), and builds on {new} the indexes and constraints of "
        f"{old}. Readers and writers go on; the locks that they wait for last milliseconds."
    )


async def _rollback(rename: Rename, status: Status) -> str:
    if status.phase in _NOTHING:
        return ""
    target = rename.target
    if status.strategy == "view":
        what = f"the view that answers to both names; {target.table} is a table again"
        lost = "No row has been rewritten, so none is lost."
    else:
        what = f"the column {target.table}.{target.new} with its indexes, constraints and triggers"
        lost = await _filled(rename, status)
    return (
        f"It drops {what}. {lost} The record of this rename goes with it. {target.old} keeps "
        f"every value; code that names {target.new} fails from then on."
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
    if seconds < 120:  # noqa: PLR2004 -- as one would say it
        return f"{seconds:,.1f} s"
    minutes = seconds / 60
    return f"{minutes:,.0f} min" if minutes < 120 else f"{minutes / 60:,.1f} h"  # noqa: PLR2004
