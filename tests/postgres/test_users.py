"""Root and an ordinary user both get a server, and neither gets the other's."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.postgres import Installation, Outcome, Server, find_installation
from invoicing.toolkit.postgres.errors import DataFolderOwnerError
from tests.postgres.conftest import query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")

USER = pwd.getpwnam("nobody")
AS_USER = {"user": USER.pw_uid, "group": USER.pw_gid, "extra_groups": [], "cwd": "/"}
RUN = """
import os, sys
from pathlib import Path
from invoicing.toolkit.postgres.errors import PostgresError
from invoicing.toolkit.postgres import Server
server = Server(Path(sys.argv[1]), settings={"fsync": "off"})
try:
    print(server.ensure_running().outcome, server.data_dir.stat().st_uid == os.geteuid())
    print(server.url())
except PostgresError as error:
    print(type(error).__name__, error)
"""


def users_python() -> list[str]:
    """Return a Python that the ordinary user can run: ours may lie in a closed folder."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        command = ["env", f"PYTHONPATH={os.pathsep.join(filter(None, sys.path))}", program]
        with suppress(OSError):
            check = [*command, "-c", "import invoicing.toolkit.postgres"]
            if subprocess.run(check, check=False, capture_output=True, **AS_USER).returncode == 0:
                return command
    pytest.skip("no Python here can be run by an ordinary user")


@pytest.fixture
def users_folder(folder: Path) -> Path:
    """Return a folder that belongs to the ordinary user."""
    path = folder / "users"
    path.mkdir(mode=0o755)
    os.chown(path, USER.pw_uid, USER.pw_gid)
    return path


def as_user(data_dir: Path) -> list[str]:
    """Return what the ordinary user reads when it starts a server on `data_dir`."""
    done = subprocess.run(
        [*users_python(), "-c", RUN, str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **AS_USER,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_an_ordinary_user_starts_a_server_that_root_then_uses(
    users_folder: Path, make_server: Callable[..., Server]
) -> None:
    server = make_server(users_folder / "data")
    said = as_user(server.data_dir)
    assert said == ["created True", str(server.url())]
    assert server.ensure_running().outcome is Outcome.FOUND
    assert query(server, "SELECT 1") == "1"


def test_a_server_that_root_starts_on_a_users_data_stays_the_users(
    users_folder: Path, make_server: Callable[..., Server]
) -> None:
    server = make_server(users_folder / "data")
    as_user(server.data_dir)
    server.stop()
    (users_folder / "data.lock").unlink()
    (users_folder / "data.log").unlink()
    server.ensure_running()
    server.stop()
    assert as_user(server.data_dir)[0] == "started True"


def test_a_user_reads_whose_a_server_is_that_root_started(
    users_folder: Path, make_server: Callable[..., Server]
) -> None:
    server = make_server(users_folder / "data")
    server.ensure_running()
    (said,) = as_user(server.data_dir)
    assert said.startswith("DataFolderOwnerError")
    assert f"{server.data_dir} belongs to user" in said
    assert f"this is user {USER.pw_name}" in said
    assert "INVOICING_HOME" in said


def test_a_user_reads_of_a_home_that_it_cannot_enter(users_folder: Path) -> None:
    users_folder.chmod(0o700)
    os.chown(users_folder, 0, 0)
    (said,) = as_user(users_folder / "home" / "data")
    assert said.startswith(f"FolderNotWritableError cannot write {users_folder}")


def test_root_refuses_a_data_folder_that_is_its_own(new_server: Server) -> None:
    new_server.data_dir.mkdir()
    (new_server.data_dir / "PG_VERSION").write_text("18\n")
    with pytest.raises(DataFolderOwnerError, match="chown"):
        new_server.ensure_running()


def test_programs_in_a_closed_folder_run_for_root(
    server: Server, folder: Path, make_server: Callable[..., Server]
) -> None:
    root = find_installation().bin_dir.parents[1]
    closed = folder / "closed"
    shutil.copytree(root, closed / root.name, symlinks=True)
    libraries = root.with_name(f"{root.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    installation = Installation(closed / root.name / "pginstall" / "bin")
    enclosed = make_server(server.data_dir, installation=installation)
    enclosed.ensure_running()
    assert query(enclosed, "SELECT 1") == "1"
    assert closed.stat().st_mode & 0o777 == 0o700
