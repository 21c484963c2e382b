"""The plan of the instant way: its statements, what they cost, and what would break."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.connection.ddl import first_step
from invoicing.toolkit.rename.dependents import slugs, word
from invoicing.toolkit.rename.model import Estimate, Finding, Step
from invoicing.toolkit.rename.view import sql as view_sql
from invoicing.toolkit.rename.view.findings import always, find_for_view

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.model import Options, Target
    from invoicing.toolkit.rename.table import Column, Relation
    from invoicing.toolkit.rename.view.findings import Found

_SHORT = "ACCESS EXCLUSIVE, for milliseconds"
_WAITS = "everybody, for at most lock_timeout a try"
# Measured for all of it on 8,000,000 rows, and no more on more: no row is looked at.
_SECONDS = 0.1


class Way(NamedTuple):
    """One way to rename: what was found, its statements, and what it costs."""

    findings: list[Finding]
    steps: list[Step]
    estimate: Estimate


async def view_way(
    connection: Connection, relation: Relation, column: Column, target: Target, options: Options
) -> Way:
    """Return the instant way for the table at hand."""
    found = await find_for_view(connection, relation, column, target, options)
    version = connection.get_server_version().major
    in_the_way = [finding for finding in found.findings if finding.verdict == "refused"]
    named = [
        finding
        for finding in found.findings
        if finding.slug in _BREAKING and finding.verdict != "carried"
    ]
    estimate = Estimate(
        strategy="view",
        seconds=_SECONDS,
        extra_bytes=0,
        longest_lock="milliseconds, twice",
        breaks=[
            *(f"{one.subject} ({one.slug})" for one in named),
            *always(relation, version),
        ],
        safe=not in_the_way,
    )
    return Way(found.findings, _steps(relation, target, found), estimate)


def _steps(relation: Relation, target: Target, found: Found) -> list[Step]:
    names, shape = relation.names(target), found.shape
    free = view_sql.count_functions(names, word(target.old))
    swaps = {
        "expand": view_sql.swap_statements(names, shape),
        "contract": [
            f"LOCK TABLE {names.relation} IN ACCESS EXCLUSIVE MODE",
            *view_sql.contract_statements(names, shape, found.renamings),
        ],
        "rollback": [
            f"LOCK TABLE {names.relation} IN ACCESS EXCLUSIVE MODE",
            *view_sql.rollback_statements(names, shape),
        ],
    }
    count = f"SELECT count(*) FROM {view_sql.base_name(names, shape)}"
    verify = Step("verify", count, "ACCESS SHARE, while it counts", "nobody")
    made = [Step("expand", one, "none on the table", "nobody") for one in free]
    # Under its own name, before and after the swap.
    tables = {"expand": names.relation}
    expand, contract, rollback = (
        [
            first_step(phase, tables.get(phase, view_sql.base_name(names, shape))),
            *(Step(phase, statement, _SHORT, _WAITS) for statement in statements),
        ]
        for phase, statements in swaps.items()
    )
    return [*made, *expand, verify, *contract, *rollback]


# What somebody would notice; the rest is about the server, the account, and names.
_BREAKING = (
    frozenset(
        {"row-security", "column-privileges", "owner-privileges", "partitioned", "sequence"}
        | {"domain-default", "null-default"}
        | {"view-statement", "logical-slot"}
    )
    | slugs()
)
