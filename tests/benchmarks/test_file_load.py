"""A million lines: their memory, and their time against a COPY of the same values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import asyncpg
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.benchmarks.memory import PEAK

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

LINES = 1_000_000
ALLOWED_MB = 150
PROBE = r"""
import asyncio, json, sys, time
from invoicing.db import Database
from invoicing.load import load_files
from invoicing.settings import Settings

async def run():
    async with Database(sys.argv[1], Settings()) as database:
        return await load_files(
            database, accounts=sys.argv[2], invoices=sys.argv[3], lines=sys.argv[4]
        )

if sys.argv[4].endswith(".parquet"):
    import pyarrow.parquet
before, begun = peak(), time.monotonic()
report = asyncio.run(run())
print(json.dumps([report.rows, peak() - before, time.monotonic() - begun]))
"""
pytestmark = [
    pytest.mark.bench,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc"),
]


def write_files(folder: Path) -> list[Path]:
    accounts, invoices, lines = (
        folder / f"{kind}.csv" for kind in ("accounts", "invoices", "lines")
    )
    accounts.write_text("id,name,plan\nA,Aurora,team\n")
    with invoices.open("w") as file:
        file.write("id,account_id,amount_cents,currency\n")
        file.writelines(f"I-{number},A,3000,EUR\n" for number in range(LINES // 3 + 1))
    with lines.open("w") as file:
        file.write("id,invoice_id,description,total_cents\n")
        file.writelines(f"L-{n},I-{n // 3},Seats for the team,1000\n" for n in range(LINES))
    return [accounts, invoices, lines]


def load(url: URL, files: list[Path]) -> tuple[int, float, float]:
    text = url.set(drivername="postgresql").render_as_string(hide_password=False)
    ended = subprocess.run(
        [sys.executable, "-c", PEAK + PROBE, text, *map(str, files)],
        capture_output=True, text=True, check=True, env=os.environ | {"DATABASE_URL": text},
    )  # fmt: skip
    rows, grown, seconds = json.loads(ended.stdout)
    return rows, grown, seconds


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
async def test_a_million_lines_load_in_bounded_memory(
    migrated_database_url, tmp_path, suffix, measured
):
    files = write_files(tmp_path)
    if suffix == ".parquet":
        files[2] = tmp_path / "lines.parquet"
        pyarrow.parquet.write_table(pyarrow.csv.read_csv(tmp_path / "lines.csv"), files[2])
    rows, grown, seconds = load(migrated_database_url, files)
    again_rows, _, again = load(migrated_database_url, files)
    bare = await copied(migrated_database_url)
    print(
        f"\n{suffix}: {rows:,} rows, {rows / seconds:,.0f} a second, {grown:,.0f} MB more"
        f" than before; unchanged again in {again / seconds:.2f} of that time; a bare COPY of the"
        f" lines alone takes {bare / seconds:.2f} of it"
    )
    measured(
        f"memory of loading {LINES:,} lines from a file ({suffix[1:]})",
        f"{grown:,.0f} MB more than before",
        f"at most {ALLOWED_MB} MB",
    )
    assert again_rows == rows
    assert rows > LINES
    assert grown > 0
    assert grown < ALLOWED_MB


async def copied(url: URL) -> float:
    """Return the seconds that COPY alone needs to write the lines to a table without indexes."""
    text = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(text)
    query = "SELECT id, invoice_id, description, total_cents FROM invoice_line"
    rows = await connection.fetch(query)
    await connection.execute("CREATE TABLE bare (a uuid, b uuid, c text, d bigint)")
    begun = time.monotonic()
    await connection.copy_records_to_table("bare", records=(tuple(row) for row in rows))
    await connection.close()
    return time.monotonic() - begun
