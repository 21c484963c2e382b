"""After a kill -9 the next start recovers, and says so."""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.settings import Settings
from invoicing.toolkit.postgres import Outcome, Server, database_url, embedded_server
from invoicing.toolkit.postgres.processes import is_alive
from tests.postgres.conftest import discard, kill, query

if TYPE_CHECKING:
    import pytest


def test_a_killed_server_recovers_with_what_was_committed(server: Server) -> None:
    killed = server.ensure_running().pid
    query(server, "CREATE TABLE t AS SELECT 42 AS answer")
    kill(killed)
    report = server.ensure_running()
    assert (report.outcome, report.lost_pid) == (Outcome.RECOVERED, killed)
    assert f"the server before it (pid {killed}) had ended without shutting down" in str(report)
    assert query(server, "SELECT answer FROM t") == "42"
    assert server.ensure_running().outcome is Outcome.FOUND


def test_a_backend_that_did_not_notice_the_kill_is_ended(server: Server) -> None:
    killed = server.ensure_running().pid
    url = server.url().set(drivername="postgresql").render_as_string(hide_password=False)
    endless = "SET application_name = 'endless'; SELECT count(*) FROM generate_series(1, 1e15)"
    client = subprocess.Popen(
        [server.installation.program("psql"), "-Xc", endless, url],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    backend = ""
    while not backend:
        backend = query(
            server,
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'endless'"
            " AND query LIKE '%generate_series%'",
        )
    time.sleep(0.2)
    kill(killed)
    report = server.ensure_running()
    assert report.outcome is Outcome.RECOVERED
    assert int(backend) in report.orphans
    assert not is_alive(int(backend))
    assert query(server, "SELECT 1") == "1"
    assert client.wait(10) != 0


def test_a_pid_file_whose_number_another_program_has_is_no_server(server: Server) -> None:
    server.ensure_running()
    pid_file = server.data_dir / "postmaster.pid"
    left = pid_file.read_text()
    server.stop()
    sleeper = subprocess.Popen(["sleep", "600"])
    pid_file.write_text(left.replace(left.split()[0], str(sleeper.pid), 1))
    try:
        assert not server.status().running
        assert server.ensure_running().outcome is Outcome.RECOVERED
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_server_whose_socket_was_swept_away_is_started_again(server: Server) -> None:
    pid = server.ensure_running().pid
    shutil.rmtree(Path(str(server.url().query["host"])))
    report = server.ensure_running()
    assert (report.outcome, report.lost_pid) == (Outcome.RECOVERED, pid)
    assert "was unreachable" in str(report)
    assert query(server, "SELECT 1") == "1"


def test_stop_after_a_kill_leaves_nothing_running(server: Server) -> None:
    kill(server.ensure_running().pid)
    assert server.stop() is None
    assert server.ensure_running().outcome in {Outcome.RECOVERED, Outcome.STARTED}


def test_whoever_only_asks_for_the_url_hears_of_a_recovery(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=folder)
    database_url(settings)
    server = embedded_server(settings)
    pid = server.status().pid
    assert pid is not None
    assert caplog.records == []
    kill(pid)
    database_url(settings)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(pid) in record.message
    discard(folder)
