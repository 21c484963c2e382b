"""A real pgbouncer in transaction mode, on a Unix socket of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL


@contextmanager
def pgbouncer(server: URL, *, pool_size: int) -> Iterator[URL]:
    """Yield a URL through pgbouncer to the database of `server`; skip where it is not installed."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    # Not below pytest's own folder: each pytest that starts closes that to other users again.
    folder = Path(tempfile.mkdtemp(prefix="invoicing-pgbouncer-"))
    host = server.query.get("host") or server.host
    port = server.query.get("port") or server.port or 5432
    users = folder / "users.txt"
    users.write_text(f'"{server.username}" "{server.password or ""}"\n')
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"""[databases]
{server.database} = host={host} port={port} dbname={server.database}
[pgbouncer]
pool_mode = transaction
default_pool_size = {pool_size}
unix_socket_dir = {folder}
listen_addr =
listen_port = 6432
auth_type = trust
auth_file = {users}
logfile = {folder / "pgbouncer.log"}
"""
    )
    command = [program, str(config)]
    if os.name == "posix" and os.geteuid() == 0:
        # pgbouncer refuses to run as root. The server's own user can reach the server's socket.
        user = Path(host).owner() if str(host).startswith("/") else "daemon"
        folder.chmod(0o755)
        shutil.chown(folder, user)
        command += ["-u", user]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not (folder / ".s.PGSQL.6432").exists():
            assert process.poll() is None, (folder / "pgbouncer.log").read_text()
            assert time.monotonic() < deadline, "pgbouncer did not open its socket"
            time.sleep(0.05)
        yield server.set(host=None, port=None, query={"host": str(folder), "port": "6432"})
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)
