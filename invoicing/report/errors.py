"""Notebooks that stop."""

from __future__ import annotations

from invoicing.errors import InvoicingError


class NotebookFailedError(InvoicingError):
    """A notebook did not run to its end, so that no report was written and no output kept.

    Attributes:
        notebook: the notebook's file name.
        error: the name of the exception's class, in the cell or of the kernel's death.
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
