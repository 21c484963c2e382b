"""What is generated: a schema, and what clients do to it before, between and after the phases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from invoicing.toolkit.rename.names import literal, quote

Names = Literal["old", "new"]
# Between two phases; each is named after the phase that came before it.
WINDOWS = ("before", "expand", "backfill", "verify", "contract")


@dataclass(frozen=True)
class Part:
    """One thing of a schema, in statements that are run together, or not at all.

    Attributes:
        kind: what it is called where refusals and differences are counted.
        statements: `@t` is the table, `@c` the column, `@s` the schema, each quoted; `@(c)` is the
            column's name as a string.
        is_text: whether PostgreSQL keeps it as text, which only its owner can change.
    """

    kind: str
    statements: tuple[str, ...]
    is_text: bool = False


@dataclass(frozen=True)
class Work:
    """What a client does: one statement, or a transaction of them.

    Attributes:
        kind: what it is called where differences are counted.
        statements: with names as in a `Part`; `@o` and `@n` are the column's old and new name.
        by: the name that it uses for the column.
        reads: whether it reads the column: by the new name only where that is filled.
        no_view: whether the documentation says that no view takes it.
        copied: the rows of a COPY, if it is none of statements.
        twin: what the twin is given instead, which has the column by one name.
        by_index: whether it needs an index on the column: by the new name one of `verify`'s.
        fails: the SQLSTATE that the documentation gives it while both names are there.
    """

    kind: str
    statements: tuple[str, ...]
    by: Names = "old"
    reads: bool = False
    no_view: bool = False
    copied: str | None = None
    fails: str | None = None
    twin: str = ""
    by_index: bool = False


@dataclass(frozen=True)
class Case:
    """A schema, its work, and how far its rename goes.

    Attributes:
        ending: the phase after which it is rolled back; `contract` where it is not.
        settings: of the database, for operator and clients alike.
        role: whom the clients work as; empty for the owner.
        operator: who owns and renames everything; empty for a superuser.
        changes: DDL on the old column after the backfill.
    """

    schema: str
    table: str
    old: str
    new: str
    strategy: Literal["columns", "view", "script"]
    ending: str
    parts: tuple[Part, ...]
    work: dict[str, tuple[Work, ...]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    role: str = ""
    changes: tuple[Work, ...] = ()
    operator: str = ""

    def sql(self, statement: str, column: str | None = None) -> str:
        """Return a statement with the names in it."""
        name = self.old if column is None else column
        for token, text in (
            ("@(c)", literal(name)),
            ("@(t)", literal(self.table)),
            ("@c", quote(name)),
            ("@o", quote(self.old)),
            ("@n", quote(self.new)),
            ("@t", f"{quote(self.schema)}.{quote(self.table)}"),
            ("@s", quote(self.schema)),
        ):
            statement = statement.replace(token, text)
        return statement

    def script(self) -> str:
        """Return the schema and the work as SQL, to read and to try by hand."""
        lines = [
            f"-- {self.strategy}, to {self.ending}; {self.settings} {self.role}, by {self.operator}"
        ]
        lines += [f"{self.sql(sql)};" for part in self.parts for sql in part.statements]
        for window, work in self.work.items():
            lines.append(f"-- after {window}" if window != "before" else "-- before")
            for item in work:
                name = self.old if item.by == "old" else self.new
                lines += [f"{self.sql(sql, name)};  -- {item.kind}" for sql in item.statements]
        for item in self.changes:
            lines += [
                f"{self.sql(sql)};  -- {item.kind}, after the backfill" for sql in item.statements
            ]
        return "\n".join(lines)
