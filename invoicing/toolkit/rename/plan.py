"""The plan: what was found, every statement of every phase with its lock, and what it will cost.

The estimates come from rates measured on two cores of a common machine; they tell hours from
minutes, and one way from the other, not more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg

from invoicing.errors import UsageError
from invoicing.toolkit.rename import contract, copies, expand, rollback, sync
from invoicing.toolkit.rename.acceptance import PLAN, accepted
from invoicing.toolkit.rename.backfill import batch_statement
from invoicing.toolkit.rename.column import SYSTEM_COLUMNS, find_column, find_relation
from invoicing.toolkit.rename.copies.partition import own_properties
from invoicing.toolkit.rename.ddl import first_step
from invoicing.toolkit.rename.dependents import dependents_of
from invoicing.toolkit.rename.disk import disk_space
from invoicing.toolkit.rename.errors import RenameRefusedError
from invoicing.toolkit.rename.model import Estimate, Finding, Plan, Step
from invoicing.toolkit.rename.moved import find_table
from invoicing.toolkit.rename.preflight import measure, preflight
from invoicing.toolkit.rename.unvalidated import unvalidated_findings
from invoicing.toolkit.rename.view.plan import Way, view_way

if TYPE_CHECKING:
    from invoicing.toolkit.rename.column import Column, Relation
    from invoicing.toolkit.rename.copies import Copy
    from invoicing.toolkit.rename.model import Options, Strategy, Target
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.preflight import Sizes
    from invoicing.toolkit.rename.session import Connection

_SHORT = "ACCESS EXCLUSIVE, for milliseconds"
_WAITS = "everybody, for at most lock_timeout a try"
_NOBODY = "nobody"
# Rows a second of one worker, and bytes a second of a scan.
_FILL_RATE = 60_000
_SCAN_RATE = 500_000_000
# What only a second column cannot do.
_ONLY_VIEW = frozenset({"domain", "generated", "identity"})
# What this account may not read of the table and its schemas, as a finding.
_UNREADABLE = """
SELECT DISTINCT 'privilege', w.subject, 'refused',
    format('%1$I may not read it, and the plan has to. Run: GRANT %2$s ON %3$s TO %1$I',
        current_user, w.privilege, w.subject)
FROM (SELECT $1::oid AS relid UNION
    SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass)) AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('SELECT', format('%I.%I', n.nspname, c.relname), has_table_privilege(c.oid, 'SELECT')),
    ('USAGE', format('SCHEMA %I', n.nspname), has_schema_privilege(n.oid, 'USAGE'))
) AS w (privilege, subject, allowed)
WHERE NOT w.allowed
"""
_ORDER = ("refused", "later", "noted", "carried")


async def make_plan(
    connection: Connection, target: Target, options: Options
) -> tuple[Plan, Column]:
    """Look at the catalog; nothing is touched.

    Raises:
        UsageError: there is no such table, or no such column.
        RenameRefusedError: this account may not read what has to be looked at.
    """
    relation = await find_table(connection, target)
    try:
        return await _make_plan(connection, relation, target, options)
    except asyncpg.InsufficientPrivilegeError as error:
        missing = [Finding(*row) for row in await connection.fetch(_UNREADABLE, relation.oid)]
        if not missing:
            raise
        reason = str(error).splitlines()[0]
        first = replace(missing[0], message=f"{missing[0].message} ({reason})")
        raise RenameRefusedError(target, [first, *missing[1:]]) from None


async def _make_plan(
    connection: Connection, relation: Relation, target: Target, options: Options
) -> tuple[Plan, Column]:
    column = await old_column(connection, target)
    sizes = await measure(connection, relation, target.old)
    strategy: Strategy = "view" if relation.base else options.strategy
    ways = {"view": await view_way(connection, relation, column, target, options)}
    if relation.base is None:
        ways["columns"] = await _columns_way(connection, relation, column, target, options)
        ways["columns"].findings[:] = _with_the_other_way(*ways.values())
    way = ways[strategy]
    way.findings.sort(key=lambda finding: _ORDER.index(finding.verdict))
    plan = Plan(
        target=target,
        strategy=strategy,
        server_version=connection.get_server_version().major,
        rows=sizes.rows,
        pages=sizes.heap // 8192,
        table_bytes=sizes.bytes,
        index_bytes=sizes.indexes,
        findings=way.findings,
        steps=way.steps,
        estimates=[ways[one].estimate for one in ("columns", "view") if one in ways],
    )
    return plan, column


async def _columns_way(
    connection: Connection, relation: Relation, column: Column, target: Target, options: Options
) -> Way:
    # A system column's name is refused; no copy could be looked at under it.
    impossible = target.new in SYSTEM_COLUMNS
    made = [] if impossible else await copies.find_copies(connection, relation, target)
    sizes = await measure(connection, relation, target.old)
    findings = [
        *await preflight(connection, relation, column, target, options),
        *copies.findings(made),
        *await unvalidated_findings(connection, relation, target),
        *await dependents_of(connection, relation, target, "columns", options.accept),
    ]
    estimate = _columns_estimate(sizes, made, options)
    if await find_column(connection, relation, target.new) is None:
        findings += await copies.taken_names(connection, made)
        room = await disk_space(connection, relation, sizes, estimate)
        findings.append(accepted(room, options.accept, PLAN))
    refused = [
        f"{finding.subject} ({finding.slug})"
        for finding in findings
        if finding.verdict == "refused"
    ]
    own = await own_properties(connection, relation, target)
    steps = _steps(relation.names(target), column, made, own)
    return Way(findings, steps, replace(estimate, breaks=refused, safe=not refused))


def _with_the_other_way(view: Way, columns: Way) -> list[Finding]:
    """Return the findings of a second column, with what the view would say to what it refuses."""
    refused = [
        f"{one.subject} ({one.slug}): {one.message}"
        for one in view.findings
        if one.verdict == "refused"
    ]
    said = ". Or use --strategy view"
    if refused:
        said = f". The plan of --strategy view is refused as well: {'; '.join(refused)}"
    return [
        replace(one, message=one.message + said)
        if one.verdict == "refused" and one.slug in _ONLY_VIEW
        else one
        for one in columns.findings
    ]


async def old_column(connection: Connection, target: Target) -> Column:
    """Return the column to rename; behind a view it has the new name already.

    Raises:
        UsageError: the table has none of that name.
    """
    relation = await find_relation(connection, target)
    name = target.new if relation.base else target.old
    column = await find_column(connection, relation, name)
    if name in SYSTEM_COLUMNS:
        message = (
            f"cannot rename {target}: {name} is a system column, which PostgreSQL gives to every "
            "table. Nothing was changed. Name a column of the table's own"
        )
        raise UsageError(message)
    if column is None:
        message = (
            f"cannot rename {target}: {relation.sql} has no column {name}. Nothing was "
            f"changed. Where it was renamed already, see: {target.command('status')}"
        )
        raise UsageError(message)
    return column


def _steps(names: Names, column: Column, made: list[Copy], own: list[str]) -> list[Step]:
    steps = [
        Step("expand", function, "none on the table", _NOBODY)
        for function in sync.create_functions(names, column)
    ]
    steps.append(first_step("expand", names.relation))
    steps += [
        Step("expand", expand_statement, _SHORT, _WAITS)
        for expand_statement in expand.expand_statements(names, column, own)
    ]
    steps.append(
        Step(
            "backfill",
            batch_statement(names, names.relation, 32),
            "ROW EXCLUSIVE, and the rows of one batch",
            "writers of those rows, for one batch",
        )
    )
    for copy in made:
        for statement in copy.statements():
            steps += _verify_steps(copy.table.sql, [statement])
    steps.append(first_step("contract", names.relation))
    steps += [
        Step("contract", contract_statement, _SHORT, _WAITS)
        for contract_statement in contract.contract_statements(names, made, [])
    ]
    steps.append(first_step("rollback", names.relation))
    steps += [
        Step("rollback", rollback_statement, _SHORT, _WAITS)
        for rollback_statement in rollback.rollback_statements(names)
    ]
    return steps


def _verify_steps(table: str, transaction: list[str]) -> list[Step]:
    steps = [_step_of("verify", one) for one in transaction]
    return steps if steps[0].blocks == _NOBODY else [first_step("verify", table), *steps]


def _step_of(phase: str, statement: str) -> Step:
    if "CONCURRENTLY" in statement or "VALIDATE" in statement or "CREATE STAT" in statement:
        return Step(phase, statement, "SHARE UPDATE EXCLUSIVE", _NOBODY)
    if "FOREIGN KEY" in statement:
        lock = "SHARE ROW EXCLUSIVE on both tables, for milliseconds"
        return Step(phase, statement, lock, "writers, for at most lock_timeout a try")
    return Step(phase, statement, _SHORT, _WAITS)


def _columns_estimate(sizes: Sizes, made: list[Copy], options: Options) -> Estimate:
    # The parts of a partitioned index are together as big as one of the whole.
    whole = [copy for copy in made if copy.message is not None]
    indexes = sum(isinstance(copy, copies.IndexCopy) for copy in whole)
    seconds = sizes.rows / _FILL_RATE / min(options.workers, 2)
    # Counted, compared three times, and read once for each index and constraint.
    seconds += (4 + len(whole)) * sizes.heap / _SCAN_RATE
    return Estimate(
        strategy="columns",
        seconds=round(seconds, 1),
        # Measured: a fifth of the table, two fifths of its indexes; the column itself comes on top.
        extra_bytes=int(
            sizes.rows * (sizes.width + indexes * (sizes.width + 16))
            + 0.2 * sizes.heap
            + 0.4 * sizes.indexes
        ),
        longest_lock="milliseconds, twice; the rows of one batch for the time of one batch",
        breaks=[],
        safe=True,
    )
