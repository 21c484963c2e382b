"""Migrations whose SQL could not be checked."""

from __future__ import annotations

import re

from invoicing.errors import InvoicingError, error_of_fields


@error_of_fields
class SquawkMissingError(InvoicingError):
    """The program that knows which statements lock is not installed."""

    message = (
        "squawk is not installed, so the locks of migrations cannot be checked. "
        "Run: pip install squawk-cli"
    )


class OfflineSqlError(InvoicingError):
    """The SQL of migrations could not be written or read.

    Attributes:
        config: whose migrations they are.
        reason: what Alembic or squawk said, without passwords.
    """

    def __init__(self, config: str, reason: str) -> None:
        self.config = config
        self.reason = re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", reason)
        super().__init__(
            f"cannot check the SQL of {config}: {self.reason}. Nothing was checked. "
            "Run: alembic upgrade base:heads --sql, to see where it stops"
        )
