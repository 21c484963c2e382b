"""What the gate asks of a second column: its rows, its triggers, and what was copied to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.acceptance import objection
from invoicing.toolkit.rename.columns.copies import find_copies, refusals
from invoicing.toolkit.rename.columns.copies.kept import kept_for
from invoicing.toolkit.rename.columns.copies.made import stale
from invoicing.toolkit.rename.columns.detached import find_detached
from invoicing.toolkit.rename.columns.expand import unguarded
from invoicing.toolkit.rename.columns.in_place import on_new
from invoicing.toolkit.rename.columns.triggers import trigger_findings
from invoicing.toolkit.rename.columns.verify import compare, describe
from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.retype.conversion import lossy_rows
from invoicing.toolkit.rename.strategy import Objections
from invoicing.toolkit.rename.table import find_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.rename.columns.copies import Copy
    from invoicing.toolkit.rename.model import PlanFinding, Target
    from invoicing.toolkit.rename.session import RenameSession


async def objections(session: RenameSession) -> Objections:
    """Return rows that differ, triggers that are off, and copies that are not valid."""
    counts = await compare(session, session.column())
    copies = await find_copies(session)
    findings = [
        *_rows(counts, session.target),
        *_lossy(session, counts),
        *await _triggers(session),
        *await _unfinished(session, counts),
        *_refused([*refusals(copies), *await trigger_findings(session)]),
        *await stale_objections(session, copies),
        *(await on_new(session, copies) if await kept_for(session) else []),
    ]
    noted = [
        table.finding(session.names) for table in await find_detached(session) if table.is_root
    ]
    return Objections(findings, counts["rows"] > 0, noted)


def _rows(counts: dict[str, int], target: Target) -> list[PlanFinding]:
    differing = counts["missing"] + counts["different"]
    if not differing:
        return []
    message = (
        f"{differing:,} of {counts['rows']:,} rows differ, and their values would be lost. Run: "
        + target.command("verify")
    )
    return [objection("rows", "rows", message)]


def _lossy(session: RenameSession, counts: dict[str, int]) -> list[PlanFinding]:
    """Return the rows of another type whose old value is not in the new one any more."""
    message = lossy_rows(session.names, counts)
    return [objection("lossy", "rows", message)] if message else []


async def _triggers(session: RenameSession) -> list[PlanFinding]:
    run = f"Run: {session.target.command('expand')}"
    rows = f"is missing, or not enabled ALWAYS, so new writes may differ. {run}; then backfill and"
    counts = f"is missing, so old code that writes there is not seen. {run}"
    return [
        objection("triggers", subject, f"{rows} verify it" if of_rows else counts)
        for subject, of_rows, _ in await unguarded(session)
    ]


async def _unfinished(session: RenameSession, counts: dict[str, int]) -> list[PlanFinding]:
    report = await describe(session, counts)
    unready = [name for name, ok in (report.indexes | report.constraints).items() if not ok]
    if report.not_null is False:
        unready.append(f"NOT NULL of {quote(session.names.new)}")
    message = f"is missing or not valid. Run: {session.target.command('verify')}"
    return [objection("unfinished", name, message) for name in unready]


def _refused(findings: Iterable[PlanFinding]) -> list[PlanFinding]:
    """Return what came since the expand, and would be lost with the old column."""
    return [
        objection("unfinished", finding.subject, finding.message)
        for finding in findings
        if finding.verdict == "refused"
    ]


async def stale_objections(session: RenameSession, copies: Iterable[Copy]) -> list[PlanFinding]:
    """Return the copies of what was dropped or changed since they were made."""
    run = f"Run: {session.target.command('verify')}"
    tree = await find_tree(session.connection, session.table, session.target)
    return [
        objection(
            "unfinished",
            made.name,
            f"was made for {made.old_name or 'NOT NULL'} of {quote(session.names.old)}, which was"
            f" dropped or changed since. {run}",
        )
        for made in await stale(session, tree, copies)
        if not made.by_hand
    ]
