"""The processes of a server: its postmaster, and what a killed postmaster left behind."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from invoicing.toolkit.postgres.beside import read_plain
from invoicing.toolkit.postgres.owner import of_uid

_PID_FILE = "postmaster.pid"
_PROGRAMS = ("postgres", "postmaster", "initdb")


@dataclass(frozen=True)
class Postmaster:
    """What a data folder's `postmaster.pid` says.

    Attributes:
        pid: the process.
        port: its port.
        socket_dir: the folder of its socket; empty where it has none.
        status: `starting`, `ready`, `standby` or `stopping`; empty in its first moments.
        alive: whether the process is there and is a PostgreSQL of this folder.
    """

    pid: int
    port: int
    socket_dir: str
    status: str
    alive: bool

    @property
    def ready(self) -> bool:
        """Whether it takes connections."""
        return self.alive and self.status in {"ready", "standby"}


def read_postmaster(data_dir: Path) -> Postmaster | None:
    """Return what `postmaster.pid` says; None when there is none, or only an empty one."""
    try:
        lines = read_plain(data_dir / _PID_FILE).splitlines() + [""] * 8
        pid, port = int(lines[0]), int(lines[3] or 0)
    except PermissionError:
        raise
    except (OSError, ValueError):
        return None
    if not 0 < pid < 2**31:
        return None
    return Postmaster(pid, port, lines[4].strip(), lines[7].strip(), _serves(pid, data_dir))


def forget(data_dir: Path, gone: Postmaster) -> None:
    """Remove the lock files of a postmaster that is gone, where its number still exists.

    PostgreSQL takes any process of that number for its postmaster: another program's by now, or the
    zombie that stays where process 1 collects none, as in many containers.
    """
    if not psutil.pid_exists(gone.pid):
        return
    socket = Path(gone.socket_dir, f".s.PGSQL.{gone.port}")
    owner = of_uid(data_dir.stat().st_uid)
    for path in (data_dir / _PID_FILE, socket.with_name(f"{socket.name}.lock")):
        with suppress(OSError, IndexError):
            if read_plain(path).split()[0] == str(gone.pid):
                owner.sh('rm -f -- "$1"', path)


def is_alive(pid: int) -> bool:
    """Tell whether `pid` runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for_end(pid: int, timeout: float) -> bool:
    """Wait until `pid` has ended; return False when it still runs after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end_orphans(data_dir: Path, patience: float = 2.0) -> list[int]:
    """End the processes a killed postmaster left on `data_dir`; return their pids.

    Most end by themselves when they notice; one in the middle of a query does not. While one of
    them holds the shared memory no new server can start. They are known by their working folder
    or the folder they were given, so no other server's process is touched.
    """
    orphans = [process for process in psutil.process_iter() if _works_on(process, data_dir)]
    owner = of_uid(data_dir.stat().st_uid) if orphans else None
    for sent, wait in ((0, patience), (signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        for process in orphans:
            # Its number may be another's by now.
            if owner is not None and sent and process.is_running():
                owner.signal(process.pid, sent)
        deadline = time.monotonic() + wait
        while any(is_alive(process.pid) for process in orphans) and time.monotonic() < deadline:
            time.sleep(0.02)
    return [process.pid for process in orphans]


def _serves(pid: int, data_dir: Path) -> bool:
    """Tell whether `pid` is a PostgreSQL of `data_dir`: the number may have passed to another."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return _is_of(process, data_dir)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        # Another user's PostgreSQL: better left alone than taken for dead.
        return True


def _works_on(process: psutil.Process, data_dir: Path) -> bool:
    try:
        return _is_of(process, data_dir)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # a zombie counts as the first
        return False


def _is_of(process: psutil.Process, data_dir: Path) -> bool:
    if not process.name().lower().startswith(_PROGRAMS):
        return False
    # Anyone may give a process this name and this argument, in a folder of theirs a pid file too.
    if not data_dir.exists() or process.uids().real != data_dir.stat().st_uid:
        return False
    # A backend's arguments are overwritten by its title, and initdb does not change its folder.
    return str(data_dir) in process.cmdline() or Path(process.cwd()) == data_dir
