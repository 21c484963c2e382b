"""What is kept is for its owner only, whatever the umask says, and a password is never logged."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.files import private_file, write_whole
from invoicing.settings import Settings
from invoicing.toolkit.postgres import Server, embedded_server
from tests.postgres.conftest import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def mode(path: Path | str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.fixture
def wide_umask() -> Iterator[None]:
    """Let new files be anybody's, as far as the umask goes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def home() -> Iterator[Path]:
    """Yield a home that is there already, open to everyone; its server goes away."""
    folder = Path(tempfile.mkdtemp(prefix="home-"))
    folder.chmod(0o777)
    yield folder
    discard(folder)
    shutil.rmtree(folder)


@pytest.mark.usefixtures("wide_umask")
def test_the_home_the_data_the_log_and_the_socket_are_their_owners(home: Path) -> None:
    server = embedded_server(Settings(home=home))
    server.ensure_running()
    assert mode(home) == 0o700
    assert mode(server.folder) == 0o700
    assert mode(server.folder / "invoicing.conf") == 0o600
    assert mode(str(server.url().query["host"])) == 0o700
    assert mode(server.log_file) == 0o600
    assert mode(server.folder.with_name("postgres.lock")) == 0o600


def test_a_log_that_anyone_could_read_is_closed_at_the_next_start(
    server: Server, folder: Path
) -> None:
    server.ensure_running()
    server.stop()
    server.log_file.chmod(0o644)
    server.ensure_running()
    assert mode(server.log_file) == 0o600


def test_a_home_with_other_things_in_it_keeps_its_mode(home: Path) -> None:
    (home / "thesis.tex").write_text("")
    embedded_server(Settings(home=home)).ensure_running()
    assert mode(home) == 0o777


@pytest.mark.usefixtures("wide_umask")
def test_a_report_is_its_owners_and_follows_no_link(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("other")
    page = tmp_path / "reports" / "page.html"
    write_whole("first", page)
    page.unlink()
    page.symlink_to(other)
    write_whole("second", page)
    assert (mode(page.parent), mode(page)) == (0o700, 0o600)
    assert (page.read_text(), other.read_text()) == ("second", "other")


def test_a_file_that_is_not_finished_leaves_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    path.write_text("before")
    with pytest.raises(LookupError), private_file(path) as file:
        file.write("half")
        raise LookupError
    assert [found.name for found in tmp_path.iterdir()] == ["rejects.csv"]
    assert path.read_text() == "before"


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER ROLE missing PASSWORD 'top-secret'",
        "CREATE ROLE postgres LOGIN PASSWORD 'top-secret'",
        "DO $$ BEGIN EXECUTE format('ALTER ROLE missing PASSWORD %L', 'top-secret'); END $$",
        "SET statement_timeout = 1; SELECT pg_sleep(1) AS \"PASSWORD 'top-secret'\"",
    ],
)
def test_a_failed_statement_with_a_password_is_not_in_the_log(
    statement: str, server: Server, make_server: Callable[..., Server]
) -> None:
    server.ensure_running()
    psql = [server.installation.program("psql"), "-XU", "postgres", "-c", statement]
    host = str(server.url().query["host"])
    done = subprocess.run([*psql, "-h", host], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    log = server.log_file.read_text()
    assert "ERROR: " in log
    assert "top-secret" not in log
