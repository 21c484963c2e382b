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
    """The request is invalid; nothing was changed."""

    exit_code: ClassVar[int] = 2


class MissingExtraError(UsageError):
    """A command needs a package that comes with one of the extras.

    Attributes:
        package: the package that is not installed.
        extra: the extra that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"this command needs {package}, which is not installed. Nothing was changed. Run: "
            f"pip install 'invoicing[{extra}]'"
        )


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


class DatabaseUnavailableError(InvoicingError):
    """No connection to the database could be made.

    Attributes:
        target: the database's URL without its password.
        reason: the driver's first line.
    """

    def __init__(self, target: str, reason: str) -> None:
        self.target = target
        self.reason = reason
        super().__init__(
            f"cannot connect to {target}: {reason}. "
            "If DATABASE_URL is set, check it; without it the embedded server is used. "
            "Run: invoicing db status"
        )


class StatementFailedError(InvoicingError):
    """The server refused a statement.

    Attributes:
        sqlstate: PostgreSQL's five-character code; None when the driver gave none.
        reason: the first line of the server's message.
        hint: the server's hint, if it gave one.
    """

    advice: ClassVar[str] = "Nothing of the transaction was kept"

    def __init__(self, sqlstate: str | None, reason: str, hint: str | None = None) -> None:
        self.sqlstate = sqlstate
        self.reason = reason
        self.hint = hint
        said = f"{reason.rstrip('.')} (SQLSTATE {sqlstate or 'unknown'})"
        super().__init__(f"the database refused: {said}. {hint or self.advice}")


class ConnectionLostError(StatementFailedError):
    """The server ended the connection, or went away, while or before a statement ran."""

    def __init__(self, sqlstate: str | None, reason: str) -> None:
        self.sqlstate = sqlstate
        self.reason = reason
        self.hint = None
        InvoicingError.__init__(
            self,
            f"the connection to the database was lost: {reason.rstrip('.')}. Nothing of an open "
            "transaction was kept. Run it again, for a new connection is made; if that fails, "
            "run: invoicing doctor",
        )


class SchemaMissingError(StatementFailedError):
    """The tables are not there, or not those of this version."""

    advice = "The database's schema is not this version's. Run: invoicing db upgrade"
