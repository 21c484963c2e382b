"""Loading a sample, against the best single `INSERT ... SELECT` of the very same rows.

Both write the three tables and then build the same indexes and foreign keys, with the same memory.
The rival has no rows to make and no wire to cross: it copies, within the server, from tables that
hold exactly what the sample loaded, into tables that were emptied in its own transaction.
`INVOICING_BENCH_INVOICES` says how many invoices (8,000,000 if not set).
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.table import Table

from invoicing.sample import load_sample
from invoicing.sample.load import TABLES, set_sort_memory
from invoicing.sample.rebuild import find_removable
from tests.benchmarks.conftest import INVOICES, INVOICES_AN_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.db import Database
    from invoicing.sample import SampleProgress

ACCOUNTS = max(INVOICES // INVOICES_AN_ACCOUNT, 1)
GOAL = 1 / 3


async def copy_within_server(database: Database) -> tuple[float, float]:
    """Refill the tables from copies of them; return the seconds for rows, and for all."""
    async with database.transaction() as session:
        connection = await session.connection()
        for table in TABLES:
            await connection.exec_driver_sql(f"CREATE TABLE copy_of_{table} AS TABLE {table}")
    # What the copying left behind is not the rival's to write out.
    async with database.engine.connect() as plain:
        await plain.execution_options(isolation_level="AUTOCOMMIT")
        await plain.exec_driver_sql("VACUUM (FREEZE, ANALYZE)")
        await plain.exec_driver_sql("CHECKPOINT")
    began = perf_counter()
    async with database.transaction() as session:
        connection = await session.connection()
        await set_sort_memory(session)
        await connection.exec_driver_sql(f"TRUNCATE {', '.join(TABLES)}")
        removed = await find_removable(session, TABLES)
        for part in removed:
            await connection.exec_driver_sql(part.drop)
        for table in TABLES:
            await connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM copy_of_{table}")
        rows_seconds = perf_counter() - began
        for part in reversed(removed):
            for statement in part.restore:
                await connection.exec_driver_sql(statement)
        for table in TABLES:
            await connection.exec_driver_sql(f"ANALYZE {table}")
    return rows_seconds, perf_counter() - began


@pytest.mark.bench
async def test_a_sample_loads_at_a_third_of_the_server_s_own_speed_or_better(
    bench_database: Database, measured: Callable[..., None]
) -> None:
    stages: dict[str, float] = {}

    def note(progress: SampleProgress) -> None:
        stages[progress.stage] = progress.seconds

    began = perf_counter()
    loaded = await load_sample(
        bench_database, accounts=ACCOUNTS, invoices=INVOICES, replace=True, progress=note
    )
    sample = (stages["rows"], perf_counter() - began)
    rival = await copy_within_server(bench_database)
    _show(loaded.rows, sample, rival)
    measured(
        f"a sample of {INVOICES:,} invoices, against the server's own `INSERT ... SELECT`",
        f"{rival[1] / sample[1]:.2f} of its speed",
        "a third",
    )
    assert rival[1] / sample[1] >= GOAL


def _show(rows: int, sample: tuple[float, float], rival: tuple[float, float]) -> None:
    table = Table(title=f"{rows:,} rows in three tables ({INVOICES:,} invoices)")
    table.add_column("")
    for name in ("rows sent, a second", "with indexes and keys, a second"):
        table.add_column(name, justify="right")
    table.add_row("invoicing sample", *(f"{rows / seconds:,.0f}" for seconds in sample))
    table.add_row("INSERT ... SELECT", *(f"{rows / seconds:,.0f}" for seconds in rival))
    ratios = (theirs / ours for ours, theirs in zip(sample, rival, strict=True))
    table.add_row("ratio", *(f"{ratio:.2f}" for ratio in ratios))
    Console(width=100).print(table)
