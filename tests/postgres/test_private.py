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
def test_a_report_is_its_owners_and_replaces_what_a_link_leads_to(tmp_path: Path) -> None:
    page = tmp_path / "reports" / "page.html"
    write_whole("first", page)
    link = tmp_path / "link"
    link.symlink_to("reports/page.html")
    write_whole("second", link)
    assert (mode(page.parent), mode(page)) == (0o700, 0o600)
    assert (link.is_symlink(), page.read_text()) == (True, "second")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes another user's link")
def test_no_link_is_followed_that_another_user_put_where_everyone_may(tmp_path: Path) -> None:
    other, page = tmp_path / "other", tmp_path / "page.html"
    other.write_text("other")
    page.symlink_to(other)
    os.lchown(page, 65534, 65534)
    tmp_path.chmod(0o1777)
    with pytest.raises(PermissionError, match="another user's link"):
        write_whole("text", page)
    assert other.read_text() == "other"


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    full, pipe, own = tmp_path / "full", tmp_path / "pipe", tmp_path / "own"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match=f"No space left on device: '{full}'"):
        write_whole("text", full)
    assert full.is_symlink()
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no program reads from it"):
        write_whole("text", pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole("text", pipe)
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    # What is printed goes where /dev/stdout does: neither overwrites the other.
    with own.open("w") as file:
        file.write("before ")
        file.flush()
        write_whole("after", Path(f"/dev/fd/{file.fileno()}"))
        link = tmp_path / "link"
        link.symlink_to(f"/proc/self/fd/{file.fileno()}")
        write_whole(" all", link)
    assert own.read_text() == "before after all"


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
