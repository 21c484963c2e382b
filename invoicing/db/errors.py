"""The database: no connection, a refused statement, a migration that cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError, error_of_fields

if TYPE_CHECKING:
    from pathlib import Path


class MigrationError(InvoicingError):
    """The database's schema cannot be migrated."""


@error_of_fields
class MigrationsMissingError(MigrationError):
    """The folder of migrations is not where it was installed."""

    folder: Path
    message = (
        "cannot migrate: there is no {folder}, so the installation is not complete. Run: "
        "pip install --force-reinstall invoicing"
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
