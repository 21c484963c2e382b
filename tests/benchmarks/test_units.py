"""A unit on a node of a Citus cluster against a single server: answers, and a rename.

Both have the same rows, and take turns within one run. `INVOICING_TEST_CITUS_URL` names the
coordinator, which is on this machine too, or the network is measured as well.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from invoicing.db.url import in_schema
from invoicing.sample import load_sample
from invoicing.services import (
    find_account,
    get_account_dashboard,
    get_account_dashboards,
    list_accounts,
    monthly_totals,
    top_accounts,
)
from invoicing.toolkit.rename import Options, Rename, Target
from tests.citus.conftest import cluster_url, unit
from tests.conftest import execute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.engine import URL

    from invoicing.db import AsyncSession, Database

__all__ = ["cluster_url"]
INVOICES = int(os.environ.get("INVOICING_BENCH_UNIT_INVOICES", "200_000"))
TARGET = Target("invoice", "currency", "money")
TURNS, RENAMES = 15, 2
# Times the single server's time; the coordinator and the node share its processors here.
GOALS = {
    "a dashboard": 2.0,
    "100 dashboards in one call": 2.0,
    "totals by month": 1.5,
    "the largest accounts": 1.5,
    "a rename's backfill": 2.0,
    "a rename to the contract": 2.0,
}


async def questions(session: AsyncSession) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return what is asked on a side."""
    ids = [account.id for account in await list_accounts(session, limit=100)]
    first = await find_account(session)
    return {
        "a dashboard": lambda: get_account_dashboard(session, first),
        "100 dashboards in one call": lambda: get_account_dashboards(session, ids),
        "totals by month": lambda: monthly_totals(session),
        "the largest accounts": lambda: top_accounts(session),
    }


async def answers(sides: Sequence[Database]) -> list[dict[str, float]]:
    """Return the seconds of each question on each side, the median of some turns."""
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(side.read_only()) for side in sides]
        asked = [await questions(session) for session in sessions]
        seconds: list[dict[str, list[float]]] = [{name: [] for name in each} for each in asked]
        for _ in range(TURNS):
            for each, took in zip(asked, seconds, strict=True):
                for name, ask in each.items():
                    began = perf_counter()
                    await ask()
                    took[name].append(perf_counter() - began)
    return [{name: median(found) for name, found in took.items()} for took in seconds]


async def rename(database: Database) -> dict[str, float]:
    """Return the seconds of a rename as far as to the contract; it is taken back at the end."""
    work = Rename(database, TARGET, Options(workers=2, quiet=0))
    marks = [perf_counter()]
    for phase in (work.expand, work.backfill, work.verify):
        await phase()
        marks.append(perf_counter())
    await work.rollback()
    schema = database.settings.database_schema
    await execute(in_schema(database.url, schema), "VACUUM FULL invoice")
    began, _, _, ended = marks
    return {"a rename's backfill": marks[2] - marks[1], "a rename to the contract": ended - began}


@pytest.mark.bench
async def test_a_unit_costs_little_more_than_a_server_of_its_own(
    cluster_url: URL, bench_database: Database, measured: Callable[..., None]
) -> None:
    accounts = max(INVOICES // 80, 1)
    async with unit(cluster_url) as database:
        sides = [bench_database, database]
        for side in sides:
            await load_sample(side, accounts=accounts, invoices=INVOICES)
            await execute(in_schema(side.url, side.settings.database_schema), "ANALYZE")
        here, there = await answers(sides)
        renames = [[await rename(side) for side in sides] for _ in range(RENAMES)]
    for name in renames[0][0]:
        here[name], there[name] = (min(turn[side][name] for turn in renames) for side in (0, 1))
    ratios = {name: there[name] / here[name] for name in here}
    for name, goal in GOALS.items():
        what = f"{name} in a unit on Citus, against a single server ({INVOICES:,} invoices)"
        met = ratios[name] <= goal
        measured(what, f"{ratios[name]:.1f} times its time", f"at most {goal}", met=met)
        print(f"{what}: {ratios[name]:.2f} ({here[name]:.3f} s -> {there[name]:.3f} s)")
    assert all(ratios[name] <= 2 * goal for name, goal in GOALS.items()), ratios
