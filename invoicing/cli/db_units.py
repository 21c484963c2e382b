"""`invoicing db distribute` and `invoicing db units`: business units on a Citus cluster."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from invoicing.cli.connection import open_database
from invoicing.cli.output import AsJson, console, echo_json
from invoicing.tables import grid_of
from invoicing.units import distribute as distribute_schema
from invoicing.units import list_units, plan_distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.units import DistributionPlan, Unit


def distribute(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, not only show the plan.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how the schema that INVOICING_SCHEMA names moves to a node of Citus; --yes does it.

    All its tables go to one node, together, and keep their names: nothing else changes for
    whoever uses them. Empty or filled; run again, it does what is left to do.

    Example: INVOICING_SCHEMA=unit_a invoicing db distribute --yes
    """
    plan, unit = asyncio.run(_distribute(yes=yes))
    if as_json:
        node = unit.node if unit is not None else None
        facts = asdict(plan) | {"statements": plan.statements, "done": yes or plan.is_done}
        echo_json(json.dumps(facts | {"node": node}, indent=2))
        return
    if unit is not None:
        where = f"node {unit.node}" if unit.node else "a node, once it has a table"
        already = " already" if plan.is_done else ""
        console.print(f"Schema {plan.schema} is distributed{already}: {where}")
        return
    _show_plan(plan)


def units(*, as_json: AsJson = False) -> None:
    """Show every distributed schema: its node, its size and its rows.

    Example: invoicing db units
    """
    found = asyncio.run(_units())
    if as_json:
        echo_json(json.dumps([asdict(unit) for unit in found], indent=2))
        return
    if not found:
        console.print("No schema is distributed. Run: invoicing db distribute")
        return
    columns: dict[str, Sequence[Any]] = {
        "unit": [unit.schema for unit in found],
        "node": [unit.node or "-" for unit in found],
        "size": [_size(unit.bytes) for unit in found],
        "accounts": [unit.accounts for unit in found],
        "invoices": [unit.invoices for unit in found],
        "lines": [unit.lines for unit in found],
    }
    console.print(grid_of(columns, right=columns.keys() - {"unit", "node"}).rich())


async def _distribute(*, yes: bool) -> tuple[DistributionPlan, Unit | None]:
    async with open_database() as database:
        if yes:
            with console.status("Distributing") as status:
                plan = await distribute_schema(database, progress=status.update)
        else:
            plan = await plan_distribution(database)
        if not (yes or plan.is_done):
            return plan, None
        (unit,) = (unit for unit in await list_units(database) if unit.schema == plan.schema)
        return plan, unit


async def _units() -> list[Unit]:
    async with open_database() as database:
        return await list_units(database)


def _show_plan(plan: DistributionPlan) -> None:
    if plan.tables:
        columns: dict[str, Sequence[Any]] = {
            "table": [table.name for table in plan.tables],
            "rows, about": [table.rows for table in plan.tables],
            "size": [_size(table.bytes) for table in plan.tables],
        }
        console.print(grid_of(columns, right=("rows, about", "size")).rich())
    if plan.distributed:
        console.print("Distributed already; the coordinator still has copies that nothing reads.")
    else:
        console.print(
            f"Schema {plan.schema} goes to one of {', '.join(plan.nodes)}. Writers wait while its "
            "rows are copied."
        )
    if plan.rolled_up:
        console.print("The roll-up of the portfolio is dropped first, and built again there.")
    for statement in plan.statements:
        console.print(f"  {statement};")
    console.print("Nothing was changed. To do it, run: invoicing db distribute --yes")


def _size(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MB"
