"""Days among the options of commands."""

from __future__ import annotations

from datetime import date

from invoicing.errors import UsageError


def check_as_of(text: str) -> None:
    """Refuse what is no day.

    Raises:
        UsageError: it is not written as YYYY-MM-DD.
    """
    try:
        date.fromisoformat(text)
    except ValueError:
        message = f"--as-of {text!r} is not a date; write it as 2026-06-30 (YYYY-MM-DD)"
        raise UsageError(message) from None
