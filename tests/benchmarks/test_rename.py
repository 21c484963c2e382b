"""Filling the new column: ours against the usual ways, and what live traffic notices of it.

Every way begins on its own copy of one table, freshly loaded, its pages full, with five indexes
and the trigger that keeps `updated_at`. What is asserted are ratios within this one run.
`INVOICING_BENCH_INVOICES` says how many invoices (8,000,000 if not set).
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

import pytest
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from invoicing.db import Database
from invoicing.db.migrations import upgrade
from invoicing.practice import NEW_CODE, Traffic
from invoicing.sample import load_sample
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from tests.benchmarks.conftest import INVOICES, INVOICES_AN_ACCOUNT
from tests.benchmarks.naive_renames import (
    connect,
    keyset_batches,
    offline_rewrite,
    plain_update,
)
from tests.conftest import execute
from tests.rename.state import counts_of, gate_opens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL

    from invoicing.practice import TrafficFigures

TARGET = Target("invoice", "amt", "amount_cents")
OPTIONS = Options(workers=2)
# Half of the cores for others. Whoever commits in the middle of a batch waits until the log of all
# it has written so far is on disk: a small batch is a short wait, and costs a tenth more time.
CONSIDERATE = Options(workers=1, batch_size=250)
OURS, OFFLINE = "invoicing rename backfill", "offline rewrite (no other session)"
CLIENTS, RATE = 8, 40
# Seconds of traffic without a backfill, to compare with.
CALM = 30
# How long clients of ours have waited for a lock by now.
WAITING = """
    SELECT extract(epoch FROM max(clock_timestamp() - waitstart))::float8
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND application_name LIKE 'invoicing % code'
"""
SIZES = "SELECT pg_table_size('invoice'), pg_indexes_size('invoice')"


@dataclass(frozen=True)
class Result:
    """One way: seconds, and how many times its size at first the table and the indexes have."""

    seconds: float
    table: float
    indexes: float


@pytest.fixture(scope="module")
def full_table(bench_server: URL) -> Iterator[URL]:
    """Yield a database with the invoices as before the rename, to be copied."""
    url = bench_server.set(database="bench_rename")

    async def make() -> None:
        await execute(bench_server, f"DROP DATABASE IF EXISTS {url.database} WITH (FORCE)")
        await execute(bench_server, f"CREATE DATABASE {url.database}")
        async with Database(url, Settings()) as database:
            await upgrade(database)
            accounts = max(INVOICES // INVOICES_AN_ACCOUNT, 1)
            await load_sample(database, accounts=accounts, invoices=INVOICES)
        # The lines have no part in it, and three quarters of the disk.
        await execute(
            url,
            "DROP TABLE invoice_line",
            "ALTER TABLE invoice RENAME amount_cents TO amt",
            "VACUUM (FREEZE, ANALYZE) invoice",
        )

    asyncio.run(make())
    yield url
    asyncio.run(execute(bench_server, f"DROP DATABASE {url.database} WITH (FORCE)"))


async def on_a_copy(full_table: URL, use: Callable[[URL], Awaitable[None]]) -> None:
    server = full_table.set(database="postgres")
    copy = full_table.set(database="bench_rename_copy")
    await execute(server, f"DROP DATABASE IF EXISTS {copy.database} WITH (FORCE)")
    template = f"TEMPLATE {full_table.database} STRATEGY FILE_COPY"
    await execute(server, f"CREATE DATABASE {copy.database} {template}", "CHECKPOINT")
    try:
        await use(copy)
    finally:
        await execute(server, f"DROP DATABASE {copy.database} WITH (FORCE)")


async def sizes(url: URL) -> tuple[int, int]:
    connection = await connect(url)
    table, indexes = await connection.fetchrow(SIZES)
    await connection.close()
    return table, indexes


async def ours(url: URL) -> None:
    async with Database(url, Settings()) as database:
        rename = Rename(database, TARGET, OPTIONS)
        await rename.expand()
        assert (await rename.backfill()).completed


WAYS: dict[str, Callable[[URL], Awaitable[None]]] = {
    "one plain UPDATE": plain_update,
    "keyset batches of 5,000": keyset_batches,
    OURS: ours,
    OFFLINE: offline_rewrite,
}


async def measure(full_table: URL, way: Callable[[URL], Awaitable[None]]) -> Result:
    results = []

    async def use(copy: URL) -> None:
        before = await sizes(copy)
        began = perf_counter()
        await way(copy)
        seconds = perf_counter() - began
        after = await sizes(copy)
        assert (await counts_of(copy))[1:] == (0, 0)
        results.append(Result(seconds, after[0] / before[0], after[1] / before[1]))

    await on_a_copy(full_table, use)
    return results[0]


@pytest.mark.bench
def test_a_backfill_against_the_usual_ways(
    full_table: URL, results_folder: Path, measured: Callable[..., None]
) -> None:
    results = {name: asyncio.run(measure(full_table, way)) for name, way in WAYS.items()}
    show(results)
    write(results_folder / "rename.json", {name: asdict(way) for name, way in results.items()})
    draw_ways(results).savefig(results_folder / "rename.png", dpi=120)
    mine = results[OURS]
    plain, keyset = results["one plain UPDATE"], results["keyset batches of 5,000"]
    filled = f"a backfill of {INVOICES:,} rows (two workers)"
    measured(
        f"{filled}, against one plain `UPDATE`",
        f"{plain.seconds / mine.seconds:.1f} times its speed",
        "4",
    )
    measured(
        f"{filled}, against keyset batches of 5,000",
        f"{keyset.seconds / mine.seconds:.1f} times their speed",
        "4",
        met=keyset.seconds / mine.seconds >= 4,
    )
    measured(
        f"{filled}, against an offline rewrite",
        f"{mine.seconds / results[OFFLINE].seconds:.1f} times its time",
        "at most 2.5",
    )
    measured(
        "the table and its five indexes afterwards, against before",
        f"{mine.table:.2f} and {mine.indexes:.2f} times",
        "at most 1.3",
    )
    assert results["one plain UPDATE"].seconds / mine.seconds >= 4
    # Four times keyset batches would be the speed of the offline rewrite, which logs next to
    # nothing: with random keys such batches are stripes too, and stay on their pages as well.
    assert results["keyset batches of 5,000"].seconds / mine.seconds >= 1.5
    assert mine.seconds / results[OFFLINE].seconds <= 2.5
    assert mine.table <= 1.3
    assert mine.indexes <= 1.3


@pytest.mark.bench
def test_the_instant_way_takes_no_time(
    full_table: URL, results_folder: Path, measured: Callable[..., None]
) -> None:
    seconds: dict[str, float] = {}

    async def use(copy: URL) -> None:
        async with Database(copy, Settings()) as database:
            rename = Rename(database, TARGET, Options(strategy="view"))
            began = perf_counter()
            await rename.expand()
            seconds["expand"] = perf_counter() - began
            # Nothing to fill; it says so.
            await rename.backfill()
            await rename.verify()
            await gate_opens(rename)
            began = perf_counter()
            await rename.contract(confirm="invoice.amt")
            seconds["contract"] = perf_counter() - began

    asyncio.run(on_a_copy(full_table, use))
    Console().print({name: f"{1000 * took:.0f} ms" for name, took in seconds.items()})
    write(results_folder / "rename_view.json", seconds)
    measured(
        f"the instant way at {INVOICES:,} rows: expand, contract",
        f"{1000 * seconds['expand']:.0f} ms, {1000 * seconds['contract']:.0f} ms",
        "2 s together",
    )
    # No row is rewritten: milliseconds, whatever the machine, where a rewrite takes minutes.
    assert sum(seconds.values()) < 2


@dataclass
class Noticed:
    """What traffic noticed in each phase, every request it had, and when each phase began."""

    figures: dict[str, TrafficFigures]
    history: list[tuple[float, float]]
    began: dict[str, float]
    lock_waits: list[float]


@asynccontextmanager
async def lock_waits(url: URL, waits: list[float]) -> AsyncIterator[None]:
    """Look every few milliseconds how long clients are waiting for a lock just then."""
    connection = await connect(url)

    async def watch() -> None:
        while True:
            waits.append(await connection.fetchval(WAITING) or 0.0)
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        connection.terminate()


async def under_traffic(url: URL, noticed: Noticed) -> None:
    """Rename from end to end while old and new clients are at work."""
    async with (
        Database(url, Settings()) as database,
        Traffic(url, clients=CLIENTS, rate=RATE, adopt=5_000) as traffic,
        lock_waits(url, noticed.lock_waits),
    ):
        rename = Rename(database, TARGET, CONSIDERATE)

        async def phase(name: str, work: Awaitable[object]) -> None:
            noticed.began[name] = traffic.elapsed
            mark = traffic.mark()
            await work
            noticed.figures[name] = traffic.figures(mark)

        await asyncio.sleep(3)
        await phase("nothing else", asyncio.sleep(CALM))
        await phase("expand", rename.expand())
        traffic.join(NEW_CODE, 2, blind=True)
        await phase("backfill", rename.backfill())
        await phase("verify", rename.verify())
        await phase("deploy", traffic.deploy(over=5))
        await traffic.drain(traffic.old)
        await gate_opens(rename)
        await phase("contract", rename.contract(confirm="invoice.amt"))
        await phase("afterwards", asyncio.sleep(5))
        noticed.history = traffic.history
    report = await traffic.verify(NEW_CODE)
    assert report.intact, report.differences[:5]


@pytest.mark.bench
def test_what_live_traffic_notices_of_a_rename(
    full_table: URL, results_folder: Path, measured: Callable[..., None]
) -> None:
    noticed = Noticed({}, [], {}, [])
    asyncio.run(on_a_copy(full_table, lambda copy: under_traffic(copy, noticed)))
    show_traffic(noticed.figures)
    longest = 1000 * max(noticed.lock_waits)
    Console().print(f"Longest wait of a client for a lock: {longest:.0f} ms")
    write(
        results_folder / "rename_traffic.json",
        {
            name: {"p50": run.p50, "p99": run.p99, "longest": run.longest, "requests": run.done}
            for name, run in noticed.figures.items()
        },
    )
    draw_traffic(noticed).savefig(results_folder / "rename_traffic.png", dpi=120)
    assert not [failure for figure in noticed.figures.values() for failure in figure.failures]
    calm, backfill = noticed.figures["nothing else"], noticed.figures["backfill"]
    measured(
        "p99 of live traffic during a backfill (one worker, batches of 250), against calm",
        f"{backfill.p99 / calm.p99:.1f} times",
        "at most 2",
        met=backfill.p99 <= 2 * calm.p99,
    )
    measured(
        "the longest a client waited for a lock, in the whole rename",
        f"{longest:.0f} ms, looked at every 5 ms",
        "under 250 ms",
    )
    assert backfill.p99 <= 2 * calm.p99
    assert max(noticed.lock_waits) < 0.25


def show(results: dict[str, Result]) -> None:
    table = Table(title=f"{INVOICES:,} rows, five indexes")
    table.add_column("")
    for name in ("seconds", "against plain", "table", "indexes"):
        table.add_column(name, justify="right")
    plain = results["one plain UPDATE"].seconds
    for name, result in results.items():
        table.add_row(
            name,
            f"{result.seconds:,.1f}",
            f"{plain / result.seconds:.1f}x",
            f"{result.table:.2f}x",
            f"{result.indexes:.2f}x",
        )
    Console(width=100).print(table)


def show_traffic(figures: dict[str, TrafficFigures]) -> None:
    table = Table(title=f"{RATE} requests a second of old and new code, ms")
    table.add_column("meanwhile")
    for name in ("seconds", "requests", "failed", "p50", "p99", "longest"):
        table.add_column(name, justify="right")
    for name, seen in figures.items():
        latencies = (f"{1000 * value:.1f}" for value in (seen.p50, seen.p99, seen.longest))
        table.add_row(name, f"{seen.seconds:.1f}", f"{seen.done:,}", f"{seen.failed:,}", *latencies)
    Console(width=100).print(table)


def write(path: Path, figures: dict[str, object]) -> None:
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    head = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "rows": INVOICES}
    path.write_text(json.dumps(head | {"figures": figures}, indent=2))


def draw_ways(results: dict[str, Result]) -> Figure:

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes, sizes = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    names = [*results][::-1]
    bars = axes.barh(names, [results[name].seconds for name in names], color="#c6d9ec", ec="black")
    bars[names.index(OURS)].set(color="#1f4e79", hatch="///", edgecolor="white")
    plain = results["one plain UPDATE"].seconds
    axes.bar_label(bars, [f"{plain / results[name].seconds:.1f}x" for name in names], padding=3)
    axes.set_xlabel("seconds (and how many times the speed of one plain UPDATE)")
    axes.margins(x=0.15)
    speed = plain / results[OURS].seconds
    axes.set_title(f"{INVOICES:,} rows: {speed:.1f} times the speed of one UPDATE", loc="left")
    places = range(len(names))
    for shift, kind, colour in ((0.2, "table", "#c6d9ec"), (-0.2, "indexes", "#1f4e79")):
        heights = [getattr(results[name], kind) for name in names]
        sizes.barh([p + shift for p in places], heights, 0.4, color=colour, ec="black", label=kind)
    sizes.axvline(1, color="black", linestyle=":")
    sizes.set_xlabel("size afterwards (1 = before)")
    sizes.legend(frameon=False)
    return figure


def draw_traffic(noticed: Noticed) -> Figure:

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(
        [end for end, _ in noticed.history],
        [1000 * took for _, took in noticed.history],
        s=2,
        color="#1f4e79",
        rasterized=True,
    )
    for place, (name, began) in enumerate(noticed.began.items()):
        axes.axvline(began, color="black", linestyle=":", linewidth=0.8)
        # Some phases are over at once: their names stand below each other.
        at = (began, 0.98 - 0.32 * (place % 2))
        axes.annotate(name, at, xycoords=("data", "axes fraction"), rotation=90, va="top")
    axes.set_yscale("log")
    axes.set_xlabel("seconds")
    axes.set_ylabel("latency, ms")
    longest = max(figure.longest for figure in noticed.figures.values())
    done = sum(figure.done for figure in noticed.figures.values())
    axes.set_title(
        f"{done:,} requests, none failed; the longest took {1000 * longest:.0f} ms", loc="left"
    )
    return figure
