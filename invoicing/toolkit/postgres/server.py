"""One PostgreSQL server on one data folder, shared by every process that needs it.

Nothing of it depends on the process that starts it: `postmaster.pid` says where it is, a file lock
lets one process at a time start or stop it, and it runs on when its starter has ended or was
killed. What it does not do: watch the server. A killed one stays down until the next start.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.db.url import DEFAULT_PORT, socket_url
from invoicing.toolkit.postgres import data_folder
from invoicing.toolkit.postgres.beside import locked
from invoicing.toolkit.postgres.configuration import default_settings, write_settings
from invoicing.toolkit.postgres.errors import (
    DataFolderUnreachableError,
    PostgresError,
    ServerNotRunningError,
    ServerStopError,
)
from invoicing.toolkit.postgres.installation import Installation, find_installation
from invoicing.toolkit.postgres.launch import Launch, wait_until_ready
from invoicing.toolkit.postgres.owner import server_owner
from invoicing.toolkit.postgres.place import ROOT, folder_of, prepare_home, reachable
from invoicing.toolkit.postgres.processes import (
    Postmaster,
    end_orphans,
    forget,
    read_postmaster,
    wait_for_end,
)
from invoicing.toolkit.postgres.socket_folder import (
    make_socket_folder,
    remove_socket_folder,
    socket_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres.owner import Owner

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
        folder: where that is kept: elsewhere for root.
        log_file: its log.
        size: bytes of its data folder; None when there is none yet.
        pid: the postmaster's.
        url: where it is.
    """

    running: bool
    version: str
    data_dir: Path
    folder: Path
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
        of_home: whether the folder of `data_dir` is the project's own: it is kept for its owner
            only, and root keeps a new data folder elsewhere, with a link to it.
    """

    data_dir: Path
    installation: Installation = field(default_factory=find_installation)
    settings: Mapping[str, str] = field(default_factory=dict)
    database: str = data_folder.SUPERUSER
    port: int = DEFAULT_PORT
    start_timeout: float = 60.0
    of_home: bool = False

    @property
    def folder(self) -> Path:
        """Where the data is kept: `data_dir`, or where root keeps it."""
        return folder_of(self.data_dir, of_home=self.of_home)

    @property
    def log_file(self) -> Path:
        """Where the server writes its log."""
        return self.folder.with_name(f"{self.folder.name}.log")

    def ensure_running(self) -> StartReport:
        """Start the server unless it runs; make the data folder if there is none.

        Raises:
            PostgresError: it cannot be started; the message says why and what to do.
        """
        self._make_folders()
        found = self._postmaster()
        if found is not None and self._usable(found):
            return StartReport(Outcome.FOUND, found.pid)
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
                end_orphans(self.folder)
                forget(self.folder, found)
            return pid

    def reset(self) -> StartReport:
        """Stop the server, delete its data folder and start afresh; everything in it is lost."""
        self._make_folders()
        with self._lock():
            if self.folder.is_dir():
                data_folder.check_is_one(self.folder)
                owner = server_owner(self.folder)
                self._stop()
                end_orphans(self.folder)
                data_folder.remove(self.folder, owner)
            return self._start()

    def status(self) -> ServerStatus:
        """Return what is known of the server; nothing is started."""
        found = self._postmaster()
        running = self._usable(found)
        return ServerStatus(
            running=running,
            version=self.installation.version,
            data_dir=self.data_dir,
            folder=self.folder,
            log_file=self.log_file,
            size=data_folder.size(self.folder) if self.folder.is_dir() else None,
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
            raise ServerNotRunningError(self.folder)
        name = database if database is not None else self.database
        return socket_url(found.socket_dir, found.port, data_folder.SUPERUSER, name)

    @cached_property
    def _all_settings(self) -> dict[str, str]:
        return default_settings(self.installation) | dict(self.settings)

    def _make_folders(self) -> None:
        try:
            if self.of_home:
                prepare_home(self.data_dir, self.folder)
        except OSError as error:
            raise data_folder.folder_error(self.data_dir.parent, error) from error
        data_folder.make_parent(self.folder)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        path = self.folder.with_name(f"{self.folder.name}.lock")
        with ExitStack() as held:
            try:
                held.enter_context(locked(path, self.folder, LOCK_TIMEOUT))
            except OSError as error:
                raise data_folder.folder_error(path, error) from error
            yield

    def _postmaster(self) -> Postmaster | None:
        try:
            return read_postmaster(self.folder)
        except PermissionError as error:
            if os.access(self.folder.parent, os.X_OK):
                server_owner(self.folder)  # says whose it is
            raise data_folder.folder_error(self.folder.parent, error) from error

    def _usable(self, found: Postmaster | None) -> bool:
        if found is None or not found.ready:
            return False
        return socket_path(Path(found.socket_dir), found.port).exists()

    def _start(self) -> StartReport:
        found = self._postmaster()
        if found is not None and found.alive:
            # Another process started it while we waited for the lock, and may have been killed
            # before it came up; or it is on its way down.
            wait_until_ready(self.folder, found.pid, self.log_file, self.start_timeout)
            found = self._postmaster()
            if found is not None and self._usable(found):
                return StartReport(Outcome.FOUND, found.pid)
        data_folder.discard_empty(self.folder)
        owner = server_owner(self.folder)
        if not self.folder.exists():
            sync = self.settings.get("fsync") != "off"
            programs = self._programs(owner)
            data_folder.initialise(self.folder, programs, owner, database=self.database, sync=sync)
            return StartReport(Outcome.CREATED, self._launch(owner))
        data_folder.check(self.folder, self.installation)
        if found is None:
            return StartReport(Outcome.STARTED, self._launch(owner))
        reason = "was unreachable" if found.alive else "had ended without shutting down"
        self._stop()
        orphans = tuple(end_orphans(self.folder))
        forget(self.folder, found)
        return StartReport(Outcome.RECOVERED, self._launch(owner), found.pid, reason, orphans)

    def _launch(self, owner: Owner) -> int:
        if not owner.reaches(self.folder):
            raise DataFolderUnreachableError(self.folder, owner.name)
        programs = self._programs(owner)
        try:
            write_settings(self.folder, self._all_settings, owner)
        except OSError as error:
            raise data_folder.folder_error(self.folder, error) from error
        socket_dir = make_socket_folder(self.folder, owner)
        launch = Launch(programs, owner, self.folder, socket_dir, self.port)
        try:
            return launch.run(self.log_file, self.start_timeout)
        except PostgresError:
            remove_socket_folder(socket_dir, owner)
            raise

    def _programs(self, owner: Owner) -> Installation:
        try:
            return reachable(self.installation, owner)
        except OSError as error:
            raise data_folder.folder_error(ROOT, error) from error

    def _stop(self) -> int | None:
        found = self._postmaster()
        if found is None or not found.alive:
            return None
        owner = server_owner(self.folder)
        for sent in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate
            owner.signal(found.pid, sent)
            if wait_for_end(found.pid, 30):
                remove_socket_folder(Path(found.socket_dir), owner)
                return found.pid
        raise ServerStopError(self.folder, found.pid)
