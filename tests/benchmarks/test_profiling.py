"""What the recorder costs: CPU time for each statement, with it and without it, in turns."""

from __future__ import annotations

import gc
import json
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from invoicing.toolkit.profiling import record_queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from invoicing.db import Database

STATEMENTS = 150
TURNS = 40
# Of CPU time on a busy machine; the figure to look at is the one printed.
LIMIT = 1.25


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "profiling_row"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def one_row(number: int) -> object:
    return select(Row).where(Row.id == number % 100 + 1)


async def a_session_each(database: Database) -> float:
    began = process_time()
    for number in range(STATEMENTS):
        async with AsyncSession(database.engine) as session:
            (await session.execute(one_row(number))).scalar_one()
    return (process_time() - began) / STATEMENTS


async def one_session(database: Database) -> float:
    async with AsyncSession(database.engine) as session:
        (await session.execute(one_row(0))).scalar_one()
        began = process_time()
        for number in range(STATEMENTS):
            (await session.execute(one_row(number))).scalar_one()
        return (process_time() - began) / STATEMENTS


async def ratio(way: Callable[[Database], Awaitable[float]], database: Database) -> list[float]:
    """Return the CPU microseconds of a statement without and with the recorder, and the ratio."""
    without, recorded = [], []
    gc.collect()
    gc.freeze()
    try:
        for _ in range(TURNS):
            gc.collect()
            without.append(await way(database))
            gc.collect()
            async with record_queries(database) as recorder:
                recorded.append(await way(database))
            assert len(recorder) >= STATEMENTS
            assert recorder.lost == 0
    finally:
        gc.unfreeze()
    # The first turns warm the caches up. Neighbours are compared: the machine's pace changes.
    pairs = [*zip(without, recorded, strict=True)][TURNS // 8 :]
    middle = [median(times) * 1e6 for times in zip(*pairs, strict=True)]
    return [*middle, median(after / before for before, after in pairs)]


@pytest.mark.bench
async def test_recording_costs_little(
    bench_database: Database, results_folder: Path, measured: Callable[..., None]
) -> None:
    async with bench_database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        rows = "INSERT INTO profiling_row SELECT n, 'name' FROM generate_series(1, 100) n"
        await connection.execute(text(rows))
    figures = {
        way.__name__: await ratio(way, bench_database) for way in (a_session_each, one_session)
    }
    console = Console(width=120)
    for name, (without, recorded, factor) in figures.items():
        console.print(
            f"recorder, {name.replace('_', ' ')}: {without:.0f} us of CPU a statement, "
            f"{recorded:.0f} us recorded: {factor - 1:+.1%}"
        )
        measured(
            f"CPU of recording a statement (`record_queries`), {name.replace('_', ' ')}",
            f"{factor - 1:.0%} more",
            f"under {LIMIT - 1:.0%}",
        )
    (results_folder / "profiling.json").write_text(json.dumps(figures, indent=2))
    assert all(factor < LIMIT for _, _, factor in figures.values())
