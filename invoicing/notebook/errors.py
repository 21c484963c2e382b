"""Notebooks that stop."""

from __future__ import annotations

from invoicing.errors import InvoicingError


class FrameError(InvoicingError):
    """Rows cannot be made a DataFrame without losing something.

    Attributes:
        column: which column's.
    """

    def __init__(self, column: str, message: str) -> None:
        self.column = column
        super().__init__(f"cannot make a DataFrame: {message}")
