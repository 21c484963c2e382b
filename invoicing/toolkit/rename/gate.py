"""The contract's gate: every reason why the old column may not go yet.

What it does not see: code that reads the old name while nobody looks. `pg_stat_statements`, where
it is installed, shows what was read since the gate was first asked; without it only writes show.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.acceptance import advice, check, check_kinds, is_accepted, named
from invoicing.toolkit.rename.dependents import find_dependents, judge
from invoicing.toolkit.rename.dependents.kind import TREE
from invoicing.toolkit.rename.detached import find_detached
from invoicing.toolkit.rename.expand import unguarded
from invoicing.toolkit.rename.model import Finding, GateReport, Phase
from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.verify import compare, describe
from invoicing.toolkit.rename.view.gate import has_rows, standing_objections
from invoicing.toolkit.rename.workload import Workload, shown

if TYPE_CHECKING:
    from invoicing.toolkit.rename.column import Column
    from invoicing.toolkit.rename.model import Strategy, Target
    from invoicing.toolkit.rename.operator import Operator

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


async def ask_gate(operator: Operator, column: Column) -> GateReport:
    """Look at everything at once, then watch for `quiet` seconds whether old code still writes.

    Raises:
        UsageError: something is accepted that does not exist.
    """
    accept = operator.options.accept
    check_kinds(accept)
    found = await operator.state()
    phase = found.phase if found is not None else Phase.NONE
    if phase not in {Phase.VERIFIED, Phase.CONTRACTING}:
        command = operator.target.command("verify")
        message = f"stands at «{phase}», not at «{Phase.VERIFIED}». Run: {command}"
        return GateReport([_objection("phase", str(operator.target), message)])
    by_view = found is not None and found.strategy == "view"
    standing, rows = await (_of_view(operator) if by_view else _of_columns(operator, column))
    workload = await Workload.of(operator)
    seen = await _seen(operator, workload)
    standing += [
        *await _dependents(operator, by_view=by_view),
        *await _unseen(operator),
        *await _running(operator, workload),
    ]
    check(accept, [*standing, *_everything_used(seen)])
    objections = [one for one in standing if not is_accepted(one, accept)]
    let_through = [one for one in standing if is_accepted(one, accept)]
    if not objections and rows:
        before = found.watch if found is not None else {}
        used = await _watch(operator, workload, before, seen)
        objections = [one for one in used if not is_accepted(one, accept)]
        let_through += [one for one in used if is_accepted(one, accept)]
    if not objections:
        _keep_record(operator, let_through)
    gone = await find_detached(operator.connection, operator.relation, operator.names)
    noted = [table.finding(operator.names) for table in gone if table.is_root]
    return GateReport(objections, [*noted, *await _blind_spots(operator)], let_through)


def _keep_record(operator: Operator, let_through: list[Finding]) -> None:
    """Let the journal say what was accepted: a look at the gate has no row there otherwise."""
    if let_through:
        operator.entry.phase = operator.entry.phase or "gate"
        said = [f"{one.name} ({one})" for one in let_through]
        operator.entry.result["accepted"] = said


async def _of_view(operator: Operator) -> tuple[list[Finding], bool]:
    return await standing_objections(operator), await has_rows(operator)


async def _of_columns(operator: Operator, column: Column) -> tuple[list[Finding], bool]:
    counts = await compare(operator.connection, operator.names, column)
    objections = [
        *_rows(counts, operator.target),
        *await _triggers(operator),
        *await _unfinished(operator, counts),
    ]
    return objections, counts["rows"] > 0


def _rows(counts: dict[str, int], target: Target) -> list[Finding]:
    differing = counts["missing"] + counts["different"]
    if not differing:
        return []
    message = (
        f"{differing:,} of {counts['rows']:,} rows differ, and their values would be lost. Run: "
        + target.command("verify")
    )
    return [_objection("rows", "rows", message)]


async def _triggers(operator: Operator) -> list[Finding]:
    run = f"Run: {operator.target.command('expand')}"
    rows = f"is missing or switched off, so that new writes may differ. {run}; then backfill and"
    counts = f"is missing, so that old code that writes there is not seen. {run}"
    return [
        _objection("triggers", subject, f"{rows} verify it" if of_rows else counts)
        for subject, of_rows in await unguarded(operator)
    ]


async def _unfinished(operator: Operator, counts: dict[str, int]) -> list[Finding]:
    report = await describe(operator, counts)
    unready = [name for name, ok in (report.indexes | report.constraints).items() if not ok]
    if report.not_null is False:
        unready.append(f"NOT NULL of {quote(operator.names.new)}")
    message = f"is missing or not valid. Run: {operator.target.command('verify')}"
    return [_objection("unfinished", name, message) for name in unready]


async def _dependents(operator: Operator, *, by_view: bool) -> list[Finding]:
    dependents = await find_dependents(operator.connection, operator.relation, operator.target)
    strategy: Strategy = "view" if by_view else "columns"
    stops = set() if by_view else await _stops(operator)
    found = []
    for dependent in dependents:
        for finding in judge([dependent], operator.target, strategy, at_gate=True):
            if finding.verdict not in {"later", "refused"}:
                continue
            if (dependent.catalog, dependent.oid) in stops:
                # Accepted or not, PostgreSQL would not drop the column.
                found.append(replace(finding, verdict="refused", name=""))
            else:
                found.append(_objection(finding.slug, finding.subject, finding.message))
    return found


async def _stops(operator: Operator) -> set[tuple[str, int]]:
    """Return what PostgreSQL would not drop the column for, by catalog and oid."""
    rows = await operator.connection.fetch(
        f"WITH {TREE} {_STOPS}", operator.relation.oid, operator.target.old
    )
    return {(row[0], row[1]) for row in rows}


async def _unseen(operator: Operator) -> list[Finding]:
    """Return what could use the old column without our seeing it."""
    found = []
    for row in await operator.connection.fetch(_SUBSCRIPTIONS, operator.relation.oid):
        message = (
            f"writes the table, and stops when it is sent {quote(operator.names.old)}. Rename the "
            "column at the publisher first"
        )
        found.append(_objection("subscription", row[0], message))
    view, may_read = await _statistics(operator)
    if view is not None and not may_read:
        message = (
            "this account may not read what others ran. Run: GRANT pg_read_all_stats TO it; or see "
            "for yourself"
        )
        found.append(_objection("statement", view, message))
    return found


async def _blind_spots(operator: Operator) -> list[Finding]:
    """Return what nobody could have seen, where statistics of statements are not kept."""
    view, _ = await _statistics(operator)
    with suppress(asyncpg.ObjectNotInPrerequisiteStateError):  # there, but not loaded
        if view is not None:
            await operator.connection.fetch(f"SELECT FROM {view} LIMIT 1")
            return []
    message = (
        f"is not there, so that code which only reads {quote(operator.names.old)} cannot be seen: "
        "writes are counted, reads are not. Know from your deploy that no old code runs"
    )
    return [Finding("reads", "pg_stat_statements", "noted", message)]


async def _statistics(operator: Operator) -> tuple[str | None, bool]:
    """Return the view of pg_stat_statements, if there is one, and whether we see all of it."""
    row = await operator.connection.fetchrow(
        "SELECT extnamespace::regnamespace::text || '.pg_stat_statements',"
        " pg_has_role('pg_read_all_stats', 'USAGE') FROM pg_extension"
        " WHERE extname = 'pg_stat_statements'"
    )
    return (None, False) if row is None else (row[0], row[1])


async def _running(operator: Operator, workload: Workload) -> list[Finding]:
    found = []
    for one in await workload.running():
        said = f"is running: {shown(one.query)}"
        if one.cut:
            said = (
                f"is running a statement of which track_activity_query_size keeps only the first "
                f"part, so that {quote(operator.names.old)} in it cannot be told from a column of "
                f"another table: {shown(one.query)}"
            )
        subject = f"pid {one.pid} ({one.application})"
        found.append(_objection("running", subject, said, one.digest))
    return found


async def _watch(
    operator: Operator, workload: Workload, before: dict[str, Any], seen: dict[str, Any]
) -> list[Finding]:
    """Compare with what was seen before, then keep looking until it has been quiet for long enough.

    What is seen is kept, so that the gate can be asked today and again tomorrow: whatever named
    the old column in between stands in the way, unless it is accepted.
    """
    quiet, accept = operator.options.quiet, operator.options.accept
    if not before:
        before = await _remember(operator, seen)
    while True:
        used = _used(before, seen)
        if any(not is_accepted(one, accept) for one in used):
            await _remember(operator, seen)
            return used
        left = before["at"] + quiet - seen["at"]
        if left <= 0:
            return used
        await asyncio.sleep(min(left, max(quiet / _LOOKS, 0.01)))
        seen = await _seen(operator, workload)


def _used(before: dict[str, Any], seen: dict[str, Any]) -> list[Finding]:
    ago = seen["at"] - before["at"]
    found = []
    writes = seen["writes"] - before["writes"]
    if writes:
        message = (
            f"{writes:,} writes named the old column in the last {ago:,.0f} s: old code is still "
            "at work. End it first"
        )
        found.append(_old_writes(message))
    for number, (calls, query) in seen["statements"].items():
        known = before["statements"].get(number, (0, ""))[0]
        # Fewer than before: they were reset meanwhile, and all of these are new.
        more = calls - known if calls >= known else calls
        if more:
            message = f"ran {more:,} times in the last {ago:,.0f} s, and names the old column"
            found.append(_objection("statement", f"«{query}»", message, number))
    return found


def _everything_used(seen: dict[str, Any]) -> list[Finding]:
    """Return what may be accepted before it is seen again."""
    return [_old_writes(""), *_used(seen | {"writes": 0, "statements": {}}, seen)]


async def _remember(operator: Operator, seen: dict[str, Any]) -> dict[str, Any]:
    await state.save(operator.connection, operator.names, watch=seen)
    return seen


async def _seen(operator: Operator, workload: Workload) -> dict[str, Any]:
    connection, names = operator.connection, operator.names
    at, writes = await connection.fetchrow(
        "SELECT extract(epoch FROM clock_timestamp())::float8,"
        f" (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {names.sequence})"
    )
    view, _ = await _statistics(operator)
    return {"at": at, "writes": writes, "statements": await workload.statements(view)}


def _old_writes(message: str) -> Finding:
    return replace(_objection("old-writes", "old code", message), name="old-writes")


def _objection(slug: str, subject: str, message: str, key: str | None = None) -> Finding:
    finding = named(Finding(slug, subject, "refused", message), key)
    return replace(finding, message=message + advice(finding)) if finding.name else finding
