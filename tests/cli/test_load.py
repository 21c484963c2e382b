from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from tests.cli.here import PROGRAM, run_apart
from tests.load.conftest import contents
from tests.load.test_ready_mappings import XERO

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

EXAMPLES = Path(__file__).parents[1] / "load" / "examples"
FILES = [str(EXAMPLES / name) for name in ("accounts.csv", "invoices.csv", "lines.csv")]
NOTHING = {"account": [], "invoice": [], "invoice_line": []}


def address(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def environment(url: URL) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": address(url)}


def invoicing_load(url: URL, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_apart(environment(url), "load", *arguments, cwd=cwd)


async def test_the_three_files_load(database, tmp_path):
    ended = invoicing_load(database.url, tmp_path, *FILES)
    assert ended.returncode == 0, ended.stderr
    assert "Loaded: 12 rows" in ended.stdout
    assert "Reading lines: 5 rows" in ended.stderr
    assert len((await contents(database))["invoice_line"]) == 5


async def test_what_was_loaded_is_what_was_written(database, tmp_path):
    """Counted by the database: rows that are there, and rows that were written again (xmin)."""

    def load(accounts: str, *options: str) -> str:
        (tmp_path / "accounts.csv").write_text(f"id,name,plan\n{accounts}")
        return invoicing_load(database.url, tmp_path, "accounts.csv", *options).stdout

    async def written(before: list[tuple]) -> int:
        return len({*(await contents(database))["account"]} - {*before})

    def of(shown: str) -> str:
        return shown.splitlines()[-1].partition(";")[0]

    assert of(load("1,Acme,team\n2,Brandt,free\n")) == "Loaded: 2 rows"
    before = (await contents(database))["account"]
    assert of(load("1,Acme,team\n2,Brandt,free\n")) == "Loaded: 0 rows, 2 unchanged"
    assert await written(before) == 0
    changed = "1,Acme,team\n2,Brandt,team\n3,Cobalt,free\n3,Twice,free\n,Bad,free\n"
    assert of(load(changed)) == "Checked, and nothing loaded, 2 rejected"
    assert await written(before) == 0
    shown = of(load(changed.replace("3,Twice,free\n,Bad,free\n", ""), "--dry-run"))
    assert shown == "Checked, and nothing loaded: 2 rows would be, 1 unchanged"
    assert await written(before) == 0
    assert of(load(changed, "--skip-bad")) == "Loaded: 2 rows, 1 unchanged, 2 rejected"
    assert await written(before) == 2


async def test_json_is_all_of_stdout(database, tmp_path):
    ended = invoicing_load(database.url, tmp_path, *FILES, "--json", "--dry-run")
    report = json.loads(ended.stdout)
    assert [file["inserted"] for file in report["files"]] == [3, 4, 5]
    assert not report["loaded"]
    assert await contents(database) == NOTHING


async def test_bad_rows_end_with_1_and_one_line(database, tmp_path):
    bad = str(EXAMPLES / "invoices-bad.csv")
    ended = invoicing_load(database.url, tmp_path, FILES[0], bad, "--show", "1")
    assert ended.returncode == 1
    assert "invoices-bad.csv:3: account_id 'A-9'" in ended.stdout
    assert "and 3 more bad rows" in ended.stdout
    assert "fractional-cents" in ended.stdout
    assert "4 of 8 rows are bad. Nothing was loaded" in ended.stderr.splitlines()[-1]
    assert await contents(database) == NOTHING
    assert list(tmp_path.iterdir()) == []


async def test_skip_bad_writes_a_rejects_file_of_its_own(database, tmp_path):
    bad = str(EXAMPLES / "invoices-bad.csv")
    ended = invoicing_load(database.url, tmp_path, FILES[0], bad, "--skip-bad")
    assert ended.returncode == 0, ended.stderr
    (rejects,) = tmp_path.glob("rejects-*.csv")
    assert len(rejects.read_text().splitlines()) == 5
    assert len((await contents(database))["invoice"]) == 1


async def test_invoices_may_come_alone(database, tmp_path):
    invoicing_load(database.url, tmp_path, FILES[0])
    ended = invoicing_load(database.url, tmp_path, "--invoices", FILES[1], "--lines", FILES[2])
    assert ended.returncode == 0, ended.stderr


async def test_what_cannot_be_meant_ends_with_2(database, tmp_path):
    for arguments in ([], ["absent.csv"], [FILES[1]], [*FILES, "--lines", FILES[2]]):
        ended = invoicing_load(database.url, tmp_path, *arguments)
        assert ended.returncode == 2
        assert len(ended.stderr.splitlines()) == 1


async def test_a_load_killed_at_any_moment_leaves_nothing(database, tmp_path):
    lines = tmp_path / "lines.csv"
    with lines.open("w") as file:
        file.write("id,invoice_id,total_cents\n")
        file.writelines(f"{number},INV-1001,1\n" for number in range(60_000))
    for moment in ("Reading lines", "Writing lines"):
        with subprocess.Popen(
            [*PROGRAM, "load", *FILES[:2], str(lines)],
            env=environment(database.url),
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        ) as process:  # fmt: skip
            assert any(moment in line for line in process.stderr)
            process.send_signal(signal.SIGKILL)
        await others_gone(database.url)
        assert await contents(database) == NOTHING
    assert invoicing_load(database.url, tmp_path, *FILES[:2], str(lines)).returncode == 0


async def others_gone(url: URL) -> None:
    connection = await asyncpg.connect(address(url))
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    give_up = time.monotonic() + 60
    while await connection.fetchval(query):
        assert time.monotonic() < give_up
        await asyncio.sleep(0.1)
    await connection.close()


def test_help_has_an_example_and_every_column():
    ended = run_apart(os.environ, "load", "--help", check=True)
    assert "invoicing load accounts.csv invoices.csv lines.csv" in ended.stdout
    assert "total_cents: whole minor units of the invoice" in ended.stdout


async def test_a_suggestion_is_printed_or_written_and_a_mapping_loads_by_its_name(
    database, tmp_path
):
    (tmp_path / "xero.csv").write_text(XERO["SalesInvoices.csv"])
    printed = invoicing_load(database.url, tmp_path, "--suggest", "xero.csv")
    assert printed.returncode == 0, printed.stderr
    written = invoicing_load(database.url, tmp_path, "--suggest", "xero.csv", "--out", "own.toml")
    assert printed.stdout == (tmp_path / "own.toml").read_text()
    again = invoicing_load(database.url, tmp_path, "--suggest", "xero.csv", "--out", "own.toml")
    assert (written.returncode, again.returncode) == (0, 2)
    dry = invoicing_load(database.url, tmp_path, "--map", "xero", "xero.csv", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    for shown in (
        "1,200.00 GBP",
        "-24.00 GBP",
        "cells are between ','",
        "left out by skip or only",
    ):
        assert shown in dry.stdout
    assert await contents(database) == NOTHING
    loaded = invoicing_load(database.url, tmp_path, "--map", "xero", "xero.csv")
    assert "In the database now" in loaded.stdout
    assert "1,176.00 GBP" in loaded.stdout
    assert loaded.stdout.splitlines()[-1].startswith("Loaded: 7 rows")


async def test_options_that_do_not_go_with_a_mapping_end_with_2(database, tmp_path):
    for arguments in (
        ["--map", "absent.toml"],
        ["--map", "xero", "--lines", FILES[2]],
        ["--map", "xero", *FILES],
        ["--suggest"],
        ["--show-map"],
        [FILES[0], "--encoding", "utf-99"],
    ):
        ended = invoicing_load(database.url, tmp_path, *arguments)
        assert ended.returncode == 2, ended.stdout
        assert len(ended.stderr.splitlines()) == 1
    shown = invoicing_load(database.url, tmp_path, "--show-map", "--map", "xero")
    assert "[accounts]" in shown.stdout
