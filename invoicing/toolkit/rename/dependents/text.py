"""Names in the text of functions: PostgreSQL keeps most bodies as text and knows nothing of them.

Each use of the column's name is held against the tables that its statement names.

What it does not detect: a name that is put together from pieces. Where it cannot say whose column
is meant, it says that it is ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.dependents.rows import Part, Result, Use
from invoicing.toolkit.rename.dependents.statement import BodyStatement, SoughtNames
from invoicing.toolkit.rename.dependents.tokens import Token, cut, parts, spelled_out, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Body", "Result", "SoughtNames", "Use", "read_body"]


@dataclass(frozen=True)
class Body:
    """A function's text, cut into tokens."""

    tokens: tuple[Token, ...]
    is_sql: bool

    def lines_naming(self, names: SoughtNames) -> list[int]:
        """Return the lines that name the column, or may."""
        if not self.is_sql:
            words = {token.text for token in self.tokens}
            ours = bool(names.given) or names.row_known or names.table.lower() in words
            column = names.column.lower()
            return [token.line for token in self.tokens if ours and token.text == column]
        tables = self._tables(names)
        ours = bool(names.given) or names.row_known or names.table in tables.named
        found = []
        for statement in self.statements():
            found += BodyStatement(statement, names, tables.ours).lines_naming(ours=ours)
        return sorted(set(found))

    def uses_of_rows(
        self, names: SoughtNames, result: Result, takers: frozenset[str], arguments: Sequence[str]
    ) -> list[Use]:
        """Return where whole rows go to where the number of columns or their order is fixed.

        Args:
            names: whose.
            result: what the function gives its caller.
            takers: functions that take a row of the table.
            arguments: its own arguments that are one.
        """
        if not self.is_sql:
            return []
        ours = self._tables(names).whole
        dynamic = any(token.text == "execute" and not token.in_literal for token in self.tokens)
        pieces = [
            piece
            for statement in self.statements()
            for part in parts(statement)
            if (piece := spelled_out(part, dynamic=dynamic))
        ]
        variables = dict.fromkeys((*arguments, *self._variables(names.table)), False)
        records = self._variables("record")
        given, of_table = dict(variables), set(variables)
        while True:  # a record that a whole row has gone to holds one
            read = [Part(piece, names, ours, given, of_table, result, takers) for piece in pieces]
            gifts = [(part, name) for part in read for name in part.gives_to() if name in records]
            of_ours = {name for part, name in gifts if part.has_rows_of_table()}
            more = {name for _, name in gifts}
            if more <= given.keys() and of_ours <= of_table:
                break
            given |= dict.fromkeys(more, True)
            of_table |= of_ours
        found = [use for part in read for use in part.uses()]
        if any(part.has_cursor for part in read):
            fetched = [line for part in read if (line := part.fetched())]
            found += [Use(line, by_position=True, from_table=True) for line in fetched]
        return found

    def lines_joining(self, names: SoughtNames) -> list[int]:
        """Return the lines of a NATURAL JOIN that has the table in it."""
        ours = self._tables(names).ours
        return [
            token.line
            for statement in self.statements()
            if self.is_sql and BodyStatement(statement, names, ours).is_ours
            for token in statement
            if token.text == "natural"
        ]

    def lines_of_whole_rows(self) -> list[int]:
        """Return where NEW or OLD is used whole, other than to return it."""
        found = []
        for before, token, after, then in windows(self.tokens):
            if (
                token.in_literal
                or token.text not in {"new", "old"}
                or before.text in {".", "return"}
            ):
                continue
            if after.text != "." or then.text == "*":
                found.append(token.line)
        return found

    def lines_of_row_type(self, names: SoughtNames, *, built: bool = False) -> list[int]:
        """Return where the type of the table's rows is used: `item%ROWTYPE`, `NULL::item`.

        Args:
            names: whose.
            built: only where a row is built of its values: `ROW(1, 2)::item`.
        """
        found = []
        marks = [token.text for token in self.tokens]
        for place, token in enumerate(self.tokens):
            if token.text != names.table or not token.is_name:
                continue
            head = place - 2 if marks[place - 1 : place] == ["."] else place
            cast = marks[max(head - 2, 0) : head] == [":", ":"]
            if built and cast:
                cast = marks[head - 3] == ")" or self.tokens[head - 3].in_literal
            if cast or (not built and marks[place + 1 : place + 3] == ["%", "rowtype"]):
                found.append(token.line)
        return found

    def statements(self) -> Iterator[list[Token]]:
        """Yield what stands between two semicolons."""
        statement: list[Token] = []
        for token in self.tokens:
            if token.text == ";" and not token.in_literal:
                yield statement
                statement = []
            else:
                statement.append(token)
        yield statement

    def _variables(self, type_: str) -> set[str]:
        """Return the names that are declared with this type, or with its %ROWTYPE."""
        found = set()
        declares = False
        texts = [token.text for token in self.tokens]
        for place, token in enumerate(self.tokens):
            if token.in_literal:
                continue
            declares = token.text == "declare" or (declares and token.text != "begin")
            if declares and token.text == type_:
                head = place - 2 if texts[place - 1] == "." else place
                found.add(texts[head - 1])
        return found - {"declare"}

    def _tables(self, names: SoughtNames) -> _Tables:
        """Return the tables that are named; ours, and what is made from ours."""
        named, ours, parts_of = set(), {names.table, *names.given}, set()
        for statement in self.statements():
            read = BodyStatement(statement, names, frozenset(ours))
            named |= {token.text for token in statement if token.is_name}
            if read.is_ours and (made := read.made()):
                ours.add(made)
                parts_of |= set() if read.makes_whole_rows() else {made}
        return _Tables(frozenset(named), frozenset(ours), frozenset(ours - parts_of))


class _Tables(NamedTuple):
    named: frozenset[str]
    ours: frozenset[str]
    whole: frozenset[str]


def read_body(text: str, language: str) -> Body:
    """Cut a function's text into tokens."""
    if language in {"sql", "plpgsql"}:
        return Body(tuple(cut(text, 1, in_literal=False)), is_sql=True)
    words = re.finditer(r"[^\W\d]\w*", text)
    return Body(
        tuple(
            Token(word[0].lower(), word[0], 1 + text.count("\n", 0, word.start()), True, False)
            for word in words
        ),
        is_sql=False,
    )
