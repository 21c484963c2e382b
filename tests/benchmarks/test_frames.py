"""A million rows to a DataFrame: ours against pandas.read_sql and what else there is.

Each way runs in a process of its own, so that its peak memory is its own. Ways whose package is not
installed are left out (psycopg, adbc-driver-postgresql, connectorx).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.memory import PEAK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

pytestmark = [
    pytest.mark.bench,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc"),
]
ROWS = int(os.environ.get("INVOICING_BENCH_FRAME_ROWS", "1_000_000"))
COLUMNS = "id, account_id, amount_cents, currency, status, issued_at, created_at"
RUNS = 3
PROGRAM = """
import asyncio, json, os, sys, time
import pandas as pd
url, query, way = os.environ["BENCH_URL"], os.environ["BENCH_QUERY"], sys.argv[1]
{prepare}
before, began = peak(), time.perf_counter()
{work}
took = time.perf_counter() - began
print(json.dumps([took, peak() - before, len(found), found.memory_usage(deep=False).sum() / 1e6]))
"""
OURS = """
async def read():
    async with Database(url) as database:
        return await read_frame(database, text(query))
found = asyncio.run(read())
"""
FETCH = """
async def read():
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(query)
    return pd.DataFrame([tuple(row) for row in rows], columns=list(rows[0].keys()))
found = asyncio.run(read())
"""
READ_SQL = """
import sqlalchemy as sa, psycopg
engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
"""
ADBC = """
with adbc.connect(url) as connection, connection.cursor() as cursor:
    cursor.execute(query)
    found = cursor.fetch_arrow_table().to_pandas(self_destruct=True, split_blocks=True)
"""
IMPORTS = """
from sqlalchemy import text
from invoicing.db import Database
from invoicing.notebook import read_frame
"""
# What is imported or made before the clock runs, and what is measured.
WAYS = {
    "read_frame": (IMPORTS, OURS),
    "asyncpg fetch": ("import asyncpg", FETCH),
    "pandas.read_sql": (READ_SQL, "found = pd.read_sql(sa.text(query), engine)"),
    "ADBC": ("import adbc_driver_postgresql.dbapi as adbc", ADBC),
    "connectorx": ("import connectorx", "found = connectorx.read_sql(url, query)"),
}
NEEDS = {"pandas.read_sql": "psycopg", "ADBC": "adbc_driver_postgresql", "connectorx": "connectorx"}


def measure(way: str, url: URL) -> list[float]:
    prepare, work = WAYS[way]
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    query = f"SELECT {COLUMNS} FROM invoice LIMIT {ROWS}"
    run = subprocess.run(
        [sys.executable, "-c", PEAK + PROGRAM.format(prepare=prepare, work=work), way],
        env=os.environ | {"BENCH_URL": address, "BENCH_QUERY": query},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def test_a_million_rows_are_read_faster_and_in_less_memory(
    sample_of: Callable[[int], URL], results_folder: Path, measured: Callable[..., None]
) -> None:
    url = sample_of(ROWS)
    ways = [way for way in WAYS if way not in NEEDS or find_spec(NEEDS[way])]
    taken: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(RUNS):  # by turns, so that a slow minute of the machine meets all of them
        for way in ways:
            try:
                taken[way].append(measure(way, url))
            except AssertionError:
                if way != "connectorx":  # it has no way to a socket in a folder
                    raise
    figures = {
        way: [statistics.median(column) for column in zip(*runs, strict=True)]
        for way, runs in taken.items()
        if runs
    }
    (results_folder / "frames.json").write_text(json.dumps(figures, indent=2))
    ours = figures["read_frame"]
    for way in figures.keys() - {"read_frame"}:
        measured(
            f"`read_frame` of {ROWS:,} rows, against {way}",
            f"{figures[way][0] / ours[0]:.1f} times its speed, {ours[1] / figures[way][1]:.2f} of "
            "its memory",
            "as fast" if way == "pandas.read_sql" else "",
        )
    assert ours[2] == ROWS
    assert ours[0] <= figures["asyncpg fetch"][0]
    assert ours[1] <= figures["asyncpg fetch"][1]
    if "pandas.read_sql" in figures:
        assert ours[0] <= figures["pandas.read_sql"][0]
        assert ours[1] <= figures["pandas.read_sql"][1]
