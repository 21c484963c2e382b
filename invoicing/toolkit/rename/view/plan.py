"""The plan of the view strategy: its statements, what they cost, and what would break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.connection.ddl import NONE, free_steps, short_steps
from invoicing.toolkit.rename.dependents import slugs, word
from invoicing.toolkit.rename.model import Estimate, Step
from invoicing.toolkit.rename.strategy import StrategyPlan
from invoicing.toolkit.rename.view import arguments, functions
from invoicing.toolkit.rename.view import sql as view_sql
from invoicing.toolkit.rename.view.findings import always, find_for_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.dependents.kind import Dependent
    from invoicing.toolkit.rename.strategy import RenameStrategy
    from invoicing.toolkit.rename.view.findings import ViewFindings

# Measured for all of it on 8,000,000 rows, and no more on more: no row is looked at.
_SECONDS = 0.1


async def plan(
    context: RenameContext, strategy: RenameStrategy, dependents: Sequence[Dependent]
) -> StrategyPlan:
    """Return the plan for the table at hand."""
    found = await find_for_view(context, strategy, dependents)
    refused = [finding for finding in found.findings if finding.verdict == "refused"]
    named = [
        finding
        for finding in found.findings
        if finding.slug in _BREAKING and finding.verdict != "carried"
    ]
    estimate = Estimate(
        strategy=strategy.name,
        seconds=_SECONDS,
        extra_bytes=0,
        longest_lock="milliseconds, twice",
        breaks=[
            *(f"{finding.subject} ({finding.slug})" for finding in named),
            *always(context.table, context.version),
        ],
        safe=not refused,
    )
    replaced = functions.statements(await functions.to_replace(context, accepted=False))
    triggers = await arguments.to_replace(context, accepted=False)
    replaced += arguments.statements(triggers, context.target)
    return StrategyPlan(found.findings, _steps(context, found, replaced), estimate)


def _steps(context: RenameContext, found: ViewFindings, replaced: list[str]) -> list[Step]:
    names, shape = context.names, found.shape
    base = view_sql.base_name(names, shape)
    lock = f"LOCK TABLE {names.relation} IN ACCESS EXCLUSIVE MODE"
    contract = [lock, *view_sql.contract_statements(names, shape, found.renamings)]
    rollback = [lock, *view_sql.rollback_statements(names, shape)]
    count = f"SELECT count(*) FROM {base}"
    return [
        *free_steps("expand", view_sql.count_functions(names, word(names.old))),
        # Under its own name, before the swap.
        *short_steps(
            "expand", names.relation, [*view_sql.swap_statements(names, shape), *replaced]
        ),
        Step("verify", count, "ACCESS SHARE, while it counts", NONE),
        *short_steps("contract", base, contract),
        *short_steps("rollback", base, rollback),
    ]


# What clients would notice; the rest is about the server, the account, and names.
_BREAKING = (
    frozenset(
        {"row-security", "column-privileges", "owner-privileges", "partitioned", "sequence"}
        | {"domain-default", "null-default"}
        | {"view-statement", "logical-slot"}
    )
    | slugs()
)
