"""Notebooks that stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError, StatementFailedError, UsageError, error_of_fields

if TYPE_CHECKING:
    from collections.abc import Sequence


class FrameError(InvoicingError):
    """Rows cannot be made a DataFrame without losing something.

    Attributes:
        column: which column's.
    """

    def __init__(self, column: str, message: str) -> None:
        self.column = column
        super().__init__(f"cannot make a DataFrame: {message}")


@error_of_fields
class ExportError(InvoicingError):
    """A table cannot be written to a file of this kind.

    Attributes:
        kind: of the file: CSV, Excel or Parquet.
        reason: why.
    """

    kind: str
    reason: str
    message = (
        "cannot export to {kind}: {reason}. Nothing was written. Narrow the table, or use another "
        "format: to_csv, to_excel, to_parquet"
    )


class MissingParameterError(UsageError):
    """SQL has a `:name` without a value.

    Attributes:
        names: those without a value.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        named = ", ".join(f":{name}" for name in names)
        super().__init__(
            f"no value for {named}. Nothing was read. In a %%sql cell assign a variable of that "
            "name before; in read_frame give it: read_frame(database, sql, {...}). A colon that "
            "begins no parameter is written \\:"
        )


class QueryRefusedError(StatementFailedError):
    """SQL of a cell does not fit the database: a name that is not there, another type."""

    advice = "Nothing was read"


@error_of_fields
class QuerySourceError(UsageError):
    """What was to be read from, or the statement, is nothing that rows come of.

    Attributes:
        given: the type of what was given.
        advice: what to write.
    """

    given: str
    advice: str
    message = "cannot make a DataFrame of a {given}. Nothing was read. {advice}"


@error_of_fields
class MissingAwaitError(UsageError):
    """A coroutine was given where its result is needed.

    Attributes:
        name: of the function whose call was not awaited.
    """

    name: str
    message = "{name}(...) has not run: its call is missing an await. Write: await {name}(...)"


class NoQueryError(UsageError):
    """A statement is no query whose rows could be a DataFrame; it did not run.

    Attributes:
        word: its first word.
    """

    def __init__(self, word: str) -> None:
        self.word = word
        if not word:
            super().__init__("there is no statement. Nothing was read. Write a SELECT")
            return
        super().__init__(
            f"{word} is no query here: it returns no rows to make a DataFrame of. It did not run. "
            "Write a SELECT (INSERT, UPDATE and DELETE need RETURNING); anything else runs with "
            "await session.execute(text(...))"
        )
