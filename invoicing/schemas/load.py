"""One row of each file that can be loaded, and what a load reports.

The row models are the documentation of the files' columns: `--help` and the docs are made from
them.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from invoicing.models import InvoiceStatus
from invoicing.schemas.cells import (
    AccountId,
    Cents,
    Currency,
    InvoiceId,
    LineId,
    Moment,
    OptionalText,
    StatusCell,
    TextCell,
)


class AccountRow(BaseModel):
    """A row of an accounts file."""

    id: AccountId = Field(description="any text or number; a UUID stays itself")
    name: TextCell = Field(description="the customer's name")
    plan: TextCell = Field(description="the plan it is on")


class InvoiceRow(BaseModel):
    """A row of an invoices file."""

    id: InvoiceId = Field(description="any text or number; a UUID stays itself")
    account_id: AccountId = Field(description="an id of the accounts file or of the database")
    amount_cents: Cents = Field(
        description="whole minor units (cents): digits alone, with - for a credit"
    )
    currency: Currency = Field(description="an ISO 4217 code, three capitals")
    status: StatusCell = Field(
        default=InvoiceStatus.DRAFT, description="draft (when empty), open, paid or void"
    )
    issued_at: Moment = Field(
        default=None, description="ISO 8601 date or time; UTC when no zone is written"
    )
    created_at: Moment = Field(
        default=None, description="the same; when empty, the time of loading"
    )


class LineRow(BaseModel):
    """A row of a lines file."""

    id: LineId = Field(description="any text or number; a UUID stays itself")
    invoice_id: InvoiceId = Field(description="an id of the invoices file or of the database")
    description: OptionalText = Field(default=None, description="what was sold")
    total_cents: Cents = Field(
        description="whole minor units of the invoice: digits alone, with - for a credit"
    )


class DerivedInvoiceRow(InvoiceRow):
    """A row of an invoice whose amount is what its lines add up to."""

    amount_cents: Cents = Field(default=0, description="set once the lines are known")


class MappedLineRow(LineRow):
    """A line of a mapped file, whose currency is compared with its invoice's."""

    currency: str | None = Field(default=None, description="the row's currency, if it says one")


class UnscaledLineRow(MappedLineRow):
    """A line in whole units of a currency that only its invoice says."""

    total_cents: Cents = Field(default=0, description="set once the currency is known")
    total_major: Decimal = Field(description="the total in whole units")


class FileReport(BaseModel):
    """What became of one file's rows.

    Attributes:
        kind: `accounts`, `invoices` or `lines`.
        unchanged: rows the database held already, just so; they were not touched.
        rejected: bad rows; each counts once, whatever is wrong with it.
        ignored_columns: columns of the file that are none of ours.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    path: Path
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    ignored_columns: list[str] = []


class RejectedRow(BaseModel):
    """A bad row: where it stands (a line of a CSV, a row of a Parquet file) and what is wrong."""

    model_config = ConfigDict(frozen=True)

    path: Path
    line: int
    reason: str


class MonthSum(BaseModel):
    """What the invoices of a load, of one currency and month of issue, add up to.

    Attributes:
        month: its first day, in UTC; None for invoices without a date of issue.
        lines_cents: of their lines; None when there are none.
    """

    model_config = ConfigDict(frozen=True)

    currency: str
    month: date | None
    invoices: int
    amount_cents: int
    lines: int
    lines_cents: int | None


class LoadReport(BaseModel):
    """What a load did, or would have done.

    Attributes:
        loaded: whether the database was changed as the files say.
        dry_run: whether only the checks were asked for; the counts are then what would be.
        rows, rejected: all rows of the files, and the bad ones among them, each once: a row that
            is read as several kinds counts for each of them in `files`.
        reasons: how many times each rule was broken.
        first_rejected: the first bad rows, in the order of the files.
        rejects: the file that has all of them, if one was written.
        notes: what was found out or assumed, and which rows were left out.
        sums: what the loaded invoices, and those of loaded lines, add up to, by currency and month.
        sums_are_stored: whether that is what the database holds, or would hold, of other loads'
            lines too; if not, what the good rows of the files add up to.
        first_rows: of a dry run, the first rows of each kind as they would be stored.
    """

    model_config = ConfigDict(frozen=True)

    loaded: bool
    dry_run: bool
    files: list[FileReport]
    rows: int
    rejected: int
    reasons: dict[str, int]
    first_rejected: list[RejectedRow]
    rejects: Path | None
    seconds: float
    notes: list[str] = []
    sums: list[MonthSum] = []
    sums_are_stored: bool = False
    first_rows: dict[str, list[dict[str, Any]]] = {}

    @property
    def written(self) -> int:
        """All rows that were inserted or updated, or would have been."""
        return sum(file.inserted + file.updated for file in self.files)

    @property
    def unchanged(self) -> int:
        """All rows that the database held already, just so."""
        return sum(file.unchanged for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return self.model_dump(mode="json")
