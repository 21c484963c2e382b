"""Folders and servers that go away after each test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.settings import Settings
from invoicing.toolkit.postgres import Server, embedded_server
from invoicing.toolkit.postgres.processes import read_postmaster, wait_for_end
from invoicing.toolkit.postgres.socket_folder import folder_name
from tests.conftest import throw_away_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "10"}


def kill(pid: int) -> None:
    """Kill `pid` as a crash does, and return once it is dead."""
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid, 10)


def discard(home: Path) -> None:
    """Stop the server of a home, and remove what root keeps of it elsewhere."""
    server = embedded_server(Settings(home=home))
    server.stop()
    if server.folder != server.data_dir:
        shutil.rmtree(server.folder.parent, ignore_errors=True)


def python(code: str, *arguments: object, **keywords: object) -> subprocess.Popen[str]:
    """Run `code` in a process of its own that can import what the tests import."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder with a short path that any user can enter; what runs in it is ended."""
    path = throw_away_folder("pg-")
    yield path
    for pid_file in path.rglob("postmaster.pid"):
        found = read_postmaster(pid_file.parent)
        if found is not None and found.alive:
            kill(found.pid)
    shutil.rmtree(path)


@pytest.fixture
def make_server(folder: Path) -> Iterator[Callable[..., Server]]:
    """Yield a factory of servers, which are stopped after the test."""
    made: list[Server] = []

    def make(data_dir: Path | None = None, **keywords: object) -> Server:
        keywords["settings"] = QUICK | dict(keywords.get("settings", {}))
        made.append(Server(data_dir or folder / "data", **keywords))
        return made[-1]

    yield make
    for server in made:
        if server.data_dir.is_dir() and (server.data_dir / "PG_VERSION").exists():
            server.stop()
        for left in Path("/tmp").glob(folder_name(server.data_dir, "*")):
            shutil.rmtree(left, ignore_errors=True)


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """Yield a data folder to copy: making one takes ten times as long."""
    home = throw_away_folder("pg-")
    server = Server(home / "data", settings=QUICK)
    server.ensure_running()
    server.stop()
    yield server.data_dir
    shutil.rmtree(home)


@pytest.fixture
def server(make_server: Callable[..., Server], made: Path) -> Server:
    """Return a server that has been stopped."""
    server = make_server()
    subprocess.run(["cp", "-a", made, server.data_dir], check=True)
    return server


@pytest.fixture
def new_server(make_server: Callable[..., Server]) -> Server:
    """Return a server that has no data folder yet."""
    return make_server()


def query(server: Server, statement: str, database: str = "postgres") -> str:
    """Return what psql prints for `statement`."""
    url = server.url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [server.installation.program("psql"), "-XAtc", statement, url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
