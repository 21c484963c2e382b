"""One PostgreSQL server on one data folder, shared by every process that needs it.

Nothing of it depends on the process that starts it: `postmaster.pid` says where it is, a file lock
lets one process at a time start or stop it, and it runs on when its starter has ended or was
killed. What it does not do: watch the server. A killed one stays down until the next start.
"""

from __future__ import annotations

import os
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
    PostgresError,
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
    forget,
    read_postmaster,
    wait_for_end,
)
from invoicing.postgres.socket_folder import (
    make_socket_folder,
    remove_socket_folder,
    socket_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from invoicing.postgres.owner import Owner

DEFAULT_PORT = 5432
# Seconds: longer than making a data folder takes on a slow disk.
LOCK_TIMEOUT = 120.0


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
        lost_pid: the postmaster before it, when `outcome` is recovered.
        reason: what had happened to that one.
        orphans: processes it had left behind, which have ended by now.
    """

    outcome: Outcome
    pid: int
    lost_pid: int | None = None
    reason: str = ""
    orphans: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.outcome is Outcome.FOUND:
            return f"PostgreSQL runs already (pid {self.pid})"
        if self.outcome is not Outcome.RECOVERED:
            return f"PostgreSQL {self.outcome} (pid {self.pid})"
        left = f", leaving {len(self.orphans)} processes behind" if self.orphans else ""
        return (
            f"PostgreSQL recovered (pid {self.pid}): the server before it (pid {self.lost_pid}) "
            f"{self.reason}{left}. Everything committed is there"
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
        found = self._postmaster()
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
        if self._postmaster() is None:
            return None
        with self._lock():
            found = self._postmaster()
            pid = self._stop()
            if found is not None and pid is None:
                end_orphans(self.data_dir)
                forget(self.data_dir, found)
            return pid

    def reset(self) -> StartReport:
        """Stop the server, delete its data folder and start afresh; everything in it is lost."""
        data_folder.make_parent(self.data_dir)
        with self._lock():
            if self.data_dir.is_dir():
                self._stop()
                end_orphans(self.data_dir)
                data_folder.remove(self.data_dir)
            return self._start()

    def status(self) -> ServerStatus:
        """Return what is known of the server; nothing is started."""
        found = self._postmaster()
        running = self._usable(found)
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
        found = self._postmaster()
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
        lock = FileLock(path, timeout=LOCK_TIMEOUT)
        try:
            lock.acquire()
        except Timeout:
            raise ServerBusyError(self.data_dir, path) from None
        except OSError as error:
            raise data_folder.folder_error(path, error) from error
        try:
            if os.geteuid() == 0:
                # What root leaves in a user's folder must not keep that user out.
                home = path.parent.stat()
                os.chown(path, home.st_uid, home.st_gid)
            yield
        finally:
            lock.release()

    def _postmaster(self) -> Postmaster | None:
        try:
            return read_postmaster(self.data_dir)
        except PermissionError as error:
            if os.access(self.data_dir.parent, os.X_OK):
                server_owner(self.data_dir)  # says whose it is
            raise data_folder.folder_error(self.data_dir.parent, error) from error

    def _usable(self, found: Postmaster | None) -> bool:
        if found is None or not found.ready:
            return False
        return socket_path(Path(found.socket_dir), found.port).exists()

    def _start(self) -> StartReport:
        found = self._postmaster()
        if found is not None and found.alive:
            # Another process started it while we waited for the lock, and may have been killed
            # before it came up; or it is on its way down.
            wait_until_ready(self.data_dir, found.pid, self.log_file, self.start_timeout)
            found = self._postmaster()
            if found is not None and self._usable(found):
                return StartReport(Outcome.FOUND, found.pid)
        data_folder.discard_empty(self.data_dir)
        owner = server_owner(self.data_dir)
        if not self.data_dir.exists():
            sync = self.settings.get("fsync") != "off"
            data_folder.initialise(
                self.data_dir, self.installation, owner, database=self.database, sync=sync
            )
            return StartReport(Outcome.CREATED, self._launch(owner))
        data_folder.check(self.data_dir, self.installation)
        if found is None:
            return StartReport(Outcome.STARTED, self._launch(owner))
        reason = "was unreachable" if found.alive else "had ended without shutting down"
        self._stop()
        orphans = tuple(end_orphans(self.data_dir))
        forget(self.data_dir, found)
        return StartReport(Outcome.RECOVERED, self._launch(owner), found.pid, reason, orphans)

    def _launch(self, owner: Owner) -> int:
        write_settings(self.data_dir, self._all_settings)
        owner.take(self.data_dir / FILE)
        socket_dir = make_socket_folder(self.data_dir, owner)
        launch = Launch(self.installation, owner, self.data_dir, socket_dir, self.port)
        try:
            return launch.run(self.log_file, self.start_timeout)
        except PostgresError:
            remove_socket_folder(socket_dir)
            raise

    def _stop(self) -> int | None:
        found = self._postmaster()
        if found is None or not found.alive:
            return None
        for sent in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate
            try:
                os.kill(found.pid, sent)
            except ProcessLookupError:
                return found.pid
            if wait_for_end(found.pid, 30):
                remove_socket_folder(Path(found.socket_dir))
                return found.pid
        raise ServerStopError(self.data_dir, found.pid)
