"""Names in the text of functions: PostgreSQL keeps most bodies as text and knows nothing of them.

Each use of the column's name is held against the tables that its statement names.

What it does not detect: a name that is put together from pieces. Where it cannot say whose column
is meant, it says that it is ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.dependents.statement import Names, Statement
from invoicing.toolkit.rename.dependents.tokens import Token, cut, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Body", "Names", "read_body"]
_PARTS = frozenset({"then", "else", "loop", "begin"})


@dataclass(frozen=True)
class Body:
    """A function's text, cut into tokens."""

    tokens: tuple[Token, ...]
    is_sql: bool

    def lines_naming(self, names: Names) -> list[int]:
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
            found += Statement(statement, names, tables.ours).lines_naming(ours=ours)
        return sorted(set(found))

    def lines_copying(self, names: Names, *, fixed_result: bool) -> list[tuple[int, bool]]:
        """Return where whole rows go to where their number of columns is fixed.

        Returns:
            Lines, and whether the rows come from a table that is named: not from NEW or OLD.
        """
        if not self.is_sql:
            return []
        ours = self._tables(names).ours
        found = []
        for statement in self.statements():
            for part in _parts(statement):
                one = Statement(part, names, ours)
                stars = one.stars()
                if stars and ((fixed_result and one.returns()) or one.fixes_columns()):
                    found += stars
        return found

    def lines_of_whole_rows(self) -> list[int]:
        """Return where NEW or OLD is used whole, other than to return it."""
        found = []
        for before, one, after, then in windows(self.tokens):
            if one.in_literal or one.text not in {"new", "old"} or before.text in {".", "return"}:
                continue
            if after.text != "." or then.text == "*":
                found.append(one.line)
        return found

    def lines_of_row_type(self, names: Names, *, built: bool = False) -> list[int]:
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

    def _tables(self, names: Names) -> _Tables:
        """Return the tables that are named; ours, and what is made from ours."""
        named, ours = set(), {names.table, *names.given}
        for statement in self.statements():
            one = Statement(statement, names, frozenset(ours))
            named |= {token.text for token in statement if token.is_name}
            if one.is_ours and (made := one.made()):
                ours.add(made)
        return _Tables(frozenset(named), frozenset(ours))


class _Tables(NamedTuple):
    named: frozenset[str]
    ours: frozenset[str]


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


def _parts(statement: Sequence[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    for token in statement:
        if token.text in _PARTS and not token.in_literal:
            yield part
            part = []
        else:
            part.append(token)
    yield part
