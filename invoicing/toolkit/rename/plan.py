"""The plan: what was found, every statement of every phase with its lock, and what it will cost.

The estimates come from rates measured on two cores of a common machine; they tell hours from
minutes, and one strategy from the other, not more.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.acceptance import OF_PLAN, unused
from invoicing.toolkit.rename.dependents import find_dependents
from invoicing.toolkit.rename.errors import RenameRefusedError
from invoicing.toolkit.rename.model import Plan, PlanFinding
from invoicing.toolkit.rename.preflight.checks import measure
from invoicing.toolkit.rename.strategies import STRATEGIES

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.model import StrategyName
    from invoicing.toolkit.rename.strategy import StrategyPlan

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
# Advice that is none for a change of the type.
_VIEW = re.compile(r"[.,]? (?:Or use|Use|or use) --strategy view(?:, which keeps the order)?")
_ORDER = ("refused", "later", "noted", "carried")


async def make_plan(context: RenameContext, *, compare: bool = True) -> Plan:
    """Look at the catalog; nothing is touched.

    Args:
        context: the rename.
        compare: whether other strategies are asked as well, though this one refuses nothing.

    Raises:
        UsageError: there is no such column.
        RenameRefusedError: this account may not read what has to be looked at.
    """
    try:
        return await _make_plan(context, compare=compare)
    except asyncpg.InsufficientPrivilegeError as error:
        rows = await context.connection.fetch(_UNREADABLE, context.table.oid)
        missing = [PlanFinding(*row) for row in rows]
        if not missing:
            raise
        reason = str(error).splitlines()[0]
        first = replace(missing[0], message=f"{missing[0].message} ({reason})")
        raise RenameRefusedError(context.target, [first, *missing[1:]]) from None


async def _make_plan(context: RenameContext, *, compare: bool) -> Plan:
    context.column()
    stands, converted = context.table.base is not None, context.conversion is not None
    possible = {
        strategy.name: strategy
        for strategy in STRATEGIES
        if (strategy.behind_view or not stands) and (not converted or strategy.changes_type)
    }
    wanted = context.options.strategy
    chosen = wanted if wanted in possible else next(iter(possible))
    dependents = await find_dependents(context)
    plans = {chosen: await possible[chosen].plan(context, dependents)}
    if compare or any(finding.verdict == "refused" for finding in plans[chosen].findings):
        plans = {
            name: plans.get(name) or await strategy.plan(context, dependents)
            for name, strategy in possible.items()
        }
    findings = _with_alternatives(chosen, plans)
    if converted:
        findings = [replace(found, message=_VIEW.sub("", found.message)) for found in findings]
    findings += unused(context.options.accept, findings, OF_PLAN)
    findings.sort(key=lambda finding: _ORDER.index(finding.verdict))
    sizes = await measure(context)
    return Plan(
        target=context.target,
        strategy=chosen,
        server_version=context.version,
        rows=sizes.rows,
        pages=sizes.heap // 8192,
        table_bytes=sizes.bytes,
        index_bytes=sizes.indexes,
        findings=findings,
        steps=plans[chosen].steps,
        estimates=[plan.estimate for plan in plans.values()],
    )


def _with_alternatives(
    chosen: StrategyName, plans: dict[StrategyName, StrategyPlan]
) -> list[PlanFinding]:
    """Return the findings, with what another strategy would say to what only this one refuses."""
    plan = plans[chosen]
    said = "".join(_alternative(name, other) for name, other in plans.items() if name != chosen)
    return [
        replace(finding, message=finding.message + said)
        if finding.verdict == "refused" and finding.slug in plan.only_here
        else finding
        for finding in plan.findings
    ]


def _alternative(name: StrategyName, plan: StrategyPlan) -> str:
    refused = [
        f"{finding.subject} ({finding.slug}): {finding.message}"
        for finding in plan.findings
        if finding.verdict == "refused"
    ]
    if refused:
        return f". The plan of --strategy {name} is refused as well: {'; '.join(refused)}"
    return f". Or use --strategy {name}"
