"""`invoicing rename`, run as an operator runs it; each hint it prints is a command that works."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from invoicing.cli.main import main
from tests.conftest import execute
from tests.rename.faults import connect

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

MAIN = [sys.executable, "-c", "from invoicing.cli.main import main; main()"]
NAMES = ["invoice", "amt", "amount_cents"]
ROWS = 3_000


def environment(url: URL) -> dict[str, str]:
    text = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return os.environ | {"DATABASE_URL": text, "COLUMNS": "300"}


class CommandLine:
    """Runs `invoicing` on one database, in this process: that saves the time the imports take."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["invoicing", *arguments]
        code, out, err = 0, StringIO(), StringIO()
        with (
            patch.dict(os.environ, environment(self.url), clear=True),
            patch.object(sys, "argv", command),
            patch.object(sys, "stdin", StringIO()),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())

    def rename(self, verb: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self("rename", verb, *NAMES, *options)

    def phase(self) -> str:
        return json.loads(self.rename("status", "--json").stdout)["phase"]

    def fetch(self, query: str) -> list[tuple]:
        async def ask() -> list[tuple]:
            connection = await connect(self.url)
            rows = [tuple(row) for row in await connection.fetch(query)]
            await connection.close()
            return rows

        return asyncio.run(ask())


@pytest.fixture
def invoicing(empty_database_url: URL) -> CommandLine:
    """Return the command line, on a database with one table of `ROWS` rows."""
    make = (
        "CREATE TABLE invoice (id bigint PRIMARY KEY, amt bigint NOT NULL)",
        f"INSERT INTO invoice SELECT n, n * 100 FROM generate_series(1, {ROWS}) AS n",
        "CREATE INDEX ix_invoice_amt ON invoice (amt)",
        "ANALYZE invoice",
    )
    asyncio.run(execute(empty_database_url, *make))
    return CommandLine(empty_database_url)


def hinted(text: str) -> list[str]:
    """Return the arguments of the last command that was named."""
    (*_, line) = re.findall(r"(?<!\w)invoicing (rename .+?)\)?$", text, re.MULTILINE)
    return shlex.split(line)


def test_the_hints_lead_from_the_plan_to_the_end_and_back(invoicing: CommandLine) -> None:
    said = invoicing.rename("plan")
    walked = []
    while walked[-2:] != ["rollback", "plan"]:
        arguments = hinted(said.stdout)
        walked.append(arguments[1])
        options = {"gate": ["--quiet", "0.1"], "contract": ["--quiet", "0.1"]}
        default = [] if arguments[1] in {"plan", "status"} else ["--yes"]
        said = invoicing(*arguments, *options.get(arguments[1], default))
        assert said.returncode == 0, said.stderr
        if walked[-1] == "rollback":
            walked.append("plan")
    assert walked[:5] == ["expand", "backfill", "verify", "gate", "contract"]
    assert walked[5:] == ["restore", "rollback", "plan"]
    assert invoicing.phase() == "contracted"
    assert invoicing.fetch("SELECT count(*), sum(amount_cents) FROM invoice") == [
        (ROWS, ROWS * (ROWS + 1) // 2 * 100)
    ]


def test_names_that_need_quotes_are_quoted_in_the_hints_too(invoicing: CommandLine) -> None:
    asyncio.run(
        execute(
            invoicing.url,
            'CREATE SCHEMA "Große Firma"',
            'ALTER TABLE invoice SET SCHEMA "Große Firma"',
            'ALTER TABLE "Große Firma".invoice RENAME TO "die ""Rechnung"""',
            'ALTER TABLE "Große Firma"."die ""Rechnung""" RENAME amt TO "it\'s $1"',
        )
    )
    names = ['die "Rechnung"', "it's $1", "süß % \\"]
    said = invoicing("rename", "plan", *names, "--schema", "Große Firma")
    for verb in ("expand", "backfill", "verify"):
        arguments = hinted(said.stdout)
        assert arguments == ["rename", verb, *names, "--schema", "Große Firma"]
        said = invoicing(*arguments, "--yes")
        assert said.returncode == 0, said.stderr
    (values,) = invoicing.fetch(
        'SELECT count(*), sum("süß % \\") FROM "Große Firma"."die ""Rechnung"""'
    )
    assert values == (ROWS, ROWS * (ROWS + 1) // 2 * 100)


def test_a_plan_names_the_lock_of_each_statement_and_what_is_carried_over(
    invoicing: CommandLine,
) -> None:
    said = invoicing.rename("plan").stdout
    assert "ACCESS EXCLUSIVE, for milliseconds" in said
    assert 'CREATE INDEX CONCURRENTLY "ix_invoice_amount_cents"' in said
    assert f"About {ROWS:,} rows" in said
    script = invoicing.rename("plan", "--sql").stdout
    assert "RAISE EXCEPTION USING ERRCODE" in script
    facts = json.loads(invoicing.rename("plan", "--json").stdout)
    assert facts["possible"]
    assert {step["phase"] for step in facts["steps"]} > {"expand", "backfill", "contract"}


def test_a_practice_database_is_made_and_removed(invoicing: CommandLine) -> None:
    made = invoicing("rename", "practice", "--rows", "50")
    assert made.returncode == 0, made.stderr
    planned = invoicing(*hinted(made.stdout))
    assert planned.returncode == 0, planned.stderr
    assert "About 50 rows" in planned.stdout
    assert invoicing("rename", "practice", "--drop").returncode == 0
    gone = invoicing(*hinted(made.stdout))
    assert gone.returncode == 1
    assert "does not exist" in gone.stderr


def test_what_is_in_the_way_is_told_and_ends_with_1(invoicing: CommandLine) -> None:
    twice = "ALTER TABLE invoice ADD twice bigint GENERATED ALWAYS AS (amt * 2) STORED"
    asyncio.run(execute(invoicing.url, twice))
    planned = invoicing.rename("plan")
    assert planned.returncode == 1
    assert "generated-column" in planned.stdout.split("In the way")[1]
    refused = invoicing.rename("expand", "--yes")
    assert refused.returncode == 1
    assert "computed from" in refused.stderr
    assert hinted(refused.stderr) == ["rename", "plan", *NAMES]
    assert invoicing.phase() == "none"


@pytest.mark.parametrize("verb", ["expand", "backfill", "verify", "rollback", "restore"])
def test_nothing_changes_where_nobody_can_be_asked(invoicing: CommandLine, verb: str) -> None:
    ended = invoicing.rename(verb)
    assert ended.returncode == 2
    assert "Add: --yes" in ended.stderr
    assert invoicing.phase() == "none"


def test_the_contract_wants_the_name_and_the_gate_says_why_not_yet(invoicing: CommandLine) -> None:
    closed = invoicing.rename("gate", "--quiet", "0.1")
    assert closed.returncode == 1
    for verb in ("expand", "backfill"):
        assert invoicing.rename(verb, "--yes").returncode == 0
    closed = invoicing.rename("gate", "--quiet", "0.1", "--json")
    assert closed.returncode == 1
    assert [one["slug"] for one in json.loads(closed.stdout)["objections"]] == ["phase"]
    assert invoicing.rename("verify", "--yes").returncode == 0
    refused = invoicing.rename("contract", "--quiet", "0.1")
    assert refused.returncode == 2
    assert "--confirm invoice.amt" in refused.stderr
    assert invoicing.phase() == "verified"


def test_a_name_that_is_not_there_is_one_line_and_ends_with_2(invoicing: CommandLine) -> None:
    for names in (["bill", "amt", "cents"], ["invoice", "amont", "cents"], ["invoice", "id", "id"]):
        ended = invoicing("rename", "plan", *names)
        assert ended.returncode == 2
        assert len(ended.stderr.strip().splitlines()) == 1
    assert invoicing.rename("backfill", "--yes", "--batch-size", "0").returncode == 2


def test_no_command_shows_the_password(invoicing: CommandLine) -> None:
    url = "postgresql://someone:top-secret@127.0.0.1:1/nothing"
    for verb in ("plan", "status"):
        ended = invoicing.rename(verb, "--url", url)
        assert ended.returncode == 1
        assert "top-secret" not in ended.stdout + ended.stderr


def test_ctrl_c_stops_between_two_batches_and_the_next_run_goes_on(invoicing: CommandLine) -> None:
    invoicing.rename("expand", "--yes")
    backfill = [*MAIN, "rename", "backfill", *NAMES, "--yes", "--json"]
    slow = ["--batch-size", "100", "--stripes", "1", "--pause", "0.2"]
    process = subprocess.Popen(
        [*backfill, *slow],
        env=environment(invoicing.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "Backfill: " in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert not json.loads(out)["completed"]
    assert hinted(err) == ["rename", "backfill", *NAMES]
    ((filled,),) = invoicing.fetch("SELECT count(amount_cents) FROM invoice")
    assert 0 < filled < ROWS
    rest = json.loads(invoicing.rename("backfill", "--yes", "--json").stdout)
    assert rest["completed"]
    assert rest["rows_updated"] == ROWS - filled


def test_on_a_terminal_it_asks_and_no_is_no(invoicing: CommandLine) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MAIN, "rename", "expand", *NAMES],
        env=environment(invoicing.url),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    os.write(ours, b"n\n")
    _, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 1
    assert "keep it equal to amt?" in err
    assert invoicing.phase() == "none"
