"""The root of the tree, and what the caller got wrong."""

from __future__ import annotations

from typing import ClassVar

from invoicing.visible import visible


class InvoicingError(Exception):
    """The root of the tree; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """Return the message; what it quotes of names and queries cannot steer a terminal."""
        return visible(super().__str__(), lines=True)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: the message says what to do, and a traceback hides it."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(InvoicingError):
    """What was asked for cannot be meant; nothing was done."""

    exit_code: ClassVar[int] = 2


class SettingsError(UsageError):
    """An environment variable holds a value that cannot be used.

    Attributes:
        problems: one line for each variable, without the value (it may be a secret).
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(
            f"cannot read the settings: {'; '.join(problems)}. "
            "Nothing was started. Correct or unset the variable, then run the command again"
        )
