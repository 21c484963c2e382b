"""One statement of a function: the tables that it names, and whose a name in it is."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.dependents.tokens import Token

# Words that stand where an alias could, and are none.
NO_ALIAS = frozenset(
    {"as", "on", "using", "set", "values", "where", "select", "join", "inner", "left", "right"}
    | {"full", "cross", "natural", "order", "group", "limit", "having", "union", "except"}
    | {"intersect", "for", "returning", "default", "when", "then", "else", "end", "loop", "do"}
    | {"only", "into", "from", "and", "or", "window", "offset", "fetch", "lateral", "not", "with"}
    | {"tablesample", "overriding", "in", "is"}
)
_BEFORE_TABLE = frozenset({"from", "join", "update", "into", "using", "only", "table", "lateral"})
_SPREADS = frozenset({"select", "returning", "all", "distinct", "perform"})
# Before a value.
_EXPRESSION = frozenset(
    {
        "(",
        ",",
        "=",
        "<",
        ">",
        "|",
        "select",
        "perform",
        "where",
        "and",
        "or",
        "not",
        "on",
        "returning",
    }
)
# Before TABLE, where that is no query of its own.
_DDL = frozenset(
    {"create", "alter", "drop", "truncate", "temp", "temporary", "unlogged", "lock", "foreign"}
    | {"new", "old", "on"}
)


class SoughtNames(NamedTuple):
    """Whose uses are looked for.

    Attributes:
        rows: what holds a row of the table in this function: NEW and OLD.
        tables: what holds many: transition tables.
        row_known: whether an argument of the function is a row of the table.
        is_trigger: whether it is a trigger's function, of this table or of another.
    """

    column: str
    table: str
    schema: str
    rows: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    row_known: bool = False
    is_trigger: bool = False

    @property
    def given(self) -> frozenset[str]:
        """Return what a trigger gives its function."""
        return self.rows | self.tables


class BodyStatement:
    """One statement, and the tables it names."""

    def __init__(self, tokens: Sequence[Token], names: SoughtNames, ours: frozenset[str]) -> None:
        self._tokens = tokens
        self._names = names
        self._ours = ours
        self._texts = [token.text for token in tokens]
        self._declared: set[int] = set()
        self._relations, self._aliases = self._read()
        self.is_ours = any(self.is_row_of_ours(place) for place in range(len(tokens)))

    def lines_naming(self, *, ours: bool) -> list[int]:
        """Return the lines that name the column; `ours`: whether its function names the table."""
        # What follows RAISE is read by people.
        said = self._texts.index("raise") if "raise" in self._texts else len(self._texts)
        return [
            token.line
            for place, token in enumerate(self._tokens)
            if self._names.column in ({token.text, token.raw} if token.in_literal else {token.text})
            and token.is_name
            and not token.is_keyword(self._texts[place - 1] if place else "")
            and not (token.in_literal and place > said)
            and self._means_ours(place, ours=ours)
        ]

    def star_is_ours(self, place: int) -> bool:
        """Tell whether a star at this place spells out all columns of ours."""
        before = self._tokens[place - 1] if place else None
        after = self._texts[place + 1 : place + 2]
        if before is None or after in (["is"], ["="], ["<"]):
            return False
        return self._row_of_star(before, self._tokens[place]) is not None

    def near(self) -> str:
        """Return the table of ours that a star without a name is about."""
        return next((name for name in self._relations if name in self._ours), self._names.table)

    def table_of(self, name: str) -> str:
        """Return what an alias stands for."""
        return self._aliases.get(name, name)

    def is_table_query(self, place: int) -> bool:
        """Tell whether TABLE at this place is a query over ours."""
        before = self._texts[place - 1] if place else ""
        return (
            before not in _DDL
            and self._texts[place + 1 : place + 2][:1] != []
            and (self._texts[place + 1] in self._ours)
        )

    def is_reference(self, place: int) -> bool:
        """Tell whether a name by itself is a row of ours: `item = ROW(1, 2)`, `f(item)`."""
        name = self._texts[place]
        if place in self._declared or self._aliases.get(name, name) not in self._ours:
            return False
        if name == self._names.table and name not in self._relations:
            return False
        before = self._texts[place - 1] if place else ""
        after = (*self._texts[place + 1 : place + 2], "")[0]
        if after == ".":
            return self._texts[place + 2 : place + 3] == ["*"] and before != "."
        return before in _EXPRESSION and after not in {"(", "%"}

    def made(self) -> str | None:
        """Return the table or view that it makes."""
        for place, text in enumerate(self._texts):
            if text in {"table", "view"} and "create" in self._texts[:place]:
                then = place + (4 if self._texts[place + 1 : place + 2] == ["if"] else 1)
                last = self.qualified(then)
                return self._texts[last] if last < len(self._texts) else None
        return None

    def makes_whole_rows(self) -> bool:
        """Tell whether what it makes has all columns of what it is made from."""
        known = not {"*", "like", "inherits"}.isdisjoint(self._texts)
        return known or any(
            text == "table" and self.is_table_query(place) for place, text in enumerate(self._texts)
        )

    def _row_of_star(self, before: Token, star: Token) -> str | None:
        place = next(n for n, token in enumerate(self._tokens) if token is star)
        if before.text == ".":
            row = place - 2
            while row > 0 and self._texts[row] == ")":  # (NEW).*
                row -= 1
            name = self._aliases.get(self._texts[row], self._texts[row])
            if name in self._ours or (self.is_ours and name not in self._relations):
                return name
            return None
        spread = before.text in _SPREADS or before.text == ","
        if not spread or not self.is_ours or self._is_of_another(place, before):
            return None
        near = [name for name in self._relations if name in self._ours]
        return near[0] if near else self._names.table

    def _is_of_another(self, place: int, before: Token) -> bool:
        """Tell whether a star without a name is about another table than ours."""
        if before.text == "returning":
            written = [
                text for text in self._texts[:place] if text in {"insert", "update", "delete"}
            ]
            return written[-1:] == ["insert"]
        if self._texts[place + 1 : place + 2] != ["from"] or "join" in self._texts:
            return False
        last = self.qualified(place + 2)
        table = self._texts[last] if last < len(self._texts) else "("
        return table != "(" and not self.is_row_of_ours(last) and table not in self._defined()

    def _means_ours(self, place: int, *, ours: bool) -> bool:
        token = self._tokens[place]
        if token.in_literal:
            return ours or self._is_dynamic()
        if place <= 1 or self._texts[place - 1] != ".":
            near = any(
                self.is_row_of_ours(other) and self._texts[other] not in self._names.rows
                for other in range(len(self._tokens))
            )
            return near or self._names.row_known
        row = self._texts[place - 2]
        if self._names.is_trigger and row in {"new", "old"} - self._ours:
            return False  # another table's row
        if row in self._ours:
            return row != self._names.table or self.is_row_of_ours(place - 2)
        table = self._aliases.get(row, row)
        if table in self._relations and table not in self._defined():
            return table in self._ours
        return ours

    def _is_dynamic(self) -> bool:
        """Tell whether it may be SQL that is put together for a table known only when it runs."""
        if not {"execute", "format"} & set(self._texts):
            return False
        pairs = set(pairwise(self._texts))
        return ("|", "|") in pairs or ("%", "i") in pairs or ("%", "s") in pairs

    def is_row_of_ours(self, place: int) -> bool:
        """Tell whether the name at this place is our table's, or that of rows of ours."""
        if place >= len(self._tokens) or self._texts[place] not in self._ours:
            return False
        if self._texts[place] != self._names.table or self._texts[place - 1 : place] != ["."]:
            return True
        return self._texts[place - 2 : place - 1] in ([self._names.schema], ["."])

    def qualified(self, place: int) -> int:
        """Return the place of a name's last part."""
        while self._texts[place + 1 : place + 2] == ["."] and place + 2 < len(self._texts):
            place += 2
        return place

    def _read(self) -> tuple[set[str], dict[str, str]]:
        """Return the tables that it names, and what else it calls them."""
        relations: set[str] = set()
        aliases: dict[str, str] = {}
        place, listed = 0, False
        while place < len(self._tokens):
            text = self._texts[place]
            opens = text in _BEFORE_TABLE or (text == "," and listed)
            follows = place + 1
            if opens and follows < len(self._tokens) and self._tokens[follows].is_name:
                if self._texts[follows] in _BEFORE_TABLE:
                    place += 1
                    continue
                last = self.qualified(follows)
                table = self._texts[last]
                if table in self._ours and not self.is_row_of_ours(last):
                    table = "." + table  # of that name, in another schema
                relations.add(table)
                self._declared.add(last)
                place, listed = last + 1, text != "into"
                if self._texts[place : place + 1] == ["as"]:
                    place += 1
                if place < len(self._tokens) and self._tokens[place].is_name:
                    alias = self._texts[place]
                    if alias not in NO_ALIAS:
                        aliases[alias] = table
                        self._declared.add(place)
                continue
            listed = listed and text not in {"where", "set", "(", ")", "select", "group", "order"}
            place += 1
        return relations, aliases

    def _defined(self) -> set[str]:
        """Return the names of WITH queries, which may hold rows of ours."""
        return {
            self._texts[place]
            for place in range(len(self._texts) - 2)
            if self._texts[place + 1] == "as"
            and self._texts[place + 2] in {"(", "materialized", "not"}
        }
