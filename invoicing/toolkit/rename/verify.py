"""Verify: build on the new column what the old one has, and compare every row, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import detached, expand, ranges, state
from invoicing.toolkit.rename.column import find_column, find_relation
from invoicing.toolkit.rename.copies import IndexCopy, NotNullCopy, StatisticsCopy, find_copies
from invoicing.toolkit.rename.copies.partition import missing_properties
from invoicing.toolkit.rename.errors import RowsDifferError
from invoicing.toolkit.rename.model import Phase, RowCounts, VerifyReport
from invoicing.toolkit.rename.names import MARK, quote
from invoicing.toolkit.rename.sync import distinct, missing, present

if TYPE_CHECKING:
    from invoicing.toolkit.rename.column import Column
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.operator import Operator
    from invoicing.toolkit.rename.session import Connection


async def verify(operator: Operator, column: Column) -> VerifyReport:
    """Compare, build, validate, compare again.

    Raises:
        RowsDifferError: rows differ; those not filled are filled by another backfill.
    """
    connection, names = operator.connection, operator.names
    if not any(one.of_rows for one in await expand.unguarded(operator)):
        await expand.repair(operator, column)  # partitions that came since
    await connection.execute(state.set_phase(names, Phase.VERIFYING))
    await _equal_counts(operator, column)
    await _adopt_partitions(operator)
    copies = await find_copies(connection, operator.relation, operator.target)
    for copy in copies:
        if copy.unsupported is None:
            await copy.build(operator)
    if any(isinstance(copy, IndexCopy | StatisticsCopy) for copy in copies):
        # Expressions of indexes have statistics of their own.
        await operator.ddl.long(f"ANALYZE {names.relation}")
    counts = await _equal_counts(operator, column)
    report = await describe(operator, counts)
    if report.ok:
        await connection.execute(state.set_phase(names, Phase.VERIFIED))
    return report


async def compare(connection: Connection, names: Names, column: Column) -> dict[str, int]:
    """Count the rows by state, on one snapshot, without any lock that somebody could wait for."""
    old, new = quote(names.old), quote(names.new)
    row = await connection.fetchrow(
        f"SELECT {MARK} count(*) AS rows,"
        f" count(*) FILTER (WHERE NOT ({distinct(column, old, new)})) AS equal,"
        f" count(*) FILTER (WHERE {missing(new)} AND {present(old)}) AS missing,"
        f" count(*) FILTER (WHERE {missing(new)} AND {missing(old)}) AS nulls"
        f" FROM {names.relation}"
    )
    counts = dict(row)
    return counts | {"different": counts["rows"] - counts["equal"] - counts["missing"]}


async def count_rows(connection: Connection, target: Target) -> RowCounts:
    """Count the rows by state at any phase, also where only one of the names is there."""
    relation = await find_relation(connection, target)
    names = relation.names(target)
    old = await find_column(connection, relation, target.old)
    if old is not None and await find_column(connection, relation, target.new) is not None:
        counts = await compare(connection, names, old)
        return RowCounts(
            **{name: counts[name] for name in ("rows", "equal", "missing", "different")}
        )
    rows = await connection.fetchval(f"SELECT {MARK} count(*) FROM {relation.sql}")
    return RowCounts(rows, 0, rows, 0) if old is not None else RowCounts(rows, rows, 0, 0)


async def describe(operator: Operator, counts: dict[str, int]) -> VerifyReport:
    """Return the report: the counts, and what is built and valid."""
    connection, relation = operator.connection, operator.relation
    not_null = None
    indexes: dict[str, bool] = {}
    constraints: dict[str, bool] = {}
    # Found once more: a partition's part may have been named by PostgreSQL.
    for copy in await find_copies(connection, relation, operator.target):
        ready = await copy.is_ready(connection)
        if isinstance(copy, NotNullCopy) and copy.table.oid == relation.oid:
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
        notes=await detached.notes(connection, relation, operator.names),
    )


async def _adopt_partitions(operator: Operator) -> None:
    """Give partitions that were attached since the expand what theirs have of their own."""
    lacking = await missing_properties(operator.connection, operator.relation, operator.target)
    if lacking:
        await operator.ddl.short(*lacking)


async def _equal_counts(operator: Operator, column: Column) -> dict[str, int]:
    names, connection = operator.names, operator.connection
    counts = await compare(connection, names, column)
    if not counts["missing"] and not counts["different"]:
        return counts
    if counts["different"]:
        differ = distinct(column, quote(names.old), quote(names.new))
        advice = (
            "Somebody has switched the triggers off, or written around them. Look at the rows with "
            f"SELECT ... FROM {names.relation} WHERE {differ}, set the side that is wrong, then "
            f"run: {operator.target.command('verify')}"
        )
    else:
        # Pages that were passed over have rows that are not filled: pass over all of them again.
        await ranges.again(connection, names, only_skipped=False)
        await connection.execute(state.set_phase(names, Phase.EXPANDED))
        advice = f"Run: {operator.target.command('backfill')}"
    raise RowsDifferError(
        str(operator.target),
        rows=counts["rows"],
        missing=counts["missing"],
        different=counts["different"],
        danger=f"Dropping {names.old} now would lose values",
        advice=advice,
    )
