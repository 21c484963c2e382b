"""At a terminal `invoicing rename` asks, shows how far it is, and stops when it is interrupted."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys

from tests.cli.here import MAIN
from tests.cli.rename_line import HEED, NAMES, ROWS, CommandLine, Terminal, environment, hinted
from tests.conftest import execute

ASLEEP = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
STUCK = (
    """CREATE FUNCTION dream() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_sleep(600); RETURN new; END'""",
    """CREATE TRIGGER stuck BEFORE UPDATE ON invoice
    FOR EACH ROW WHEN (old.id = 1000) EXECUTE FUNCTION dream()""",
    "ALTER TABLE invoice ENABLE ALWAYS TRIGGER stuck",
)
SLOW = ["--batch-size", "100", "--stripes", "1"]


def filled(invoicing: CommandLine) -> int:
    ((rows,),) = invoicing.fetch("SELECT count(amount_cents) FROM invoice")
    return rows


def test_ctrl_c_stops_between_two_batches_and_the_next_run_goes_on(invoicing: CommandLine) -> None:
    invoicing.rename("expand", "--yes")
    with Terminal(invoicing.url, "backfill", *NAMES, *SLOW, "--pause", "0.2") as terminal:
        terminal.wait_for("write amount_cents in every row that lacks it?")
        terminal.type("y\n")
        terminal.wait_for("rows a second, batch 100, ETA ")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "Stopping after this batch" in terminal.shown
    again = hinted(terminal.shown.replace("\r", ""))
    assert again == ["rename", "backfill", *NAMES, *SLOW, "--pause", "0.2"]
    done = filled(invoicing)
    assert 0 < done < ROWS
    rest = json.loads(invoicing.rename("backfill", "--yes", "--json").stdout)
    assert rest["completed"]
    assert rest["rows_updated"] == ROWS - done


def test_a_second_signal_does_not_wait_for_the_batch_and_loses_nothing(
    invoicing: CommandLine,
) -> None:
    invoicing.rename("expand", "--yes")
    asyncio.run(execute(invoicing.url, *STUCK))
    with subprocess.Popen(
        [sys.executable, "-c", HEED + MAIN, "rename", "backfill", *NAMES, *SLOW, "--yes", "--json"],
        env=environment(invoicing.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline().startswith("Backfill: ")
        while not invoicing.fetch(ASLEEP):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline().startswith("Stopping after this batch")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert not out
    assert hinted(err) == ["rename", "backfill", *NAMES, *SLOW]
    assert len(err.splitlines()) == 1
    done = filled(invoicing)
    assert 0 < done < 1000
    asyncio.run(execute(invoicing.url, "DROP TRIGGER stuck ON invoice"))
    rest = json.loads(invoicing.rename("backfill", "--yes", "--json").stdout)
    assert rest["rows_updated"] == ROWS - done


def test_no_is_no_and_the_contract_is_typed(invoicing: CommandLine) -> None:
    said_no = invoicing.rename("expand", typed="n\n")
    assert said_no.returncode == 1
    assert "with triggers that keep it equal to amt?" in said_no.stderr
    assert invoicing.phase() == "none"
    for verb in ("expand", "backfill", "verify"):
        assert invoicing.rename(verb, typed="y\n").returncode == 0
    assert invoicing.rename("contract", "--quiet", "0.1", typed="yes\n").returncode == 2
    assert invoicing.phase() == "verified"
    with Terminal(invoicing.url, "contract", *NAMES, "--quiet", "0.1") as terminal:
        terminal.wait_for("Type invoice.amt to confirm: ")
        terminal.type("invoice.amt\n")
        assert terminal.end() == 0
    assert "amt was dropped; amount_cents has every value" in terminal.shown
    assert invoicing.phase() == "contracted"


def test_a_watch_shows_what_another_session_does(invoicing: CommandLine) -> None:
    with Terminal(invoicing.url, "status", *NAMES, "--watch", "0.2") as terminal:
        terminal.wait_for("Next: invoicing rename expand invoice amt amount_cents")
        invoicing.rename("expand", "--yes")
        terminal.wait_for("Next: invoicing rename backfill invoice amt amount_cents")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.shown
