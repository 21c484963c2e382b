"""Filling the database: from files, or with a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError, UsageError, error_of_fields

if TYPE_CHECKING:
    from pathlib import Path

    from invoicing.schemas.load import LoadReport


@error_of_fields
class InputFileError(UsageError):
    """A file to load cannot be read, or lacks a column; nothing was loaded."""

    path: Path
    reason: str
    message = (
        "cannot load {path}: {reason}. Nothing was loaded. "
        "Run: invoicing load --help, for the columns of each file"
    )


@error_of_fields
class MappingError(UsageError):
    """A mapping cannot be read, or is invalid.

    Attributes:
        line: of the mapping; None when it is about the whole.
    """

    place: str
    line: int | None
    reason: str
    message = "{place}: {reason}"

    def __post_init__(self) -> None:
        """Say where, and what to read."""
        where = f"{self.place}:{self.line}" if self.line else self.place
        Exception.__init__(
            self,
            f"cannot use the mapping {where}: {self.reason}. Nothing was loaded. Correct it, or "
            "run: invoicing load --suggest FILES, which writes one",
        )


class LoadError(InvoicingError):
    """Files could not be loaded; the database is as it was before."""


@error_of_fields
class BadRowsError(LoadError):
    """Some rows of the files are bad, and nothing was loaded.

    Attributes:
        report: the `LoadReport`: counts by reason, the first bad rows, the rejects file.
    """

    report: LoadReport
    rows: int
    rejected: int
    message = (
        "cannot load: {rejected:,} of {rows:,} rows are bad. Nothing was loaded. Correct "
        "them, or run the command again with --skip-bad, to load the others"
    )


@error_of_fields
class IncompleteInvoicesError(BadRowsError):
    """Rows are bad whose invoices are not known, so that none of the invoices may be whole.

    Attributes:
        unknown: how many.
    """

    unknown: int
    message = (
        "cannot load: {rejected:,} of {rows:,} rows are bad, and of {unknown:,} it is not known "
        "which invoice they belong to: an invoice without them would have another amount, or its "
        "lines other ids. Nothing was loaded. Correct them, then run the command again"
    )


@error_of_fields
class RejectsError(LoadError):
    """The bad rows could not be written, or not all of them; nothing was loaded."""

    path: Path
    reason: str
    message = (
        "cannot write the rejects to {path}: {reason}. Nothing was loaded, and what is in it is "
        "not every bad row. Name another file: --rejects FILE"
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


@error_of_fields
class LoadFailedError(LoadError):
    """The database refused, or the connection was lost; the transaction was rolled back.

    Attributes:
        reason: the driver's first line.
        sqlstate: PostgreSQL's code; None when the connection was lost.
    """

    reason: str
    sqlstate: str | None
    message = (
        "cannot load: {reason}{self.code}. Nothing was loaded. "
        "Run: invoicing db status, then load again"
    )

    @property
    def code(self) -> str:
        """What stands after the reason."""
        return f" (SQLSTATE {self.sqlstate})" if self.sqlstate else ""
