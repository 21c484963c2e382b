"""`invoicing retype`: one command for all of it, killed in each phase and run again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.here import PROGRAM
from tests.cli.rename_line import CommandLine, environment
from tests.conftest import execute, fresh_database
from tests.rename.faults import fetch, idle_transaction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

ALL = ["retype", "bill", "amt", "bigint"]
ROWS = 3_000
PHASE = "SELECT phase FROM invoicing_rename.rename"
VALUES = "SELECT md5(string_agg(id::text || amt, ',' ORDER BY id)) FROM bill"
SHAPE = """SELECT string_agg(x, E'\\n' ORDER BY x) FROM (
    SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'bill'::regclass
    UNION ALL SELECT conname || pg_get_constraintdef(oid) || convalidated FROM pg_constraint
        WHERE conrelid = 'bill'::regclass
    UNION ALL SELECT attname || format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid = 'bill'::regclass AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT tgname FROM pg_trigger WHERE tgrelid = 'bill'::regclass) AS s (x)"""
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT txid_current()"
# In which phase it is killed, and what keeps it there meanwhile.
KILLED = {
    "expanding": "LOCK TABLE bill IN ACCESS SHARE MODE",
    "backfilling": "SELECT 1",  # nothing: it rests between batches
    "verifying": SNAPSHOT,
    "contracting": "LOCK TABLE bill IN ACCESS SHARE MODE",
}


@pytest.fixture
def url(empty_database_url: URL) -> URL:
    """Return the URL of a database of bills, whose amounts are integers."""
    make = (
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt int NOT NULL, note text, CHECK (amt > 0))",
        "CREATE UNIQUE INDEX of_it ON bill (amt, id)",
        "CREATE TABLE kind (number int) PARTITION BY LIST (number)",
        f"INSERT INTO bill SELECT n, n * 10, 'x' FROM generate_series(1, {ROWS}) AS n",
    )
    asyncio.run(execute(empty_database_url, *make))
    return empty_database_url


def ask(url: URL, query: str) -> str:
    return asyncio.run(fetch(url, query))


def kill_in(url: URL, phase: str) -> None:
    """Run all of it, and kill it as soon as the database says that it is in this phase."""
    arguments = [*ALL, "--yes", "--confirm", "bill.amt", "--batch-size", "500", "--pause", "0.5"]
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        env=environment(url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not _is_in(url, phase):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()


def _is_in(url: URL, phase: str) -> bool:
    async def ask() -> bool:
        there = await fetch(url, "SELECT to_regclass('invoicing_rename.rename') IS NOT NULL")
        return there and await fetch(url, PHASE) == phase

    return asyncio.run(ask())


async def killed_in(url: URL, phase: str) -> None:
    async with idle_transaction(url, KILLED[phase]):
        await asyncio.to_thread(kill_in, url, phase)
    await execute(url, "UPDATE bill SET note = 'y' WHERE id % 100 = 0")


def test_killed_in_each_phase_it_is_ended_by_the_same_command(url: URL) -> None:
    values, shape = ask(url, VALUES), ask(url, SHAPE)
    invoicing = CommandLine(url)
    for phase in KILLED:
        if phase == "contracting":
            assert "only the contract is left" in invoicing(*ALL, "--yes", typed=None).stdout
        asyncio.run(killed_in(url, phase))
    ended = invoicing(*ALL, "--yes", "--confirm", "bill.amt")
    assert ended.returncode == 0, ended.stderr
    assert ask(url, VALUES) == values
    assert ask(url, SHAPE) == shape.replace("amtinteger", "amtbigint")
    again = invoicing(*ALL, "--yes")
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True), again.stderr


def test_without_a_confirmation_it_stops_before_the_contract(url: URL) -> None:
    invoicing, shape = CommandLine(url), ask(url, SHAPE)
    asked = invoicing(*ALL, typed=None)
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    ended = invoicing(*ALL, "--yes", typed=None)
    assert ended.returncode == 0, ended.stderr
    assert "Next: invoicing retype contract bill amt --confirm bill.amt" in ended.stdout
    status = json.loads(invoicing("retype", "bill", "amt", "--yes", "--json", typed=None).stdout)
    assert status["phase"] == "verified"
    other = invoicing("retype", "bill", "amt", "numeric", "--yes", typed=None)
    assert (other.returncode, "Leave out the type" in other.stderr) == (2, True)
    assert "writes to the old name" not in invoicing("retype", "status", "bill", "amt").stdout
    wrong = invoicing("retype", "contract", "bill", "amt", "--confirm", "bill.id")
    assert (wrong.returncode, "bill.amt" in wrong.stderr) == (2, True)
    gate = invoicing("retype", "gate", "bill", "amt")
    # There is no old code to wait for.
    assert (gate.returncode, "Watching" in gate.stderr) == (0, False), gate.stderr
    wrong = invoicing("retype", "rollback", "bill", "amt", "--confirm", "bill.id")
    assert "the second column of bill.amt would be dropped" in wrong.stderr
    back = invoicing("retype", "rollback", "bill", "amt", "--confirm", "bill.amt")
    assert back.returncode == 0, back.stderr
    assert ask(url, SHAPE) == shape


def test_what_is_refused_is_said_and_nothing_is_changed(url: URL) -> None:
    invoicing, shape = CommandLine(url), ask(url, SHAPE)
    for arguments, code, said in (
        (["kind", "number", "bigint"], 1, "partition-key"),
        (["bill", "amt", "int4"], 0, "has its type already"),
        (["bill", "amt", "nothing"], 2, "nothing"),
        (["bill", "amt", "text", "--back", "nothing::int"], 2, "nothing"),
        (["bill", "amt"], 2, "no type was given"),
        (["bills", "amt", "bigint"], 2, "bills"),
        (["plan", "bill", "note", "int", "--using", "note::int"], 0, "retype expand bill note"),
        (["plan", "bill", "note", "int"], 2, "--using"),
    ):
        ended = invoicing("retype", *arguments)
        assert ended.returncode == code, (arguments, ended)
        assert said in ended.stdout + ended.stderr, (arguments, ended)
    assert ask(url, SHAPE) == shape


LOANS = (
    """CREATE TABLE loan (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    lent int REFERENCES loan, renewed int REFERENCES loan, book text NOT NULL)""",
    "CREATE TABLE fee (loan_id int REFERENCES loan, paid_with int REFERENCES loan)",
    "INSERT INTO loan (renewed, book) SELECT nullif(n / 2, 0), 'x' FROM generate_series(1, 9) AS n",
)
NARROW = "SELECT count(*) FROM pg_attribute WHERE atttypid = 'int'::regtype AND NOT attisdropped"
NARROW += " AND attrelid IN ('loan'::regclass, 'fee'::regclass) AND attnum > 0"


@pytest.fixture
async def newest_empty_url(newest_server_url: URL) -> AsyncIterator[URL]:
    async with fresh_database(newest_server_url) as url:
        yield url


@pytest.mark.parametrize(
    ("begun", "type_"),
    [
        (("loan", "renewed"), ["bigint"]),
        (("loan", "renewed"), []),
        (("loan", "id"), ["bigint"]),
    ],
)
def test_it_continues_whichever_column_of_the_key_is_under_way(
    newest_empty_url: URL, begun: tuple[str, str], type_: list[str]
) -> None:
    asyncio.run(execute(newest_empty_url, *LOANS))
    invoicing = CommandLine(newest_empty_url)
    assert invoicing("retype", "expand", *begun, "bigint", "--yes").returncode == 0
    ended = invoicing("retype", "run", "loan", "id", *type_, "--yes", "--confirm", "loan.id")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert ask(newest_empty_url, NARROW) == 0
    keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"
    keys += " AND conrelid IN ('loan'::regclass, 'fee'::regclass)"
    assert ask(newest_empty_url, keys) == 4
    assert ask(newest_empty_url, f"{PHASE} WHERE phase <> 'contracted'") is None


def test_it_continues_where_keys_of_one_name_refer_to_each_other(newest_empty_url: URL) -> None:
    tables = (
        "CREATE TABLE loan (id int PRIMARY KEY)",
        "CREATE TABLE fee (id int PRIMARY KEY REFERENCES loan)",
    )
    asyncio.run(execute(newest_empty_url, *tables))
    invoicing, run = (
        CommandLine(newest_empty_url),
        ["retype", "run", "loan", "id", "bigint", "--yes"],
    )
    assert "only the contract is left" in invoicing(*run, typed=None).stdout
    ended = invoicing(*run, "--confirm", "loan.id")
    assert (ended.returncode, ask(newest_empty_url, NARROW)) == (0, 0), ended
