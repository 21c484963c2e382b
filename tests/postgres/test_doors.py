"""What root does in a folder that the server's user controls stays that user's doing."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.settings import Settings
from invoicing.toolkit.postgres import Server, embedded_server
from invoicing.toolkit.postgres.errors import (
    DataFolderElsewhereError,
    DataFolderOwnerError,
    DataFolderUnreachableError,
    FolderNotWritableError,
    PostgresError,
)
from invoicing.toolkit.postgres.owner import of_uid, server_owner
from invoicing.toolkit.postgres.processes import is_alive
from tests.postgres.conftest import discard, query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be tricked this way")
CONTENT = "root's own\n"


@pytest.fixture
def treasure(folder: Path) -> Iterator[Path]:
    """Yield a file of root's on the disk of the data folders."""
    own = Path(tempfile.mkdtemp(prefix="root-", dir=folder.parent))
    (own / "treasure").write_text(CONTENT)
    yield own / "treasure"
    shutil.rmtree(own)


@pytest.fixture
def closed() -> Iterator[Path]:
    """Yield a folder that only root can enter, as /root is; its server goes away."""
    folder = Path(tempfile.mkdtemp(prefix="closed-"))
    yield folder
    with suppress(PostgresError):
        discard(folder / "home")
    shutil.rmtree(folder)


def assert_untouched(treasure: Path) -> None:
    found = treasure.stat()
    assert treasure.read_text() == CONTENT
    assert (found.st_uid, found.st_mode & 0o777) == (0, 0o644)


@pytest.mark.broad
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
@pytest.mark.parametrize(
    "name",
    [
        *("data/invoicing.conf", "data/invoicing.conf.new", "data/postmaster.pid"),
        *("data/PG_VERSION", "data.log", "data.log.1", "data.lock"),
    ],
)
def test_no_link_that_the_servers_user_plants_is_followed(
    name: str, kind: str, server: Server, folder: Path, treasure: Path
) -> None:
    uid = server_owner(server.data_dir).uid
    os.chown(folder, uid, uid)
    planted = folder / name
    planted.unlink(missing_ok=True)
    if kind == "symbolic":
        planted.symlink_to(treasure)
        os.chown(planted, uid, uid, follow_symlinks=False)
    else:
        planted.hardlink_to(treasure)
    for act in (server.ensure_running, server.status, server.stop, server.reset, server.stop):
        with suppress(PostgresError):
            act()
    assert_untouched(treasure)


def test_a_forged_pid_file_ends_no_process_of_another_user(server: Server) -> None:
    code = "import sys, time; open('/proc/self/comm', 'w').write('postgres'); time.sleep(60)"
    victim = subprocess.Popen([sys.executable, "-c", code, str(server.data_dir)])
    pid_file = server.data_dir / "postmaster.pid"
    pid_file.write_text(f"{victim.pid}\n{server.data_dir}\n1\n5432\n/tmp\n\n\nready\n")
    try:
        server.stop()
        server.ensure_running()
        assert is_alive(victim.pid)
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()


@pytest.mark.parametrize("text", ["no number\n", "1\n\n\nport\n", "", "9" * 30])
def test_a_pid_file_that_makes_no_sense_is_none(text: str, server: Server) -> None:
    (server.data_dir / "postmaster.pid").write_text(text)
    assert not server.status().running


def test_a_pipe_in_place_of_the_pid_file_does_not_make_root_wait(server: Server) -> None:
    os.mkfifo(server.data_dir / "postmaster.pid")
    assert not server.status().running


def test_a_data_folder_that_a_user_links_to_anothers_is_refused(
    server: Server, folder: Path
) -> None:
    link = folder / "link"
    link.symlink_to(server.data_dir)
    os.chown(link, 4242, 4242, follow_symlinks=False)
    with pytest.raises(DataFolderOwnerError):
        Server(link).ensure_running()


def test_the_server_has_no_capability_no_group_of_roots_and_cannot_gain_any(
    server: Server,
) -> None:
    pid = server.ensure_running().pid
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    facts = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    caps = [facts[f"Cap{kind}"] for kind in ("Eff", "Prm", "Inh", "Amb", "Bnd")]
    assert caps == ["0" * 16] * 5
    assert facts["NoNewPrivs"] == "1"
    assert facts["Groups"] == ""
    assert "0" not in facts["Uid"].split() + facts["Gid"].split()


def test_the_server_knows_nothing_of_roots_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret-of-root")
    pid = server.ensure_running().pid
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"secret-of-root" not in environment
    names = {entry.partition(b"=")[0] for entry in environment.split(b"\0") if entry}
    ours = {name for name in names if not name.startswith((b"PG", b"LC_", b"OLDPWD", b"PWD"))}
    assert ours <= {b"PATH", b"LD_LIBRARY_PATH", b"TZ", b"_", b"SHLVL"}


def test_below_a_closed_folder_the_data_lies_where_the_servers_user_may_go(closed: Path) -> None:
    server = embedded_server(Settings(home=closed / "home"))
    server.ensure_running()
    assert server.folder.is_relative_to("/var/lib/invoicing")
    assert server.data_dir.readlink() == server.folder
    assert query(server, "SELECT current_setting('data_directory')") == str(server.folder)
    assert "shadow" in query_error(server, "SELECT pg_read_file('/etc/shadow')")
    assert stat.S_IMODE((closed / "home").stat().st_mode) == 0o700
    found = embedded_server(Settings(home=closed / "home")).status()
    assert (found.running, found.folder) == (True, server.folder)


def test_data_of_the_old_layout_is_not_passed_over(
    closed: Path, made: Path, make_server: Callable[..., Server]
) -> None:
    (closed / "home").mkdir()
    subprocess.run(["cp", "-a", made, closed / "home" / "postgres"], check=True)
    server = embedded_server(Settings(home=closed / "home"))
    with pytest.raises(DataFolderUnreachableError, match="mv "):
        server.ensure_running()
    closed.chmod(0o755)
    server.ensure_running()
    assert server.folder == closed / "home" / "postgres"
    assert stat.S_IMODE((closed / "home").stat().st_mode) == 0o711


def test_a_home_that_was_copied_does_not_share_the_data(closed: Path) -> None:
    home = closed / "home"
    server = embedded_server(Settings(home=home))
    server.ensure_running()
    shutil.copytree(home, closed / "copy", symlinks=True)
    with pytest.raises(DataFolderElsewhereError) as caught:
        embedded_server(Settings(home=closed / "copy")).ensure_running()
    assert f"mv {server.folder.parent} " in str(caught.value)


def test_a_link_made_by_hand_is_refused_without_advice_to_move_what_it_leads_to(
    closed: Path,
) -> None:
    home, other = closed / "home", closed / "other"
    home.mkdir()
    other.mkdir()
    (home / "postgres").symlink_to(other)
    with pytest.raises(DataFolderElsewhereError) as caught:
        embedded_server(Settings(home=home)).ensure_running()
    assert "mv " not in str(caught.value)


def test_a_home_that_is_a_file_leaves_nothing_behind(closed: Path) -> None:
    (closed / "home").touch()
    kept = set(Path("/var/lib/invoicing").glob("*"))
    with pytest.raises(FolderNotWritableError):
        embedded_server(Settings(home=closed / "home")).ensure_running()
    assert set(Path("/var/lib/invoicing").glob("*")) == kept


def test_a_signal_of_root_reaches_only_the_servers_user() -> None:
    victim = subprocess.Popen(["sleep", "60"])
    of_uid(65534).signal(victim.pid, signal.SIGKILL)
    assert victim.poll() is None
    victim.kill()
    victim.wait()


def query_error(server: Server, statement: str) -> str:
    """Return what psql says when the server refuses."""
    psql = [server.installation.program("psql"), "-XAtc", statement, "-U", "postgres"]
    host = str(server.url().query["host"])
    done = subprocess.run([*psql, "-h", host], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stderr
