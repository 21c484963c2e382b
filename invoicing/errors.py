"""The root of the tree, and what the caller got wrong."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, TypeVar, dataclass_transform

from invoicing.visible import visible

_Error = TypeVar("_Error", bound="InvoicingError")


class InvoicingError(Exception):
    """The root of the tree; `exit_code` is what the command line ends with.

    Most are made by `error_of_fields`: fields, and a `message` of them that says what each is; what
    is worked out of them is a property, and there `{self.name}`.
    """

    exit_code: ClassVar[int] = 1
    message: ClassVar[str]

    def __post_init__(self) -> None:
        """Build the message of the fields."""
        super().__init__(self.message.format(self=self, **vars(self)))

    def __str__(self) -> str:
        """Return the message; what it quotes of names and queries cannot steer a terminal."""
        return visible(super().__str__(), lines=True)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: the message says what to do, and a traceback hides it."""
        return [f"{type(self).__name__}: {self}"]


@dataclass_transform(eq_default=False)
def error_of_fields(error: type[_Error]) -> type[_Error]:
    """Make the fields of an error its arguments and attributes."""
    return dataclass(eq=False, repr=False)(error)


class UsageError(InvoicingError):
    """The request is invalid; nothing was changed."""

    exit_code: ClassVar[int] = 2


@error_of_fields
class MissingExtraError(UsageError):
    """A command needs a package that comes with one of the extras."""

    package: str
    extra: str
    message = (
        "this command needs {package}, which is not installed. Nothing was changed. Run: "
        "pip install 'invoicing[{extra}]'"
    )


class UnknownSlugError(UsageError):
    """A slug was given that names nothing.

    Attributes:
        slug: what was given.
        known: the slugs there are.
    """

    kind: ClassVar[str]

    def __init__(self, slug: str, known: tuple[str, ...]) -> None:
        self.slug = slug
        self.known = known
        near = get_close_matches(slug, known, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        super().__init__(
            f"unknown {self.kind} {slug!r}. {meant}Expected one of: {', '.join(known)}"
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


@error_of_fields
class DatabaseUnavailableError(InvoicingError):
    """No connection to the database could be made.

    Attributes:
        target: the database's URL without its password.
        reason: the driver's first line.
    """

    target: str
    reason: str
    message = (
        "cannot connect to {target}: {reason}. "
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
