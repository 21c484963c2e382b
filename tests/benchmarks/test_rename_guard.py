"""What the latency guard costs and keeps: the same backfill with it and without, under traffic."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from invoicing.db import Database
from invoicing.practice import NEW_CODE, Traffic
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename
from tests.benchmarks.conftest import INVOICES
from tests.benchmarks.test_rename import (
    CALM,
    CLIENTS,
    RATE,
    TARGET,
    full_table,
    on_a_copy,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

    from invoicing.practice import TrafficFigures

__all__ = ["full_table"]
GUARD, LEAST_SPEED = 1.5, 0.6
UNGUARDED = Options(workers=2)
GUARDED = replace(UNGUARDED, latency_guard=GUARD)


@dataclass(frozen=True)
class Felt:
    """What traffic felt of a backfill, and how many rows a second that filled."""

    calm: TrafficFigures
    meanwhile: TrafficFigures
    rate: float
    guard: dict[str, object]

    @property
    def times(self) -> float:
        """Return the p99 meanwhile in times of the calm one."""
        return self.meanwhile.p99 / self.calm.p99


async def backfilled(url: URL, options: Options) -> Felt:
    """Backfill while clients of old code are at work; nothing they wrote is lost."""
    async with (
        Database(url, Settings()) as database,
        Traffic(url, clients=CLIENTS, rate=RATE, adopt=5_000) as traffic,
    ):
        rename = Rename(database, TARGET, options)
        await asyncio.sleep(3)
        mark = traffic.mark()
        await asyncio.sleep(CALM)
        calm = traffic.figures(mark)
        await rename.expand()
        mark = traffic.mark()
        report = await rename.backfill()
        meanwhile = traffic.figures(mark)
        assert report.completed
    ledger = await traffic.verify(NEW_CODE)
    assert ledger.intact, ledger.differences[:5]
    assert not meanwhile.failures
    return Felt(calm, meanwhile, report.rows_updated / report.seconds, report.guard)


@pytest.mark.bench
def test_what_the_latency_guard_keeps_and_costs(
    full_table: URL,
    results_folder: Path,
    measured: Callable[..., None],
) -> None:
    felt: dict[str, Felt] = {}

    async def use(copy: URL, name: str, options: Options) -> None:
        felt[name] = await backfilled(copy, options)

    for name, options in {"unguarded": UNGUARDED, "guarded": GUARDED}.items():
        asyncio.run(on_a_copy(full_table, lambda url, n=name, o=options: use(url, n, o)))  # type: ignore[misc]
    figures = {
        name: {"p99": run.meanwhile.p99, "calm": run.calm.p99, "rate": run.rate, "guard": run.guard}
        for name, run in felt.items()
    }
    Console().print(figures)
    write(results_folder / "rename_guard.json", figures)
    share, times = felt["guarded"].rate / felt["unguarded"].rate, felt["guarded"].times
    measured(
        f"p99 of live traffic during a backfill of {INVOICES:,} rows with `--latency-guard {GUARD}`"
        " (two workers), against calm",
        f"{times:.1f} times (without it {felt['unguarded'].times:.1f})",
        f"at most {GUARD}",
        met=times <= GUARD,
    )
    measured(
        f"speed of that backfill, against the same without the guard ({INVOICES:,} rows)",
        f"{share:.0%}",
        f"at least {LEAST_SPEED:.0%}",
        met=share >= LEAST_SPEED,
    )
    assert share >= LEAST_SPEED
    assert times <= GUARD
