"""One PostgreSQL server on one data folder, shared by every process that needs it.

Nothing of it depends on the process that starts it: `postmaster.pid` says where it is, a file lock
lets one process at a time start or stop it, and it runs on when its starter has ended or was
killed. What it does not do: watch the server. A killed one stays down until the next start.
"""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from sqlalchemy.engine import URL

from invoicing.errors import (
    DataFolderOwnerError,
    ServerBusyError,
    ServerNotRunningError,
    ServerStopError,
)
from invoicing.postgres import data_folder
from invoicing.postgres.configuration import FILE, default_settings, write_settings
from invoicing.postgres.installation import Installation, find_installation
from invoicing.postgres.launch import Launch, wait_until_ready
from invoicing.postgres.owner import server_owner
from invoicing.postgres.processes import (
    Postmaster,
    end_orphans,
    read_postmaster,
    wait_for_end,
)
from invoicing.postgres.socket_folder import make_socket_folder, socket_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_PORT = 5432


class Outcome(StrEnum):
    """How a server came to run."""

    FOUND = "found"
    STARTED = "started"
    CREATED = "created"
    RECOVERED = "recovered"


@dataclass(frozen=True)
class StartReport:
    """What `Server.ensure_running` found and did.

    Attributes:
        outcome: found running, started, created (a new data folder), or recovered.
        pid: the postmaster's.
        killed_pid: the postmaster that had been killed, when `outcome` is recovered.
        orphans: processes it had left behind, which have been ended.
    """

    outcome: Outcome
    pid: int
    killed_pid: int | None = None
    orphans: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.outcome is not Outcome.RECOVERED:
            return f"PostgreSQL {self.outcome} (pid {self.pid})"
        left = f" {len(self.orphans)} of its processes had to be ended." if self.orphans else ""
        return (
            f"PostgreSQL recovered (pid {self.pid}): the last server (pid {self.killed_pid}) had "
            f"ended without shutting down.{left} What was committed is there"
        )


@dataclass(frozen=True)
class ServerStatus:
    """What is known of a server without connecting to it; the last three only while it runs.

    Attributes:
        running: whether it takes connections.
        version: of the programs that serve it.
        data_dir: its data folder.
        log_file: its log.
        size: bytes of its data folder; None when there is none yet.
        pid: the postmaster's.
        url: where it is.
    """

    running: bool
    version: str
    data_dir: Path
    log_file: Path
    size: int | None
    pid: int | None
    url: URL | None


@dataclass(frozen=True)
class Server:
    """A server on `data_dir`; making this object does nothing.

    Attributes:
        data_dir: an absolute path; beside it lie its log, its lock and, while it is made, a draft.
        installation: the PostgreSQL to use; the first one found if not given.
        settings: PostgreSQL settings over the default ones.
        database: made with the data folder, and named by `url()`.
        port: names the socket.
        start_timeout: seconds without a new line in the log after which a start has failed.
    """

    data_dir: Path
    installation: Installation = field(default_factory=find_installation)
    settings: Mapping[str, str] = field(default_factory=dict)
    database: str = data_folder.SUPERUSER
    port: int = DEFAULT_PORT
    start_timeout: float = 60.0

    @property
    def log_file(self) -> Path:
        """Where the server writes its log."""
        return self.data_dir.with_name(f"{self.data_dir.name}.log")

    def ensure_running(self) -> StartReport:
        """Start the server unless it runs; make the data folder if there is none.

        Raises:
            PostgresError: it cannot be started; the message says why and what to do.
        """
        found = read_postmaster(self.data_dir)
        if found is not None and self._usable(found):
            return StartReport(Outcome.FOUND, found.pid)
        data_folder.make_parent(self.data_dir)
        with self._lock():
            return self._start()

    def stop(self) -> int | None:
        """Stop the server; return its pid, or None when it did not run.

        Raises:
            ServerStopError: it still runs after a minute, or this user may not stop it.
        """
        if not self.data_dir.is_dir():
            return None
        with self._lock():
            return self._stop()

    def reset(self) -> StartReport:
        """Stop the server, delete its data folder and start afresh; everything in it is lost."""
        data_folder.make_parent(self.data_dir)
        with self._lock():
            if self.data_dir.is_dir():
                self._stop()
                shutil.rmtree(self.data_dir)
            return self._start()

    def status(self) -> ServerStatus:
        """Return what is known of the server; nothing is started."""
        found = read_postmaster(self.data_dir)
        running = found is not None and self._usable(found)
        return ServerStatus(
            running=running,
            version=self.installation.version,
            data_dir=self.data_dir,
            log_file=self.log_file,
            size=data_folder.size(self.data_dir) if self.data_dir.is_dir() else None,
            pid=found.pid if running and found else None,
            url=self.url() if running else None,
        )

    def url(self, database: str | None = None) -> URL:
        """Return the URL of the running server's `database`.

        Raises:
            ServerNotRunningError: it does not run.
        """
        found = read_postmaster(self.data_dir)
        if found is None or not self._usable(found):
            raise ServerNotRunningError(self.data_dir)
        query = {"host": found.socket_dir}
        if found.port != DEFAULT_PORT:
            query["port"] = str(found.port)
        return URL.create(
            "postgresql+asyncpg",
            username=data_folder.SUPERUSER,
            database=database if database is not None else self.database,
            query=query,
        )

    @cached_property
    def _all_settings(self) -> dict[str, str]:
        return default_settings(self.installation) | dict(self.settings)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        path = self.data_dir.with_name(f"{self.data_dir.name}.lock")
        try:
            with FileLock(path, timeout=self.start_timeout + 60):
                yield
        except Timeout:
            raise ServerBusyError(self.data_dir, path) from None
        except PermissionError as error:
            raise data_folder.folder_error(path, error) from error

    def _usable(self, found: Postmaster) -> bool:
        return found.ready and socket_path(Path(found.socket_dir), found.port).exists()

    def _start(self) -> StartReport:
        found = read_postmaster(self.data_dir)
        if found is not None and found.alive:
            # Another process started it while we waited for the lock, and may have been killed
            # before it came up; or it is on its way down.
            wait_until_ready(self.data_dir, found.pid, self.log_file, self.start_timeout)
            found = read_postmaster(self.data_dir)
            if found is not None and self._usable(found):
                return StartReport(Outcome.FOUND, found.pid)
        owner = server_owner(self.data_dir)
        outcome, killed, orphans = Outcome.STARTED, None, []
        if not self.data_dir.exists():
            sync = self.settings.get("fsync") != "off"
            data_folder.initialise(
                self.data_dir, self.installation, owner, database=self.database, sync=sync
            )
            outcome = Outcome.CREATED
        data_folder.check(self.data_dir, self.installation)
        if found is not None:
            killed, outcome = found.pid, Outcome.RECOVERED
            if found.alive:
                self._stop()
            orphans = end_orphans(self.data_dir)
        write_settings(self.data_dir, self._all_settings)
        owner.take(self.data_dir / FILE)
        socket_dir = make_socket_folder(self.data_dir, owner)
        launch = Launch(self.installation, owner, self.data_dir, socket_dir, self.port)
        pid = launch.run(self.log_file, self.start_timeout)
        return StartReport(outcome, pid, killed, tuple(orphans))

    def _stop(self) -> int | None:
        found = read_postmaster(self.data_dir)
        if found is None or not found.alive:
            if found is not None:
                end_orphans(self.data_dir)
            return None
        for sent in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate
            try:
                os.kill(found.pid, sent)
            except ProcessLookupError:
                return found.pid
            except PermissionError:
                owner = server_owner(self.data_dir)
                raise DataFolderOwnerError(self.data_dir, owner.name, "") from None
            if wait_for_end(found.pid, 30):
                return found.pid
        raise ServerStopError(self.data_dir, found.pid)
