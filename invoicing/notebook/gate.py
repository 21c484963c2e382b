"""Wait for the gate of a rename in a cell: with a limit, and saying what for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import ipywidgets
from IPython.display import display

from invoicing.notebook.confirm import is_attended
from invoicing.notebook.waiting import interruptible
from invoicing.toolkit.rename.errors import RenamePhaseError
from invoicing.visible import escape, visible

if TYPE_CHECKING:
    from invoicing.practice import Traffic
    from invoicing.toolkit.rename import GateReport, Rename

# What goes away by itself once the old code has been stopped.
_PASSES = {"old-writes", "statement", "running"}
_LOOKS = 10
_REQUESTS = 10


async def seen_closed(rename: Rename, traffic: Traffic | None) -> GateReport | None:
    """Return what blocks the contract; None, and a sentence, where there is no contract to come.

    While clients of old code are at work in practice it is asked until it has seen their writes:
    on a busy machine they may not get to write for a second.
    """
    async with interruptible():
        try:
            report = await rename.gate()
            for _ in range(_LOOKS):
                slugs = {objection.slug for objection in report.objections}
                if traffic is None or "old-writes" in slugs or not traffic.code_of_clients["old"]:
                    break
                await traffic.answered(_REQUESTS)
                report = await rename.gate()
        except RenamePhaseError as error:
            print(error)
            return None
    return report


async def wait_for_gate(rename: Rename, limit: float | None = None) -> bool:
    """Wait until the gate is open, and say what keeps it closed.

    Args:
        rename: whose.
        limit: seconds to wait at most.
    """
    limit = 60.0 + 2 * rename.options.quiet if limit is None else limit
    began, shown = time.monotonic(), ipywidgets.HTML("Watching for old code")
    if is_attended():
        display(shown)  # type: ignore[no-untyped-call]
    async with interruptible():
        while True:
            report = await seen_closed(rename, None)
            waited = time.monotonic() - began
            if report is None:
                return False
            if report.open:
                shown.value = f"The gate is open, after {waited:,.0f} s"
                return True
            what = "; ".join(f"{objection.slug}: {objection}" for objection in report.objections)
            passes = all(objection.slug in _PASSES for objection in report.objections)
            if not passes or waited >= limit:
                shown.value = ""
                print(_given_up(rename, what, waited, passes=passes))
                return False
            shown.value = f"Waiting, {waited:,.0f} s of {limit:,.0f} s, for: {escape(what)}"
            await asyncio.sleep(0.2)


def _given_up(rename: Rename, what: str, waited: float, *, passes: bool) -> str:
    command = rename.target.command("gate", rename.options)
    why = f"still closed after {waited:,.0f} s" if passes else "closed, and waiting changes nothing"
    then = f"When that is done, run this cell again, or: {command}"
    return visible(f"The gate is {why}: {what}. {then}")
