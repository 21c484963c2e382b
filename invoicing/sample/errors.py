"""Filling the database: from files, or with a sample."""

from __future__ import annotations

from invoicing.errors import InvoicingError


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
