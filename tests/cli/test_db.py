"""`invoicing db`, run as a user runs it: as processes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from typer.testing import CliRunner

from invoicing.cli.main import app
from invoicing.db.migrations import head_revision
from invoicing.toolkit.postgres import Server
from invoicing.toolkit.postgres.processes import is_alive
from tests.cli.here import PROGRAM, run_apart, run_here
from tests.postgres.conftest import discard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOWHERE = "postgresql://someone:top-secret@127.0.0.1:1/nothing"


class CommandLine:
    """Runs `invoicing db` with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it as a process."""
        return run_apart(self.environment | environment, "db", *arguments)

    def here(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it in this process, which saves the time that the imports take."""
        return run_here(self.environment | environment, "db", *arguments)

    @property
    def environment(self) -> dict[str, str]:
        """What the command finds in its environment: no settings but its home."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name != "DATABASE_URL" and not name.startswith("INVOICING_")
        }
        return kept | {"INVOICING_HOME": str(self.home), "COLUMNS": "200"}

    @property
    def pid(self) -> int:
        """The running server's process."""
        pid = Server(self.home / "postgres").status().pid
        assert pid is not None
        return pid

    def kill(self) -> int:
        """Kill the server as a crash does; return the pid it had."""
        pid = self.pid
        psutil.Process(pid).kill()
        while is_alive(pid):
            time.sleep(0.01)
        return pid


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Yield a command line whose server is running, with a path that rich could take for markup."""
    home = tmp_path_factory.mktemp("db") / "home [bold]"
    command_line = CommandLine(home)
    started = command_line("start")
    assert started.returncode == 0, started.stderr
    assert "PostgreSQL created (pid " in started.stdout
    assert f"Data in {home / 'postgres'}" in started.stdout
    yield command_line
    discard(home)


@pytest.fixture
def idle(tmp_path: Path) -> CommandLine:
    """Return a command line whose server has never run."""
    return CommandLine(tmp_path / "home")


def test_a_second_start_finds_the_server(db: CommandLine) -> None:
    done = db.here("start")
    assert done.returncode == 0
    assert f"PostgreSQL runs already (pid {db.pid})" in done.stdout


def test_status_of_a_running_server(db: CommandLine) -> None:
    done = db.here("status", "--json")
    assert done.returncode == 0
    facts = json.loads(done.stdout)
    assert facts["source"] == "embedded"
    assert facts["running"] is True
    assert is_alive(facts["pid"])
    assert facts["version"].startswith("18.")
    assert facts["data_folder"] == str(db.home / "postgres")
    assert facts["size_bytes"] > 20_000_000
    assert facts["newest_revision"] == head_revision()


def test_status_for_people_shows_the_same_and_a_path_as_it_is(db: CommandLine) -> None:
    done = db.here("status")
    assert done.returncode == 0
    assert str(db.home / "postgres") in done.stdout
    assert " MB" in done.stdout


def test_status_of_a_server_that_never_ran_is_exit_code_1_and_makes_nothing(
    idle: CommandLine,
) -> None:
    done = idle.here("status", "--json")
    assert done.returncode == 1
    facts = json.loads(done.stdout)
    assert (facts["running"], facts["pid"], facts["size_bytes"]) == (False, None, None)
    assert not idle.home.exists()


def test_an_upgrade_that_drops_what_has_rows_asks_for_its_name(db: CommandLine) -> None:
    db.here("upgrade", "8d41c7e05b2a")
    rows = (
        "INSERT INTO account (id, name, plan) VALUES (gen_random_uuid(), 'Aurora', 'team');"
        "INSERT INTO invoice (id, account_id, amt, currency)"
        " SELECT gen_random_uuid(), id, 7, 'EUR' FROM account"
    )
    assert db("psql", "-c", rows).returncode == 0
    refused = db.here("upgrade")
    assert refused.returncode == 2
    assert "--confirm invoice.amt" in refused.stderr
    assert "8d41c7e05b2a" in db.here("status").stdout
    assert db("psql", "-c", "TRUNCATE account CASCADE").returncode == 0


def test_upgrade_migrates_to_the_newest_revision_once(db: CommandLine) -> None:
    assert f"to {head_revision()}" in db.here("upgrade").stdout
    assert f"is at {head_revision()} already" in db.here("upgrade").stdout
    assert json.loads(db.here("status", "--json").stdout)["revision"] == head_revision()


def test_the_printed_url_is_one_that_psql_takes(db: CommandLine) -> None:
    url = db("url").stdout.strip()
    assert url.startswith("postgresql://postgres@/invoicing?host=")
    psql = Server(db.home / "postgres").installation.program("psql")
    answer = subprocess.run(
        [psql, "-XAtc", "SELECT 1", url], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "1\n"


def test_psql_gets_its_own_arguments_and_its_exit_code_comes_back(db: CommandLine) -> None:
    done = db("psql", "-XAt", "-c", "SELECT current_database()", "-v", "a=b")
    assert (done.returncode, done.stdout) == (0, "invoicing\n")
    assert db("psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", "SELECT 1/0").returncode == 1
    assert "psql is the PostgreSQL interactive terminal" in db("psql", "--help").stdout


def test_psqls_own_help_starts_no_server(idle: CommandLine) -> None:
    done = idle("psql", "--help")
    assert (done.returncode, "--dbname" in done.stdout) == (0, True)
    assert not idle.home.exists()


def test_a_killed_server_is_said_to_have_recovered(db: CommandLine) -> None:
    killed = db.kill()
    assert db.here("status").returncode == 1
    done = db("start")
    assert done.returncode == 0
    assert f"the server before it (pid {killed}) had ended" in done.stdout


def test_a_command_that_only_needs_the_server_says_so_on_stderr(db: CommandLine) -> None:
    killed = db.kill()
    done = db("url")
    assert done.stdout.startswith("postgresql://")
    assert len(done.stdout.splitlines()) == 1
    assert f"pid {killed}" in done.stderr


def test_reset_asks_first_and_without_a_terminal_wants_yes(db: CommandLine) -> None:
    pid = db.pid
    done = db("reset")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert db.pid == pid


def test_reset_at_a_terminal_keeps_everything_when_the_answer_is_no(db: CommandLine) -> None:
    pid = db.pid
    outer, inner = pty.openpty()
    asking = subprocess.Popen(
        [*PROGRAM, "db", "reset"],
        env=db.environment,
        stdin=inner,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(outer, b"n\n")
    _, errors = asking.communicate(timeout=30)
    os.close(inner)
    os.close(outer)
    assert asking.returncode == 1
    assert f"Delete everything in {db.home / 'postgres'}?" in errors.replace("\n", "")
    assert db.pid == pid


def test_reset_with_yes_leaves_an_empty_database(db: CommandLine) -> None:
    db.here("upgrade")
    done = db("reset", "--yes")
    assert done.returncode == 0
    assert "invoicing db upgrade" in done.stdout
    assert json.loads(db.here("status", "--json").stdout)["revision"] is None


def test_stop_ends_it_and_a_second_stop_has_nothing_to_do(db: CommandLine) -> None:
    pid = db.pid
    assert f"PostgreSQL stopped (pid {pid})" in db("stop").stdout
    assert not is_alive(pid)
    done = db("stop")
    assert (done.returncode, done.stdout) == (0, "No embedded server was running\n")
    assert db("start").returncode == 0


@pytest.mark.parametrize("command", ["status", "url", "upgrade"])
def test_no_command_shows_the_password_of_database_url(command: str, idle: CommandLine) -> None:
    done = idle(command, DATABASE_URL=NOWHERE)
    assert "top-secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "asyncpg" not in done.stdout + done.stderr
    assert not idle.home.exists()


def test_the_password_is_shown_to_whoever_asks_for_it(idle: CommandLine) -> None:
    assert idle.here("url", "--show-password", DATABASE_URL=NOWHERE).stdout.strip() == NOWHERE


def test_with_database_url_start_says_that_nothing_is_started(idle: CommandLine) -> None:
    done = idle.here("start", DATABASE_URL=NOWHERE)
    assert done.returncode == 0
    assert not idle.home.exists()
    assert "DATABASE_URL is set" in done.stdout


def test_with_database_url_reset_is_refused(idle: CommandLine) -> None:
    done = idle.here("reset", "--yes", DATABASE_URL=NOWHERE)
    assert done.returncode == 2
    assert "Unset DATABASE_URL" in done.stderr


def test_status_of_an_unreachable_database_url_is_exit_code_1(idle: CommandLine) -> None:
    done = idle.here("status", "--json", DATABASE_URL=NOWHERE)
    assert done.returncode == 1
    facts = json.loads(done.stdout)
    assert facts["source"] == "DATABASE_URL"
    assert facts["url"] == "postgresql://someone:***@127.0.0.1:1/nothing"
    assert "reason" in facts


def test_an_unusable_home_is_one_line_on_stderr(idle: CommandLine) -> None:
    idle.home.write_text("")
    done = idle("start")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith(f"invoicing: cannot write {idle.home}")


@pytest.mark.parametrize("command", ["start", "stop", "status", "url", "reset", "upgrade"])
def test_help_shows_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, ["db", command, "--help"]).stdout
    assert f"Example: invoicing db {command}" in shown or f"$(invoicing db {command})" in shown
