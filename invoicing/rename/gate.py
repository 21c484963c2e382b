"""The contract's gate: every reason why the old column may not go yet.

What it does not see: code that reads the old name while nobody looks. `pg_stat_statements`, where
it is installed, shows what was read since the gate was first asked; without it only writes show.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from invoicing.rename import state
from invoicing.rename.dependents import find_dependents, judge, word
from invoicing.rename.expand import unguarded
from invoicing.rename.model import Finding, GateReport, Phase
from invoicing.rename.names import MARK, quote
from invoicing.rename.verify import compare, describe
from invoicing.rename.view.gate import has_rows, standing_objections

if TYPE_CHECKING:
    from invoicing.rename.column import Column
    from invoicing.rename.model import Target
    from invoicing.rename.operator import Operator

_LOOKS = 10
_SUBSCRIPTIONS = """
SELECT DISTINCT quote_ident(s.subname) FROM pg_subscription_rel AS r
JOIN pg_subscription AS s ON s.oid = r.srsubid
WHERE r.srrelid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid::regclass))
"""
_RUNNING = """
SELECT format('pid %s (%s)', pid, coalesce(nullif(application_name, ''), 'no application_name')),
    left(regexp_replace(query, '\\s+', ' ', 'g'), 120)
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND state = 'active' AND query ~* $1 AND query ~* $2 AND strpos(query, $3) = 0
"""
_STATEMENTS = """
SELECT queryid::text, sum(calls)::bigint AS calls,
    min(left(regexp_replace(query, '\\s+', ' ', 'g'), 120)) AS query
FROM {view} WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND query ~* $1 AND query ~* $2 AND strpos(query, $3) = 0
    AND query ~* '^\\s*(with|select|insert|update|delete|merge|copy)\\M'
GROUP BY queryid
"""


async def ask_gate(operator: Operator, column: Column) -> GateReport:
    """Look at everything at once, then watch for `quiet` seconds whether old code still writes."""
    connection, names = operator.connection, operator.names
    found = await operator.state()
    phase = found.phase if found is not None else Phase.NONE
    if phase not in {Phase.VERIFIED, Phase.CONTRACTING}:
        command = operator.target.command("verify")
        message = f"stands at «{phase}», not at «{Phase.VERIFIED}». Run: {command}"
        return GateReport([_objection("phase", str(operator.target), message)])
    if found is not None and found.strategy == "view":
        objections = await standing_objections(operator)
        rows = await has_rows(operator)
    else:
        counts = await compare(connection, names, column)
        rows = counts["rows"] > 0
        objections = [
            *_rows(counts, operator.target),
            *await _triggers(operator),
            *await _unfinished(operator, counts),
        ]
    objections += [
        *await _dependents(operator),
        *await _unseen(operator),
        *await _running(operator),
    ]
    if not objections and rows:
        objections += await _watch(operator, found.watch if found is not None else {})
    return GateReport(objections, await _blind_spots(operator))


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
    message = (
        "is missing or switched off, so that new writes may differ. Run: "
        f"{operator.target.command('expand')}; then backfill and verify it"
    )
    return [_objection("triggers", name, message) for name in await unguarded(operator)]


async def _unfinished(operator: Operator, counts: dict[str, int]) -> list[Finding]:
    report = await describe(operator, counts)
    unready = [name for name, ok in (report.indexes | report.constraints).items() if not ok]
    if report.not_null is False:
        unready.append(f"NOT NULL of {quote(operator.names.new)}")
    message = f"is missing or not valid. Run: {operator.target.command('verify')}"
    return [_objection("unfinished", name, message) for name in unready]


async def _dependents(operator: Operator) -> list[Finding]:
    dependents = await find_dependents(operator.connection, operator.relation, operator.target)
    return [
        _objection(one.slug, one.subject, one.message)
        for one in judge(dependents, operator.target)
        if one.verdict in {"later", "refused"} and one.slug not in operator.options.accept
    ]


async def _unseen(operator: Operator) -> list[Finding]:
    """Return what could use the old column without our seeing it."""
    found = []
    for row in await operator.connection.fetch(_SUBSCRIPTIONS, operator.relation.oid):
        message = (
            f"writes the table, and stops when it is sent {quote(operator.names.old)}. Rename the "
            "column at the publisher first, then: --accept subscription"
        )
        found.append(_objection("subscription", row[0], message))
    view, may_read = await _statistics(operator)
    if view is not None and not may_read:
        message = (
            "this account may not read what others ran. Run: GRANT pg_read_all_stats TO it; or see "
            "for yourself, then: --accept statement"
        )
        found.append(_objection("statement", view, message))
    return [one for one in found if one.slug not in operator.options.accept]


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


async def _running(operator: Operator) -> list[Finding]:
    names = operator.names
    rows = await operator.connection.fetch(_RUNNING, word(names.old), word(names.table), MARK)
    return [_objection("running", row[0], f"is running: {row[1]}") for row in rows]


async def _watch(operator: Operator, before: dict[str, Any]) -> list[Finding]:
    """Compare with what was seen before, then keep looking until it has been quiet for long enough.

    What is seen is kept, so that the gate can be asked today and again tomorrow: whatever named
    the old column in between stands in the way.
    """
    quiet = operator.options.quiet
    seen = await _seen(operator)
    if before:
        used = _used(before, seen)
        if used:
            await _remember(operator, seen)
            return used
    else:
        before = await _remember(operator, seen)
    while (left := before["at"] + quiet - seen["at"]) > 0:
        await asyncio.sleep(min(left, max(quiet / _LOOKS, 0.01)))
        seen = await _seen(operator)
        used = _used(before, seen)
        if used:
            await _remember(operator, seen)
            return used
    return []


def _used(before: dict[str, Any], seen: dict[str, Any]) -> list[Finding]:
    ago = seen["at"] - before["at"]
    found = []
    writes = seen["writes"] - before["writes"]
    if writes:
        message = (
            f"{writes:,} writes named the old column in the last {ago:,.0f} s: old code is still "
            "at work. End it first"
        )
        found.append(_objection("old-writes", "old code", message))
    for number, (calls, query) in seen["statements"].items():
        known = before["statements"].get(number, (0, ""))[0]
        # Fewer than before: they were reset meanwhile, and all of these are new.
        more = calls - known if calls >= known else calls
        if more:
            message = f"ran {more:,} times in the last {ago:,.0f} s, and names the old column"
            found.append(_objection("statement", f"«{query}»", message))
    return found


async def _remember(operator: Operator, seen: dict[str, Any]) -> dict[str, Any]:
    await state.save(operator.connection, operator.names, watch=seen)
    return seen


async def _seen(operator: Operator) -> dict[str, Any]:
    connection, names = operator.connection, operator.names
    at, writes = await connection.fetchrow(
        "SELECT extract(epoch FROM clock_timestamp())::float8,"
        f" (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {names.sequence})"
    )
    return {"at": at, "writes": writes, "statements": await _statements(operator)}


async def _statements(operator: Operator) -> dict[str, tuple[int, str]]:
    connection, names = operator.connection, operator.names
    view, _ = await _statistics(operator)
    if view is None or "statement" in operator.options.accept:
        return {}
    try:
        rows = await connection.fetch(
            _STATEMENTS.format(view=view),
            word(names.old),
            word(names.table),
            MARK,
        )
    except asyncpg.ObjectNotInPrerequisiteStateError:
        return {}  # the extension is there, but was not loaded when the server started
    return {row["queryid"]: (row["calls"], row["query"]) for row in rows}


def _objection(slug: str, subject: str, message: str) -> Finding:
    return Finding(slug, subject, "refused", message)
