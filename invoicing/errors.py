"""Every error this package raises, in one tree.

InvoicingError
├── UsageError                   the caller asked for something that cannot be meant (exit code 2)
│   └── SettingsError            an environment variable holds a value that cannot be used
├── AccountNotFoundError         no account has this id
├── PostgresError                the embedded server: its own section below
├── MigrationError
│   ├── MigrationsMissingError   the folder of migrations is not beside the package
│   └── MigrationInProgressError another operator is migrating this database
├── StatementFailedError         the server refused a statement
│   └── SchemaMissingError       because the tables are not there, or not those of this version
└── DatabaseUnavailableError     no connection to the database could be made

Each message says the fact with its identifiers and numbers, what it means, and what to run next.
Only the command line turns an error into one line on stderr and an exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

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
