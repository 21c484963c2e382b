"""The three kinds of file: their rows, their columns, their tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from invoicing.schemas.load import (
    AccountRow,
    DerivedInvoiceRow,
    InvoiceRow,
    LineRow,
    MappedLineRow,
    UnscaledLineRow,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

SQL_TYPES = {
    "amount_cents": "bigint",
    "status": "invoice_status",
    "total_cents": "bigint",
    "total_major": "numeric",
    "issued_at": "timestamptz",
    "created_at": "timestamptz",
}


@dataclass(frozen=True)
class FileColumn:
    """A column of a file: its name, whether a file must have it, and what it holds."""

    name: str
    required: bool
    meaning: str

    @property
    def sql_type(self) -> str:
        """The type of its staging column."""
        if self.name == "id" or self.name.endswith("_id"):
            return "uuid"
        return SQL_TYPES.get(self.name, "text")


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes:
        name: what the file is called: `accounts`.
        singular: what one row is called: `account`.
        row: the model that checks a row.
        table: the table its rows go to.
        parent: the kind that `parent_column` refers to.
    """

    name: str
    singular: str
    row: type[BaseModel]
    table: str
    parent: FileKind | None = None
    parent_column: str | None = None

    @property
    def columns(self) -> list[FileColumn]:
        """The columns a file of this kind may have, in the order of the documentation."""
        return [
            FileColumn(name, field.is_required(), field.description or "")
            for name, field in self.row.model_fields.items()
        ]

    @property
    def staging(self) -> str:
        """The temporary table its rows are copied to."""
        return f"load_{self.name}"


ACCOUNTS = FileKind("accounts", "account", AccountRow, "account")
INVOICES = FileKind("invoices", "invoice", InvoiceRow, "invoice", ACCOUNTS, "account_id")
LINES = FileKind("lines", "line", LineRow, "invoice_line", INVOICES, "invoice_id")
KINDS = (ACCOUNTS, INVOICES, LINES)
BY_NAME = {kind.name: kind for kind in KINDS}
# What a mapping can make of them: amounts that the server works out once all rows are there.
DERIVED_INVOICES = replace(INVOICES, row=DerivedInvoiceRow)
MAPPED_LINES = replace(LINES, row=MappedLineRow)
UNSCALED_LINES = replace(LINES, row=UnscaledLineRow)
