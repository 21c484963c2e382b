"""Notebooks that stop, and parameters that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError, UsageError, error_of_fields

if TYPE_CHECKING:
    from collections.abc import Sequence


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


@error_of_fields
class BrowserMissingError(UsageError):
    """No browser is installed that could print a page."""

    message = (
        "no browser is installed that could print PDF. Nothing was written. Install chromium, or "
        "leave out --pdf and print the pages from your own browser"
    )


class NotebookParameterError(UsageError):
    """A notebook's parameter was given wrongly.

    Attributes:
        notebook: the notebook's file name.
        given: what was given.
        known: the names of its parameters.
    """

    def __init__(self, notebook: str, given: str, known: Sequence[str]) -> None:
        self.notebook = notebook
        self.given = given
        self.known = tuple(known)
        super().__init__(
            f"parameter {given!r} does not fit {notebook}. Nothing was written. Write NAME=VALUE, "
            f"a number for a number; its parameters are: {', '.join(known)}"
        )
