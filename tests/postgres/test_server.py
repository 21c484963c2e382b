"""One server, found by every process and outliving each of them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.postgres import Installation, Outcome, Server, find_installations
from invoicing.toolkit.postgres.errors import ServerNotRunningError
from invoicing.toolkit.postgres.processes import is_alive
from tests.postgres.conftest import kill, python, query

if TYPE_CHECKING:
    from collections.abc import Callable

START = """
import sys
from pathlib import Path
from invoicing.toolkit.postgres import Server
report = Server(Path(sys.argv[1]), settings={"fsync": "off"}).ensure_running()
print(report.outcome, report.pid, flush=True)
"""
THEN_WAIT = START + "import time; time.sleep(600)"
ONE_A_MAJOR = {installation.major: installation for installation in find_installations()}


@pytest.mark.parametrize("installation", ONE_A_MAJOR.values(), ids=map(str, ONE_A_MAJOR))
def test_every_installed_version_is_made_started_and_stopped(
    make_server: Callable[..., Server], installation: Installation
) -> None:
    server = make_server(installation=installation, database="some-db")
    report = server.ensure_running()
    assert report.outcome is Outcome.CREATED
    assert query(server, "SHOW server_version").split()[0] == installation.version
    assert query(server, "SELECT lower('ÄÉ')", "some-db") == "äé"
    assert query(server, "SHOW listen_addresses") == ""
    assert query(server, "SHOW shared_preload_libraries") == "pg_stat_statements"
    assert query(server, "SHOW data_checksums") == "on"
    assert server.stop() == report.pid
    assert not is_alive(report.pid)
    assert server.ensure_running().outcome is Outcome.STARTED


def test_the_socket_is_closed_to_other_users(server: Server) -> None:
    server.ensure_running()
    socket_dir = Path(str(server.url().query["host"])).stat()
    assert socket_dir.st_mode & 0o777 == 0o700
    assert socket_dir.st_uid == server.data_dir.stat().st_uid != 0


def test_a_stopped_server_leaves_no_socket_folder(server: Server) -> None:
    server.ensure_running()
    socket_dir = Path(str(server.url().query["host"]))
    server.stop()
    assert not socket_dir.exists()
    assert server.stop() is None
    with pytest.raises(ServerNotRunningError, match="invoicing db start"):
        server.url()


def test_alter_system_wins_over_our_settings(server: Server) -> None:
    server.ensure_running()
    query(server, "ALTER SYSTEM SET maintenance_work_mem = '33MB'")
    server.stop()
    server.ensure_running()
    assert query(server, "SHOW maintenance_work_mem") == "33MB"


def test_processes_that_start_it_at_the_same_moment_share_one_server(new_server: Server) -> None:
    processes = [python(START, new_server.data_dir) for _ in range(3)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [errors for _, errors in answers] == [""] * 3
    outcomes = sorted(output.split()[0] for output, _ in answers)
    assert outcomes == ["created", "found", "found"]
    (pid,) = {int(output.split()[1]) for output, _ in answers}
    assert new_server.status().pid == pid
    assert query(new_server, "SELECT 1") == "1"


def test_it_outlives_the_killed_process_that_started_it(server: Server) -> None:
    starter = python(THEN_WAIT, server.data_dir, start_new_session=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline().split()[1])
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    assert server.ensure_running().outcome is Outcome.FOUND
    assert server.status().pid == pid
    assert query(server, "SELECT 1") == "1"


def test_a_starter_killed_while_the_server_comes_up_blocks_no_other(server: Server) -> None:
    starter = python(START, server.data_dir)
    while not (server.data_dir / "postmaster.pid").exists() and starter.poll() is None:
        time.sleep(0.001)
    starter.kill()
    starter.communicate()
    assert server.ensure_running().outcome is Outcome.FOUND
    assert query(server, "SELECT 1") == "1"


def test_a_starter_killed_in_the_middle_of_initdb_leaves_nothing_half_done(
    new_server: Server, folder: Path
) -> None:
    starter = python(START, new_server.data_dir)
    while not list(folder.glob("data.new-*/base/1")) and starter.poll() is None:
        time.sleep(0.001)
    starter.kill()
    starter.communicate()
    assert not new_server.data_dir.exists()
    assert new_server.ensure_running().outcome is Outcome.CREATED
    assert query(new_server, "SELECT 1") == "1"
    assert sorted(path.name for path in folder.iterdir()) == ["data", "data.lock", "data.log"]


def test_an_empty_folder_becomes_the_data_folder(new_server: Server) -> None:
    new_server.data_dir.mkdir()
    assert new_server.ensure_running().outcome is Outcome.CREATED


def test_a_reset_loses_the_data_and_nothing_beside_it(server: Server, folder: Path) -> None:
    server.ensure_running()
    query(server, "CREATE TABLE kept (id int)")
    (folder / "other").write_text("mine")
    assert server.reset().outcome is Outcome.CREATED
    assert query(server, "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'") == "0"
    assert (folder / "other").read_text() == "mine"


def test_status_says_what_a_stopped_and_a_running_server_are(new_server: Server) -> None:
    assert (new_server.status().running, new_server.status().size, new_server.status().url) == (
        False,
        None,
        None,
    )
    pid = new_server.ensure_running().pid
    status = new_server.status()
    assert (status.running, status.pid, status.url) == (True, pid, new_server.url())
    assert status.size is not None
    assert status.size > 20_000_000
    kill(pid)
    assert new_server.status().running is False


def test_the_servers_of_the_tests_end_with_a_killed_test_run(folder: Path) -> None:
    run = python(
        "import sys, time; from invoicing.toolkit.postgres import find_installation\n"
        "from tests.conftest import throw_away_server\n"
        "with throw_away_server(find_installation()) as server:\n"
        "    print(server.status().pid, server.data_dir, flush=True); time.sleep(600)",
        cwd=Path(__file__).parents[2],
    )
    assert run.stdout is not None
    pid, data_dir = run.stdout.readline().split()
    assert is_alive(int(pid))
    run.kill()
    run.communicate()
    deadline = time.monotonic() + 20
    while Path(data_dir).parent.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(pid))
    assert not Path(data_dir).parent.exists()
