"""Loading strategies as collections grow: rows, bytes, time and memory, and the factor to the best.

Evidence (statements, rows) are asserted; of times and memory only that the factors are printed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.table import Table

from invoicing.notebook import Stage, plot_loading
from invoicing.sample import drop_stage, open_stage
from invoicing.sample.stage_models import Customer
from invoicing.toolkit.profiling import Strategy, compare_loading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

    from invoicing.toolkit.profiling import LoadingComparison

CUSTOMERS, ORDERS = 20, (1, 10, 100, 1000)
FIGURES = ("rows", "bytes_received", "seconds", "peak_memory")


@pytest.mark.bench
async def test_strategies_as_collections_grow(
    bench_server: URL, results_folder: Path, measured: Callable[..., None]
) -> None:
    stage = await open_stage(bench_server, customers=CUSTOMERS, orders=ORDERS)
    try:
        comparison = await compare_loading(
            stage, Stage.customers, Customer.orders, sizes=ORDERS, runs=5
        )
    finally:
        await drop_stage(stage)
    show(comparison)
    frame = comparison.to_frame().drop(columns=["raised"])
    (results_folder / "loading.json").write_text(
        json.dumps(json.loads(frame.to_json(orient="records")), indent=2)
    )
    plot_loading(comparison, FIGURES).savefig(results_folder / "loading.png", dpi=120)
    selectin, joined, lazy = (
        comparison.of(strategy)[-1]
        for strategy in (Strategy.SELECTIN, Strategy.JOINED, Strategy.LAZY)
    )
    assert (selectin.statements, joined.statements, lazy.statements) == (2, 1, 1 + CUSTOMERS)
    measured(
        f"bytes of `joinedload` against `selectinload`, {CUSTOMERS} parents with"
        f" {comparison.sizes[-1]:,} children each",
        f"{joined.bytes_received / selectin.bytes_received:.1f} times",
    )
    assert joined.bytes_received > 2 * selectin.bytes_received
    assert comparison.recommended is Strategy.SELECTIN


def show(comparison: LoadingComparison) -> None:
    table = Table(title=f"{CUSTOMERS} customers, and what each strategy costs")
    for name in ("orders", "strategy", "statements"):
        table.add_column(name, justify="right")
    for name in ("rows", "KB", "ms", "memory KB"):
        table.add_column(f"{name} (to the best)", justify="right")
    for size in comparison.sizes:
        rows = [row for row in comparison.measured if row.size == size and not row.raised]
        best = {name: min(getattr(row, name) for row in rows) for name in FIGURES}
        for row in rows:
            cells = []
            for name, unit in zip(FIGURES, (1, 1e-3, 1e3, 1e-3), strict=True):
                value = getattr(row, name)
                cells.append(f"{value * unit:,.0f} ({value / best[name]:.1f}x)")
            table.add_row(f"{size:,}", str(row.strategy), f"{row.statements}", *cells)
    Console(width=120).print(table)
