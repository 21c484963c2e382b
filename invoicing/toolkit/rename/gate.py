"""The contract's gate: every reason why the old column may not go yet.

What it does not see: code that reads the old name between two looks. `pg_stat_statements`, where
it is installed, shows what was read since the gate was first asked; without it only writes show.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.acceptance import GATE, check, check_kinds, objection, split, unused
from invoicing.toolkit.rename.dependents import find_dependents, judge
from invoicing.toolkit.rename.dependents.kind import TREE
from invoicing.toolkit.rename.model import GateReport, Phase, PlanFinding
from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.workload.workload import Workload, shown, statistics_view
from invoicing.visible import plural

if TYPE_CHECKING:
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.strategy import RenameStrategy

_LOOKS = 10
_STOPS = """
SELECT d.classid::regclass::text, d.objid FROM pg_catalog.pg_depend AS d
JOIN tree ON d.refobjid = tree.relid AND d.refobjsubid = tree.attnum
WHERE d.refclassid = 'pg_class'::regclass AND d.deptype = 'n'
"""
_SUBSCRIPTIONS = """
SELECT DISTINCT quote_ident(s.subname) FROM pg_subscription_rel AS r
JOIN pg_subscription AS s ON s.oid = r.srsubid
WHERE r.srrelid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid::regclass))
"""


_BEFORE_VERIFY = {
    Phase.NONE: "expand",
    Phase.EXPANDING: "expand",
    Phase.EXPANDED: "backfill",
    Phase.BACKFILLING: "backfill",
    Phase.ROLLING_BACK: "rollback",
}


async def ask_gate(session: RenameSession, strategy: RenameStrategy) -> GateReport:
    """Look at everything at once, then watch for `quiet` seconds whether old code still writes.

    Raises:
        UsageError: something is accepted that does not exist.
    """
    accept = session.options.accept
    check_kinds(accept)
    found = await session.state()
    phase = found.phase if found is not None else Phase.NONE
    if phase not in {Phase.VERIFIED, Phase.CONTRACTING}:
        command = session.target.command(_BEFORE_VERIFY.get(phase, "verify"))
        message = f"its phase is {phase}, not {Phase.VERIFIED}. Run: {command}"
        return GateReport([objection("phase", str(session.target), message)])
    own, has_rows, noted = await strategy.objections(session)
    dependents = await _dependents(session, strategy)
    if session.target.keeps_name:
        # Every client goes on to use the name.
        check(accept, [*own, *dependents])
        objections, let_through = split([*own, *dependents], accept)
        if not objections:
            _keep_record(session, let_through)
        return GateReport(objections, list(noted), let_through)
    workload = await Workload.of(session)
    seen = await _seen(session, workload)
    standing = [
        *own,
        *dependents,
        *await _unseen(session),
        *await _running(session, workload),
    ]
    check(accept, [*standing, *_everything_used(seen)])
    objections, let_through = split(standing, accept)
    if not objections and has_rows:
        before = found.watch if found is not None else {}
        used = await _watch(session, workload, before, seen)
        objections, more = split(used, accept)
        let_through += more
    if not objections:
        _keep_record(session, let_through)
    noted = [*noted, *unused(accept, [*objections, *let_through], GATE)]
    return GateReport(objections, [*noted, *await _blind_spots(session)], let_through)


def _keep_record(session: RenameSession, let_through: list[PlanFinding]) -> None:
    """Let the journal say what was accepted: a look at the gate has no row there otherwise."""
    if let_through:
        session.entry.phase = session.entry.phase or "gate"
        said = [f"{finding.name} ({finding})" for finding in let_through]
        session.entry.result["accepted"] = said


async def _dependents(session: RenameSession, strategy: RenameStrategy) -> list[PlanFinding]:
    found, in_place = [], await strategy.in_place(session)
    stops = set() if strategy.behind_view or in_place else await _stops(session)
    for dependent in await find_dependents(session):
        for finding in judge(
            [dependent], session.target, strategy, at_gate=True, in_place=in_place
        ):
            if finding.verdict not in {"later", "refused"}:
                continue
            if (dependent.catalog, dependent.oid) in stops:
                # Accepted or not, PostgreSQL would not drop the column.
                found.append(replace(finding, verdict="refused", name=""))
            else:
                found.append(objection(finding.slug, finding.subject, finding.message))
    return found


async def _stops(session: RenameSession) -> set[tuple[str, int]]:
    """Return what PostgreSQL would not drop the column for, by catalog and oid."""
    rows = await session.connection.fetch(
        f"WITH {TREE} {_STOPS}", session.table.oid, session.target.old
    )
    return {(row[0], row[1]) for row in rows}


async def _unseen(session: RenameSession) -> list[PlanFinding]:
    """Return what could use the old column without our seeing it."""
    found = []
    for row in await session.connection.fetch(_SUBSCRIPTIONS, session.table.oid):
        message = (
            f"writes the table, and stops when it is sent {quote(session.names.old)}. Rename the "
            "column at the publisher first"
        )
        found.append(objection("subscription", row[0], message))
    view, may_read = await statistics_view(session.connection)
    if view is not None and not may_read:
        message = (
            "this role may not read the statements of others. Run: GRANT pg_read_all_stats TO it"
        )
        found.append(objection("statement", view, message))
    return found


async def _blind_spots(session: RenameSession) -> list[PlanFinding]:
    """Return what could not have been seen, where statistics of statements are not kept."""
    view, _ = await statistics_view(session.connection)
    with suppress(asyncpg.ObjectNotInPrerequisiteStateError):  # there, but not loaded
        if view is not None:
            await session.connection.fetch(f"SELECT FROM {view} LIMIT 1")
            return []
    message = (
        f"is not installed, so code that only reads {quote(session.names.old)} cannot be seen: "
        "writes are counted, reads are not. Make sure by your deploys that no old code runs"
    )
    return [PlanFinding("reads", "pg_stat_statements", "noted", message)]


async def _running(session: RenameSession, workload: Workload) -> list[PlanFinding]:
    found = []
    for running in await workload.running():
        said = f"is running: {shown(running.query)}"
        if running.cut:
            said = (
                "is running a statement that track_activity_query_size has truncated, so that "
                f"{quote(session.names.old)} in it may belong to another table: "
                f"{shown(running.query)}"
            )
        subject = f"pid {running.pid} ({running.application})"
        found.append(objection("running", subject, said, running.digest))
    return found


async def _watch(
    session: RenameSession, workload: Workload, before: dict[str, Any], seen: dict[str, Any]
) -> list[PlanFinding]:
    """Compare with what was seen before, then keep looking until it has been quiet for long enough.

    What is seen is kept, so that the gate can be asked today and again tomorrow: whatever named
    the old column in between keeps the gate closed, unless it is accepted.
    """
    quiet, accept = session.options.quiet, session.options.accept
    if not before:
        before = await _remember(session, seen)
    while True:
        used = _used(before, seen)
        if split(used, accept)[0]:
            await _remember(session, seen)
            return used
        left = before["at"] + quiet - seen["at"]
        if left <= 0:
            return used
        await asyncio.sleep(min(left, max(quiet / _LOOKS, 0.01)))
        seen = await _seen(session, workload)


def _used(before: dict[str, Any], seen: dict[str, Any]) -> list[PlanFinding]:
    ago = seen["at"] - before["at"]
    found = []
    writes = seen["writes"] - before["writes"]
    if writes:
        message = (
            f"{plural(writes, 'write')} named the old column in the last {ago:,.0f} s: old code "
            "still runs. Stop it first"
        )
        found.append(_old_writes(message))
    for number, (calls, query) in seen["statements"].items():
        known = before["statements"].get(number, (0, ""))[0]
        # Fewer than before: they were reset meanwhile, and all of these are new.
        more = calls - known if calls >= known else calls
        if more:
            message = f"ran {more:,} times in the last {ago:,.0f} s, and names the old column"
            found.append(objection("statement", f'"{query}"', message, number))
    return found


def _everything_used(seen: dict[str, Any]) -> list[PlanFinding]:
    """Return what may be accepted before it is seen again."""
    return [_old_writes(""), *_used(seen | {"writes": 0, "statements": {}}, seen)]


async def _remember(session: RenameSession, seen: dict[str, Any]) -> dict[str, Any]:
    await state.save(session.connection, session.names, watch=seen)
    return seen


async def _seen(session: RenameSession, workload: Workload) -> dict[str, Any]:
    connection, names = session.connection, session.names
    at, writes = await connection.fetchrow(
        f"SELECT extract(epoch FROM clock_timestamp())::float8, {names.old_writes}"
    )
    view, _ = await statistics_view(session.connection)
    return {"at": at, "writes": writes, "statements": await workload.statements(view)}


def _old_writes(message: str) -> PlanFinding:
    return replace(objection("old-writes", "old code", message), name="old-writes")
