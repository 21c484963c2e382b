"""Uses of a whole row in the text of a function, and what is written or read by position.

A use is safe in the forms that are known to be: by name, or with nothing fixed on the other side.
Any other is taken to fix the number of columns or their order.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.dependents.statement import NO_ALIAS, BodyStatement, SoughtNames
from invoicing.toolkit.rename.dependents.tokens import parentheses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from invoicing.toolkit.rename.dependents.tokens import Token

# Calls that take a row by the names of its columns, or do not look into it.
_BY_NAME = frozenset(
    {"to_json", "to_jsonb", "row_to_json", "hstore", "count", "coalesce", "json_agg", "jsonb_agg"}
    | {"json_build_object", "jsonb_build_object", "json_object_agg", "jsonb_object_agg"}
    | {"json_build_array", "jsonb_build_array", "json_populate_record", "jsonb_populate_record"}
    | {"populate_record", "nullif", "array_agg", "pg_typeof"}
)
_SETS = frozenset({"union", "except", "intersect"})
_QUERY = frozenset({"select", "with", "table", "values"})
_NO_CALL = NO_ALIAS | {"values", "row", "exists", "any", "all", "some", "if", "return", "array"}
_NO_CALL |= {"select", "by", "distinct", "over", "filter", "case", "elsif", "while", "perform"}
_LISTS = frozenset({"select", ",", "returning", "all", "distinct", "perform"})
_COMPARED = (
    *(["="], ["<", ">"], ["!", "="], ["*", "="], ["*", "<", ">"], [":", "="]),
    *(["is", "distinct", "from"], ["is", "not", "distinct", "from"]),
)


class Use(NamedTuple):
    """A whole row, or columns by position.

    Attributes:
        by_position: whether only the order of the columns matters, not how many there are.
        from_table: whether the rows come from a table that is named: not from NEW or OLD.
    """

    line: int
    by_position: bool
    from_table: bool


class Result(NamedTuple):
    """What the function gives its caller."""

    is_row: bool
    is_nothing: bool
    is_plain_sql: bool


class _Span(NamedTuple):
    first: int
    last: int
    name: str
    is_star: bool
    in_row: bool


class Part:
    """One statement of a function, without the control structures around it."""

    def __init__(
        self,
        tokens: Sequence[Token],
        names: SoughtNames,
        ours: frozenset[str],
        variables: dict[str, bool],
        of_table: set[str],
        result: Result,
        takers: frozenset[str],
    ) -> None:
        self._tokens = list(tokens)
        self._texts = [token.text for token in self._tokens] + [""] * 4
        self._names, self._variables, self._result = names, variables, result
        self._of_trigger = {*names.given, *variables} - of_table
        self._calls = _BY_NAME | takers
        self._open, self._close = parentheses(self._texts)
        rows = ours | frozenset(self._defined(ours))
        self._statement = BodyStatement(self._tokens, names, rows)
        self._ours = rows
        self._spans = list(self._find())

    def uses(self) -> list[Use]:
        """Return the uses that are not known to be safe."""
        found = []
        compared = self._compared()
        for span in self._spans:
            kind = None if span in compared else self._judge(span)
            if kind is not None:
                line = self._tokens[span.first].line
                found.append(Use(line, kind == "position", self._is_from_table(span)))
        casts = " ".join(self._texts).replace(f" {self._names.schema} . ", " ")
        typed = f" : : {self._names.table} " in casts
        return found + [Use(line, not typed, True) for line in self._written()]

    def gives_to(self) -> list[str]:
        """Return the variables that get whole rows of ours."""
        if not self._spans:
            return []
        targets = self._targets() or []
        if self._texts[1:3] == [":", "="]:
            targets = [self._texts[0]]
        return targets

    def has_rows_of_table(self) -> bool:
        """Tell whether it has whole rows that are not a trigger's own."""
        return any(self._is_from_table(span) for span in self._spans)

    @property
    def has_cursor(self) -> bool:
        """Return whether a cursor over whole rows of ours is declared or opened."""
        return bool(self._spans) and ("cursor" in self._texts or self._texts[0] == "open")

    def fetched(self) -> int | None:
        """Return the line of a FETCH into variables of their own."""
        targets = self._targets()
        if self._texts[0] == "fetch" and targets is not None and not self._are_rows(targets):
            return self._tokens[0].line
        return None

    def _is_from_table(self, span: _Span) -> bool:
        return self._statement.table_of(span.name) not in self._of_trigger

    def _find(self) -> Iterator[_Span]:
        rows = self._names.rows | set(self._variables)
        for place, text in enumerate(self._texts[: len(self._tokens)]):
            before, after = self._texts[place - 1] if place else "", self._texts[place + 1]
            if text == "*" and self._statement.star_is_ours(place):
                if before != ".":
                    yield _Span(place, place, self._statement.near(), True, False)
            elif text == "table" and self._statement.is_table_query(place):
                yield _Span(place, place + 1, after, True, False)
            elif before == "." or not self._tokens[place].is_name:
                continue
            elif text in rows or self._statement.is_reference(place):
                span = self._widen(place, text)
                if span is not None:
                    yield span

    def _widen(self, place: int, name: str) -> _Span | None:
        """Return the row with its parentheses, or nothing where only a field is meant."""
        first = last = place
        is_star = in_row = False
        while True:
            if self._texts[last + 1] == ".":
                if self._texts[last + 2] != "*":
                    return None
                last, is_star = last + 2, True
            before = self._texts[first - 1] if first else ""
            if before != "(" or self._texts[last + 1] != ")":
                return _Span(first, last, name, is_star, in_row)
            call = self._texts[first - 2] if first > 1 else ""
            if call == "row":
                first, last, in_row, is_star = first - 2, last + 1, True, False
            elif call == "values" or self._is_call(first - 1):
                return _Span(first, last, name, is_star, in_row)
            else:
                first, last, is_star = first - 1, last + 1, False

    def _compared(self) -> set[_Span]:
        """Return the rows that are compared with, or assigned to, each other."""
        return {
            span
            for pair in pairwise(self._spans)
            if self._texts[pair[0].last + 1 : pair[1].first] in _COMPARED
            for span in pair
        }

    def _judge(self, span: _Span) -> str | None:
        """Return what is wrong with a use: `copy`, `position` or nothing."""
        before = self._texts[span.first - 1] if span.first else ""
        after = self._texts[span.last + 1 : span.last + 4]
        opened = self._open[span.first]
        if before in {"(", ","} and after[0] in {")", ",", "order"} and self._is_call(opened):
            fixed = "position" if span.in_row else None
            return fixed if self._texts[opened - 1] in self._calls else "copy"
        if (
            after[:2] in (["is", "null"], ["#", "="])
            or before in {"into", "strict", "for", "fetch", "declare"}
            or after[0] in {"record", self._names.table, self._names.schema}
        ):
            return None
        if before in {"return", "next"} or self._is_returned(span, before, after[0]):
            safe = self._names.is_trigger or self._result.is_row
            return None if safe and after[0] != ":" else "copy"
        if self._texts[span.first - 2 : span.first] == [":", "="] and after[0] == "":
            return None if self._is_row(self._texts[span.first - 3]) else "position"
        if after[:2] == [":", "="] and span.first == 0:
            return self._assigned(span.last + 3)
        return self._judge_in_query(span, before)

    def _judge_in_query(self, span: _Span, before: str) -> str | None:
        if "execute" in self._texts and "using" in self._texts[: span.first] and not span.is_star:
            return None if self._reads_fields() else "copy"
        if span.is_star and (before in _LISTS or self._texts[span.first] == "table"):
            return self._listed(span)
        return self._inserted(span) if before == "(" and span.is_star else "copy"

    def _is_returned(self, span: _Span, before: str, after: str) -> bool:
        """Tell whether a CASE returns it."""
        return (
            self._texts[0] == "return"
            and before in {"then", "else"}
            and after in {"else", "end", "when"}
            and (":", ":") not in pairwise(self._texts[span.last :])
        )

    def _assigned(self, place: int) -> str | None:
        alone = place + 1 >= len(self._tokens)
        fixed = self._texts[place] in {"row", "("} or (
            alone and not self._is_row(self._texts[place])
        )
        return "position" if fixed else None

    def _reads_fields(self) -> bool:
        """Tell whether all that dynamic SQL does with its arguments is to read fields by name."""
        for place, text in enumerate(self._texts[:-4]):
            if text == "$" and self._texts[place + 1].isdigit():
                then = place + 2
                call = self._texts[place - 2] in self._calls and self._texts[place - 1] == "("
                while self._texts[then] == ")":
                    then += 1
                if not call and (self._texts[then] != "." or self._texts[then + 1] == "*"):
                    return False
        return True

    def _listed(self, span: _Span) -> str | None:
        """Judge a star in a list of a query's columns."""
        opened = self._open[span.first]
        direct = self._direct(opened)
        if _SETS & set(direct):
            return "copy"
        if opened < 0:
            return self._outermost(span, direct)
        word = self._texts[opened - 1] if opened else ""
        if word == "exists":
            return None
        if word in {"from", "join", "lateral", ","} and not self._is_call(opened):
            then = self._close.get(opened, opened) + 1
            then += self._texts[then] == "as"
            return "position" if self._texts[then + 1] == "(" else None
        if word in {"as", "materialized"}:
            head = self._head(opened)
            is_made = "create" in self._texts[:head]
            return "position" if self._texts[head] == ")" and not is_made else None
        return "copy"

    def _outermost(self, span: _Span, direct: list[str]) -> str | None:
        """Judge a star of the statement's own list, by where the rows go."""
        texts = self._texts
        targets = self._targets()
        alone = texts[span.first - 1] != "," and texts[span.last + 1] != ","
        returned = any(
            text == "returning" and self._open[place] < 0
            for place, text in enumerate(texts[: span.first])
        )
        if "insert" in direct and not returned:
            return self._inserted(span)
        if targets is not None:
            record = len(targets) == 1 and self._variables.get(targets[0]) is True
            return None if record or (alone and self._are_rows(targets)) else "position"
        if texts[:2] == ["return", "query"]:
            return None if self._result.is_row else "copy"
        if texts[0] in {"perform", "open", "execute"} or {"cursor", "create"} & set(direct):
            return None
        if self._result.is_plain_sql:
            return None if self._result.is_row or self._result.is_nothing else "copy"
        return "copy"

    def _inserted(self, span: _Span) -> str | None:
        """Judge whole rows that are inserted: into the table itself only a trigger's own fit."""
        place = self._insert()
        if place is None:
            return "copy"
        last = self._statement.qualified(place)
        lists = self._texts[last + 1] == "(" and self._texts[last + 2] not in _QUERY
        alone = self._texts[span.first - 1] != "," and self._texts[span.last + 1] != ","
        own = self._texts[last] == self._names.table and self._is_from_table(span)
        return None if self._is_table(last) and alone and not lists and not own else "copy"

    def _written(self) -> list[int]:
        """Return the lines that write, or name anew, the table's columns by position."""
        found = []
        for place, text in enumerate(self._texts[:-4]):
            last = self._statement.qualified(place + 1)
            then = self._texts[last + 1] if last < len(self._tokens) else ""
            if text == "copy" and self._is_table(last) and then != "(":
                found.append(place)
            elif text in {"from", "join", ","} and self._is_table(last):
                alias = last + 1 + (then == "as")
                named = self._texts[alias].isidentifier() and self._texts[alias] not in NO_ALIAS
                if named and self._texts[alias + 1] == "(":
                    found.append(place)
            elif text == "insert" and self._texts[place + 1] == "values":
                merged = "merge" in self._texts[:place] and self._statement.is_ours
                found += [place] if merged else []
        place_of_insert = self._insert()
        if place_of_insert is not None and self._is_positional(place_of_insert):
            found.append(place_of_insert)
        found += [
            place
            for place in ([0] if self._variables else [])
            if (targets := self._targets()) is not None
            and all(self._texts[span.first - 1] in {"into", "strict"} for span in self._spans)
            and len(targets) == 1
            and self._variables.get(targets[0]) is False
            and self._texts[0] in {"select", "with"}
        ]
        return [self._tokens[place].line for place in found]

    def _is_positional(self, place: int) -> bool:
        """Tell whether an INSERT into the table has no list of columns, and no rows of its type."""
        last = self._statement.qualified(place)
        if not self._is_table(last):
            return False
        then = last + 1
        while self._texts[then] in {"as", "overriding", "user", "system", "value"} or (
            self._texts[then].isidentifier()
            and self._texts[then] not in {*_QUERY, "default"}
            and self._tokens[then].is_name
        ):
            then += 1
        lists = self._texts[then] == "(" and self._texts[then + 1] not in _QUERY
        if self._texts[then] == "default" or lists:
            return False
        return not any(span.is_star and span.first > last for span in self._spans)

    def _insert(self) -> int | None:
        for place, pair in enumerate(pairwise(self._texts)):
            if pair == ("insert", "into"):
                return place + 2
        return None

    def _is_table(self, place: int) -> bool:
        return self._statement.is_row_of_ours(place) and self._texts[place] not in self._names.given

    def _targets(self) -> list[str] | None:
        """Return the variables after INTO, or those of FOR ... IN."""
        texts = self._texts
        start = 1 if texts[0] == "for" else None
        for place, text in enumerate(texts):
            if text == "into" and texts[place - 1] not in {"insert", "merge"}:
                start = place + 1 + (texts[place + 1] == "strict")
        if start is None:
            return None
        targets = [texts[start]]
        while texts[start + 1] in {",", "."}:
            start += 2
            targets.append(texts[start])
        return targets

    def _are_rows(self, targets: list[str]) -> bool:
        return len(targets) == 1 and self._is_row(targets[0])

    def _is_row(self, name: str) -> bool:
        known = {"rowtype", "record", self._names.table, "new", "old"}
        return name in known or name in self._variables

    def _is_call(self, opened: int) -> bool:
        if opened < 1 or not self._tokens[opened - 1].is_name:
            return False
        return self._texts[opened - 1] not in _NO_CALL and self._texts[opened + 1] not in _QUERY

    def _direct(self, opened: int) -> list[str]:
        """Return the words of a parenthesis, or of the statement, that are in no other."""
        return [
            text
            for place, text in enumerate(self._texts[: len(self._tokens)])
            if self._open[place] == opened
        ]

    def _head(self, opened: int) -> int:
        """Return the place before AS, AS MATERIALIZED or AS NOT MATERIALIZED."""
        head = opened - 1
        while head > 0 and self._texts[head] in {"as", "materialized", "not"}:
            head -= 1
        return head

    def _defined(self, ours: frozenset[str]) -> set[str]:
        """Return the names of queries within this one that have whole rows of ours."""
        found: set[str] = set()
        for opened, closed in sorted(self._close.items()):
            inside = self._texts[opened:closed]
            if ("*" not in inside and "table" not in inside) or not (ours | found) & set(inside):
                continue
            alias = closed + 1 + (self._texts[closed + 1] == "as")
            before = self._texts[opened - 1] if opened else ""
            if before in {"from", "join", "lateral", ","} and self._texts[alias] not in NO_ALIAS:
                found.add(self._texts[alias])
            elif before in {"as", "materialized"} and opened > 1:
                found.add(self._texts[self._head(opened)])
        return {name for name in found if name.isidentifier()}
