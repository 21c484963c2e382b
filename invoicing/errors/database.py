"""The database: no connection, a refused statement, a migration that cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from invoicing.errors.root import InvoicingError

if TYPE_CHECKING:
    from pathlib import Path


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


class ConnectionLostError(StatementFailedError):
    """The server ended the connection, or went away, while or before a statement ran."""

    def __init__(self, sqlstate: str | None, reason: str) -> None:
        self.sqlstate = sqlstate
        self.reason = reason
        self.hint = None
        InvoicingError.__init__(
            self,
            f"the connection to the database was lost: {reason.rstrip('.')}. Nothing of an open "
            "transaction was kept. Run it again, for a new connection is made; if that fails, "
            "run: invoicing doctor",
        )


class SchemaMissingError(StatementFailedError):
    """The tables are not there, or not those of this version."""

    advice = "The database's schema is not this version's. Run: invoicing db upgrade"


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
