"""What cannot work says why and what to do next, and changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.postgres import Installation, Server, find_installation, find_installations
from invoicing.toolkit.postgres.errors import (
    DataFolderDamagedError,
    DataFolderVersionError,
    DiskFullError,
    FolderNotWritableError,
    InitdbError,
    InstallationNotFoundError,
    ServerBusyError,
    ServerStartError,
    ServerStartTimeoutError,
    SocketFolderError,
    SocketInUseError,
)
from invoicing.toolkit.postgres.owner import server_owner
from invoicing.toolkit.postgres.socket_folder import make_socket_folder
from tests.postgres.conftest import python, query

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_data_folder_of_another_major_version(server: Server) -> None:
    (server.data_dir / "PG_VERSION").write_text("15\n")
    with pytest.raises(DataFolderVersionError) as caught:
        server.ensure_running()
    assert "was made by PostgreSQL 15, and this is PostgreSQL 18" in str(caught.value)
    assert "invoicing db reset" in str(caught.value)


def test_a_damaged_data_folder(server: Server) -> None:
    (server.data_dir / "global" / "pg_control").unlink()
    with pytest.raises(DataFolderDamagedError, match="global/pg_control"):
        server.ensure_running()


def test_a_folder_that_is_no_data_folder_is_never_deleted(new_server: Server) -> None:
    new_server.data_dir.mkdir()
    (new_server.data_dir / "thesis.tex").write_text("years of work")
    with pytest.raises(DataFolderDamagedError, match="PG_VERSION"):
        new_server.reset()
    assert (new_server.data_dir / "thesis.tex").read_text() == "years of work"


def test_a_home_that_is_a_file(folder: Path) -> None:
    (folder / "home").write_text("")
    with pytest.raises(FolderNotWritableError, match="INVOICING_HOME"):
        Server(folder / "home" / "data").ensure_running()


def test_a_folder_without_write_permission(folder: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from invoicing.toolkit.postgres.errors import FolderNotWritableError
from invoicing.toolkit.postgres import Server
server = Server(Path(sys.argv[1]))
server.installation.version
if os.geteuid() == 0:
    os.setuid(65534)
try:
    server.ensure_running()
except FolderNotWritableError as error:
    print(error)
"""
    closed = folder / "closed"
    closed.mkdir(mode=0o555)
    for data_dir in (closed / "data", closed / "home" / "data"):
        output, errors = python(code, data_dir).communicate(timeout=60)
        assert errors == ""
        assert "permission denied" in output
        assert "INVOICING_HOME" in output
    assert list(closed.iterdir()) == []


def test_a_socket_that_another_server_holds(
    server: Server, make_server: Callable[..., Server], folder: Path
) -> None:
    other = make_server(folder / "other")
    other.ensure_running()
    socket_dir = make_socket_folder(server.data_dir, server_owner(server.data_dir))
    taken = Path(str(other.url().query["host"]), ".s.PGSQL.5432.lock")
    lock = socket_dir / taken.name
    shutil.copy(taken, lock)
    with pytest.raises(SocketInUseError) as caught:
        server.ensure_running()
    assert caught.value.pid == other.status().pid
    assert f"which serves {other.data_dir}" in str(caught.value)
    assert "INVOICING_PORT" in str(caught.value)
    moved = make_server(server.data_dir, port=5433)
    moved.ensure_running()
    assert query(moved, "SHOW port") == "5433"
    shutil.rmtree(socket_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_socket_folder_that_another_user_has_put_there(
    kind: str, server: Server, folder: Path
) -> None:
    squatted = make_socket_folder(server.data_dir, server_owner(server.data_dir))
    if kind == "folder":
        os.chown(squatted, 4242, 4242)
    else:
        squatted.rmdir()
        squatted.symlink_to(folder)
    try:
        with pytest.raises(SocketFolderError) as caught:
            server.ensure_running()
        assert str(squatted) in str(caught.value)
        assert "TMPDIR" in str(caught.value)
    finally:
        squatted.unlink() if kind == "link" else squatted.rmdir()


def test_a_server_that_ends_while_it_starts_quotes_its_log(
    server: Server, make_server: Callable[..., Server]
) -> None:
    broken = make_server(server.data_dir, settings={"shared_preload_libraries": "no_such_library"})
    with pytest.raises(ServerStartError) as caught:
        broken.ensure_running()
    assert 'FATAL:  could not access file "no_such_library"' in str(caught.value)
    assert str(server.log_file) in str(caught.value)


def test_a_server_that_does_not_come_up(
    server: Server, make_server: Callable[..., Server], folder: Path
) -> None:
    real = find_installation()
    slow = folder / "bin"
    slow.mkdir()
    for program in ("initdb", "psql"):
        (slow / program).symlink_to(real.program(program))
    (slow / "postgres").write_text("#!/bin/sh\necho pondering\nexec sleep 5\n")
    (slow / "postgres").chmod(0o755)
    stuck = Installation(slow)
    stuck.__dict__["version"] = real.version
    with pytest.raises(ServerStartTimeoutError) as caught:
        make_server(server.data_dir, installation=stuck, start_timeout=0.3).ensure_running()
    assert "nothing for 0.3 seconds since: pondering" in str(caught.value)
    os.kill(caught.value.pid, 9)


def test_a_lock_that_another_process_keeps(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = python(
        "import sys, time; from filelock import FileLock\n"
        "lock = FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); time.sleep(60)",
        folder / "data.lock",
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    monkeypatch.setattr("invoicing.toolkit.postgres.server.LOCK_TIMEOUT", 0.2)
    try:
        with pytest.raises(ServerBusyError, match="invoicing db status"):
            server.ensure_running()
    finally:
        holder.kill()
        holder.communicate()


def test_an_initdb_that_fails_is_quoted(folder: Path, make_server: Callable[..., Server]) -> None:
    (folder / "bin").mkdir()
    for name in ("initdb", "postgres"):
        program = folder / "bin" / name
        program.write_text("#!/bin/sh\necho 'initdb: error: no such luck' >&2; exit 1\n")
        program.chmod(0o755)
    broken = Installation(folder / "bin")
    broken.__dict__["version"] = "18.6"
    with pytest.raises(InitdbError, match="no such luck"):
        make_server(installation=broken).ensure_running()
    assert sorted(path.name for path in folder.iterdir()) == ["bin", "data.lock"]


@pytest.fixture
def small_disk(folder: Path) -> Path:
    """Return a folder on a disk of 20 MB."""
    mounted = folder / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", str(mounted)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    with pytest.raises(DiskFullError, match=f"{small_disk} is full"):
        Server(small_disk / "data").ensure_running()
    assert [path.name for path in small_disk.iterdir()] == ["data.lock"]


def test_a_machine_without_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invoicing.toolkit.postgres.installation._folders", lambda: iter(()))
    assert list(find_installations()) == []
    with pytest.raises(InstallationNotFoundError, match="DATABASE_URL"):
        find_installation()
    with pytest.raises(InstallationNotFoundError, match="PostgreSQL 9 server"):
        find_installation(9)
