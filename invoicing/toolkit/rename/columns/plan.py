"""The plan of a second column: what was found, its statements, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.acceptance import PLAN, accepted
from invoicing.toolkit.rename.columns import (
    contract,
    copies,
    expand,
    rollback,
    stripes,
    sync,
    triggers,
)
from invoicing.toolkit.rename.columns.copies.kept import kept_for
from invoicing.toolkit.rename.columns.copies.properties import own_properties
from invoicing.toolkit.rename.columns.disk import disk_space
from invoicing.toolkit.rename.columns.filler import filler_of
from invoicing.toolkit.rename.columns.in_place import (
    in_place_findings,
    in_place_statements,
    renames,
)
from invoicing.toolkit.rename.columns.moved_identity import move_statement
from invoicing.toolkit.rename.columns.preflight import second_column, shard_findings, to_silence
from invoicing.toolkit.rename.columns.unvalidated import unvalidated_findings
from invoicing.toolkit.rename.connection.ddl import NONE, first_step, free_steps, short_steps
from invoicing.toolkit.rename.dependents import judged
from invoicing.toolkit.rename.model import Estimate, Step
from invoicing.toolkit.rename.preflight.checks import measure, preflight
from invoicing.toolkit.rename.retype.findings import conversion_findings
from invoicing.toolkit.rename.strategy import StrategyPlan
from invoicing.toolkit.rename.table import SYSTEM_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.columns.copies import Copy
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.dependents.kind import Dependent
    from invoicing.toolkit.rename.model import Options, PlanFinding
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.preflight.checks import Sizes
    from invoicing.toolkit.rename.strategy import RenameStrategy
    from invoicing.toolkit.rename.table import Column

# Rows a second of one worker, and bytes a second of a scan.
_FILL_RATE = 60_000
_SCAN_RATE = 500_000_000
# What only a second column cannot do.
_ONLY_HERE = frozenset({"domain", "domain-type", "generated", "identity"})


async def plan(
    context: RenameContext, strategy: RenameStrategy, dependents: Sequence[Dependent]
) -> StrategyPlan:
    """Look at the catalog; nothing is touched."""
    column = context.column()
    # A system column's name is refused; no copy could be looked at under it.
    impossible, kept = context.target.new in SYSTEM_COLUMNS, await kept_for(context)
    made = [] if impossible else await copies.find_copies(context)
    sizes, silenced = await measure(context), await to_silence(context)
    findings = [
        *await preflight(context, shards=True),
        *await shard_findings(context, kept),
        *await second_column(context),
        *copies.findings(made),
        *await conversion_findings(context, made),
        *await unvalidated_findings(context),
        *await judged(context, strategy, dependents),
        *([] if impossible else await triggers.trigger_findings(context, silenced)),
    ]
    findings = _without_twice(findings)
    if kept:
        # It stays where it is.
        findings = [finding for finding in findings if finding.slug != "owned-sequence"]
    estimate = _estimate(sizes, made, context.options, strategy)
    if not impossible:
        findings += await in_place_findings(context, kept, made)
    if context.target.new not in context.table.columns:
        findings += await copies.taken_names(context, made, in_place=bool(kept))
        room = await disk_space(context, sizes, estimate)
        findings.append(accepted(room, context.options.accept, PLAN))
    refused = [
        f"{finding.subject} ({finding.slug})"
        for finding in findings
        if finding.verdict == "refused"
    ]
    own = await own_properties(context)
    changed = triggers.TriggerChanges([], [], [])
    if not impossible:
        changed = await triggers.planned(context)
    ending = in_place_statements(context.names, changed.rollback, await renames(context))
    if not kept:
        moved = [move_statement(context.names)] if column.identity else []
        settled = [*changed.contract, *moved]
        ending = contract.contract_statements(context.names, made, settled)
    batch = filler_of(context).statement(context.names, context.names.relation, stripes.MOST)
    steps = _steps(context.names, column, made, batch, own, changed, ending)
    estimate = replace(estimate, breaks=refused, safe=not refused)
    return StrategyPlan(findings, steps, estimate, _ONLY_HERE)


def _without_twice(findings: list[PlanFinding]) -> list[PlanFinding]:
    """Return them without what is carried in general, and refused once it was tried."""
    refused = {(each.slug, each.subject) for each in findings if each.verdict == "refused"}
    return [
        finding
        for finding in findings
        if finding.verdict != "carried" or (finding.slug, finding.subject) not in refused
    ]


def _steps(
    names: Names,
    column: Column,
    made: list[Copy],
    batch: str,
    own: list[str],
    on_it: triggers.TriggerChanges,
    ending: list[str],
) -> list[Step]:
    own = [*own, *on_it.expand]
    locks = ("ROW EXCLUSIVE, and the rows of one batch", "writers of those rows, for one batch")
    table = names.relation
    return [
        *free_steps("expand", sync.create_functions(names, column)),
        *short_steps("expand", table, expand.expand_statements(names, column, own)),
        Step("backfill", batch, *locks),
        *(
            step
            for copy in made
            for statement in copy.statements()
            for step in _verify_steps(copy.table.sql, statement)
        ),
        *short_steps("contract", table, ending),
        *short_steps("rollback", table, rollback.rollback_statements(names, on_it.rollback)),
    ]


def _verify_steps(table: str, statement: str) -> list[Step]:
    if "CONCURRENTLY" in statement or "VALIDATE" in statement or "CREATE STAT" in statement:
        return [Step("verify", statement, "SHARE UPDATE EXCLUSIVE", NONE)]
    if "FOREIGN KEY" in statement:
        lock = "SHARE ROW EXCLUSIVE on both tables, for milliseconds"
        step = Step("verify", statement, lock, "writers, for at most lock_timeout per attempt")
        return [first_step("verify", table), step]
    return short_steps("verify", table, [statement])


def _estimate(
    sizes: Sizes, made: list[Copy], options: Options, strategy: RenameStrategy
) -> Estimate:
    # The parts of a partitioned index are together as big as one of the whole.
    whole = [copy for copy in made if copy.message is not None]
    indexes = sum(isinstance(copy, copies.IndexCopy) for copy in whole)
    seconds = sizes.rows / _FILL_RATE / min(options.workers, 2)
    # Counted, compared three times, and read once for each index and constraint.
    seconds += (4 + len(whole)) * sizes.heap / _SCAN_RATE
    return Estimate(
        strategy=strategy.name,
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
