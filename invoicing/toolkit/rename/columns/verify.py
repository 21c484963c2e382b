"""Verify: build on the new column what the old one has, and compare every row, before and after."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.columns import detached, expand, guards, ranges, triggers
from invoicing.toolkit.rename.columns.copies import (
    IndexCopy,
    NotNullCopy,
    StatisticsCopy,
    find_copies,
    refusals,
)
from invoicing.toolkit.rename.columns.copies.made import drop_stale, keep_made
from invoicing.toolkit.rename.columns.copies.properties import reconcile
from invoicing.toolkit.rename.columns.identity import refuse_identity
from invoicing.toolkit.rename.columns.sync import apart, missing, unfilled
from invoicing.toolkit.rename.dependents import cannot_follow
from invoicing.toolkit.rename.errors import RowsDifferError
from invoicing.toolkit.rename.model import Phase, RowCounts, VerifyReport
from invoicing.toolkit.rename.names import MARK, quote
from invoicing.toolkit.rename.retype import conversion

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.session import RenameSession
    from invoicing.toolkit.rename.strategy import RenameStrategy
    from invoicing.toolkit.rename.table import Column


async def verify(session: RenameSession, strategy: RenameStrategy) -> VerifyReport:
    """Compare, build, validate, compare again.

    Raises:
        RowsDifferError: rows differ; those not filled are filled by another backfill.
        RenameRefusedError: a column was made an identity column meanwhile.
    """
    connection, names, column = session.connection, session.names, session.column()
    await refuse_identity(session, "verify")
    if not any(unguarded.of_rows for unguarded in await expand.unguarded(session)):
        await expand.repair(session)  # partitions that came since
    await connection.execute(state.set_phase(names, Phase.VERIFYING))
    await _equal_counts(session, column)
    reconciled = [*await reconcile(session), *await triggers.fire_on_both(session)]
    copies = await find_copies(session)
    if dropped := await drop_stale(session, copies):
        reconciled += dropped
        copies = await find_copies(session)
    await keep_made(session, copies, built=False)
    for copy in copies:
        if copy.unsupported is None:
            await copy.build(session)
    # Found once more: a partition's part may have been named by PostgreSQL.
    await keep_made(session, await find_copies(session), built=True)
    if any(isinstance(copy, IndexCopy | StatisticsCopy) for copy in copies):
        # Expressions of indexes have statistics of their own.
        await session.ddl.long(f"ANALYZE {names.relation}")
    counts = await _equal_counts(session, column)
    report = replace(
        await describe(session, counts),
        reconciled=reconciled,
        guarded=not any(missing.of_rows for missing in await expand.unguarded(session)),
        notes=[
            *await detached.notes(session),
            *await guards.notes(session),
            *map(str, await cannot_follow(session, strategy)),
            *filter(None, [conversion.lossy_rows(names, counts)]),
        ],
    )
    if report.ok:
        await connection.execute(state.set_phase(names, Phase.VERIFIED))
    return report


async def compare(context: RenameContext, column: Column) -> dict[str, int]:
    """Count the rows by state, on one snapshot, without any lock that others could wait for."""
    names = context.names
    old, new = quote(names.old), quote(names.new)
    differ, lacks = apart(names, column, old, new), unfilled(names)
    row = await context.connection.fetchrow(
        f"SELECT {MARK} count(*) AS rows,"
        f" count(*) FILTER (WHERE NOT ({differ}) AND NOT ({lacks})) AS equal,"
        f" count(*) FILTER (WHERE {lacks}) AS missing,"
        f" count(*) FILTER (WHERE {conversion.lossy(names)}) AS lossy,"
        f" count(*) FILTER (WHERE {missing(new)} AND {missing(old)}) AS nulls"
        f" FROM {context.table.sql}"
    )
    counts = dict(row)
    return counts | {"different": counts["rows"] - counts["equal"] - counts["missing"]}


async def count_rows(context: RenameContext) -> RowCounts:
    """Count the rows by state at any phase, also where only one of the names is there."""
    old = context.table.columns.get(context.target.old)
    if old is not None and context.target.new in context.table.columns:
        counts = await compare(context, old)
        return RowCounts(
            **{name: counts[name] for name in ("rows", "equal", "missing", "different")}
        )
    rows = await context.connection.fetchval(f"SELECT {MARK} count(*) FROM {context.table.sql}")
    return RowCounts(rows, 0, rows, 0) if old is not None else RowCounts(rows, rows, 0, 0)


async def describe(session: RenameSession, counts: dict[str, int]) -> VerifyReport:
    """Return the report: the counts, and what is built and valid."""
    not_null = None
    indexes: dict[str, bool] = {}
    constraints: dict[str, bool] = {}
    # Found once more: a partition's part may have been named by PostgreSQL.
    copies = await find_copies(session)
    for copy in copies:
        if copy.unsupported is not None:
            continue
        ready = await copy.is_ready(session.connection)
        if isinstance(copy, NotNullCopy) and copy.table.oid == session.table.oid:
            not_null = ready
        elif isinstance(copy, IndexCopy):
            indexes[copy.name] = ready and indexes.get(copy.name, True)
        elif not isinstance(copy, StatisticsCopy):
            unnamed = f"NOT NULL of {copy.table.sql}"
            name = unnamed if isinstance(copy, NotNullCopy) else copy.name
            constraints[name] = ready and constraints.get(name, True)
    return VerifyReport(
        rows=counts["rows"],
        equal=counts["equal"],
        different=counts["different"],
        missing=counts["missing"],
        nulls=counts["nulls"],
        not_null=not_null,
        constraints=constraints,
        indexes=indexes,
        refused=[str(refusal) for refusal in refusals(copies)],
    )


async def _equal_counts(session: RenameSession, column: Column) -> dict[str, int]:
    names = session.names
    counts = await compare(session, column)
    if not counts["missing"] and not counts["different"]:
        return counts
    if counts["different"]:
        differ = apart(names, column, quote(names.old), quote(names.new))
        advice = (
            "The triggers were disabled, or bypassed. Look at the rows: "
            f"SELECT ... FROM {names.relation} WHERE {differ}, set the side that is wrong, then "
            f"run: {session.target.command('verify')}"
        )
    else:
        # Pages that were passed over have rows that are not filled: pass over all of them again.
        await ranges.again(session.connection, names, only_skipped=False)
        await session.connection.execute(state.set_phase(names, Phase.EXPANDED))
        advice = f"Run: {session.target.command('backfill')}"
    raise RowsDifferError(
        str(session.target),
        rows=counts["rows"],
        missing=counts["missing"],
        different=counts["different"],
        danger=f"Dropping {names.old} now would lose values",
        advice=advice,
    )
