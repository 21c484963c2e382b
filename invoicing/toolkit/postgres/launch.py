"""Start a postmaster that outlives its starter, and wait until it takes connections."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.postgres.beside import open_log, read_plain
from invoicing.toolkit.postgres.errors import (
    DiskFullError,
    ServerStartError,
    ServerStartTimeoutError,
    SocketInUseError,
)
from invoicing.toolkit.postgres.processes import is_alive, read_postmaster
from invoicing.toolkit.postgres.socket_folder import socket_path

if TYPE_CHECKING:
    from pathlib import Path

    from invoicing.toolkit.postgres.installation import Installation
    from invoicing.toolkit.postgres.owner import Owner

# The shell starts it in the background, says its pid and ends: so it is never our child, and
# neither our end nor a signal to our terminal reaches it. Arguments go through untouched.
# The log, opened by us, is its standard input.
_DETACH = 'exec 3>&0; "$@" >&3 2>&3 3>&- </dev/null & echo $!'
_LOG_LIMIT = 10 * 1024 * 1024


@dataclass(frozen=True)
class Launch:
    """How to start a postmaster.

    Attributes:
        installation: whose `postgres` to run.
        owner: the user to run it as.
        data_dir: its data folder.
        socket_dir: the folder of its socket.
        port: the name of its socket.
    """

    installation: Installation
    owner: Owner
    data_dir: Path
    socket_dir: Path
    port: int

    def run(self, log_file: Path, timeout: float) -> int:
        """Start it, wait until it is ready and return its pid.

        Raises:
            ServerStartError: it ended at once; the log's last line is quoted.
            ServerStartTimeoutError: it is still not ready, and has said nothing new.
        """
        self._refuse_foreign_socket()
        if log_file.exists() and log_file.lstat().st_size > _LOG_LIMIT:
            log_file.replace(log_file.with_name(f"{log_file.name}.1"))
        pid = self._spawn(log_file)
        wait_until_ready(self.data_dir, pid, log_file, timeout)
        found = read_postmaster(self.data_dir)
        if found is None or not found.ready:
            self._refuse_foreign_socket()
            raise _failure(self.data_dir, log_file)
        return found.pid

    def _spawn(self, log_file: Path) -> int:
        command = [self.installation.program("postgres"), "-D", str(self.data_dir)]
        command += ["-k", str(self.socket_dir), "-p", str(self.port), "-h", ""]
        full, keywords = self.owner.command(
            command, (self.installation.bin_dir, self.data_dir, self.socket_dir)
        )
        log = open_log(log_file, self.owner)
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", _DETACH, "sh", *full],
                stdin=log,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                cwd=self.installation.bin_dir,
                start_new_session=True,
                **keywords,
            )
        finally:
            os.close(log)
        return int(done.stdout)

    def _refuse_foreign_socket(self) -> None:
        """Refuse a socket that a server of another data folder holds."""
        lock = socket_path(self.socket_dir, self.port)
        lock = lock.with_name(f"{lock.name}.lock")
        try:
            pid, data_dir = read_plain(lock).splitlines()[:2]
        except (OSError, ValueError):
            return
        if pid.isdigit() and is_alive(int(pid)) and data_dir != str(self.data_dir):
            raise SocketInUseError(self.socket_dir, self.port, int(pid), data_dir)


def wait_until_ready(data_dir: Path, pid: int, log_file: Path, timeout: float) -> None:
    """Wait until the server is ready or `pid` has ended.

    A recovery takes as long as it takes: each new line in the log gives it `timeout` seconds more.

    Raises:
        ServerStartTimeoutError: neither has happened, and the log has stood still.
    """
    said, deadline = -1, 0.0
    while is_alive(pid):
        found = read_postmaster(data_dir)
        if found is not None and found.ready:
            return
        now_said = log_file.stat().st_size if log_file.exists() else 0
        if now_said != said:
            said, deadline = now_said, time.monotonic() + timeout
        elif time.monotonic() > deadline:
            raise ServerStartTimeoutError(data_dir, pid, timeout, _last_line(log_file), log_file)
        time.sleep(0.02)


def _failure(data_dir: Path, log_file: Path) -> Exception:
    lines = _last_lines(log_file)
    if any("No space left on device" in line for line in lines):
        return DiskFullError(data_dir)
    fatal = [line for line in lines if " FATAL: " in line or " PANIC: " in line]
    return ServerStartError(data_dir, (fatal or lines or ["nothing"])[-1].strip(), log_file)


def _last_line(log_file: Path) -> str:
    return (_last_lines(log_file) or ["nothing"])[-1].strip()


def _last_lines(log_file: Path) -> list[str]:
    try:
        return read_plain(log_file, last=4096).splitlines()
    except OSError:
        return []
