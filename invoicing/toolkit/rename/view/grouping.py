"""GROUP BY the primary key of a table, in the text of a function or a statement.

By a table's primary key PostgreSQL knows its other columns, and lets a query read them; of a view
it knows no key, and the same query fails with 42803. Nothing is parsed here: the tokens of a text
say which select list belongs to a GROUP BY. A name without the table's or its alias before it
counts as a column of the table.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.dependents.tokens import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from invoicing.toolkit.rename.dependents.tokens import Token

# What a grouped query may do to any column.
_AGGREGATES = frozenset(
    {"any_value", "array_agg", "avg", "bit_and", "bit_or", "bool_and", "bool_or", "count", "every"}
    | {"json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg", "max", "min", "mode"}
    | {"percentile_cont", "percentile_disc", "stddev", "string_agg", "sum", "variance", "xmlagg"}
)
_ENDS = frozenset({"having", "order", "limit", "offset", "fetch", "window", "for", ";"})
_ENDS |= frozenset({"union", "except", "intersect", "loop", "returning"})


class GroupingKey(NamedTuple):
    """A table's name, the columns of its primary key, if it has one, and all its columns."""

    table: str
    key: Sequence[str]
    columns: Sequence[str]


def groups_by_key(text: str, of: GroupingKey) -> bool:
    """Return whether a query groups by the key, and reads another column beside it."""
    if not of.key:
        return False
    tokens = list(cut(text, 1, in_literal=False))
    prefixes = _prefixes(tokens, of.table)
    for at, (token, after) in enumerate(pairwise(tokens)):
        if token.text != "group" or after.text != "by":
            continue
        grouped = set(_columns(_clause(tokens, at + 2), of, prefixes))
        read = set(_columns(_select_list(tokens, at), of, prefixes))
        if grouped >= set(of.key) and read - grouped:
            return True
    return False


def _prefixes(tokens: Sequence[Token], table: str) -> set[str]:
    """Return what may stand before a column of the table: its name, and its aliases."""
    found = {table}
    for name, after, last in zip(tokens, tokens[1:], [*tokens[2:], tokens[-1]], strict=False):
        alias = last if after.text == "as" else after
        if name.text == table and alias.is_name and not alias.is_keyword(""):
            found.add(alias.text)
    return found


def _clause(tokens: Sequence[Token], start: int) -> Iterator[Token]:
    """Yield the tokens of a GROUP BY."""
    depth = 0
    for token in tokens[start:]:
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0 or (token.text in _ENDS and not token.quoted):
            return
        yield token


def _select_list(tokens: Sequence[Token], group: int) -> list[Token]:
    """Return what stands between the SELECT of a GROUP BY and its FROM, outside aggregates."""
    depth, end = 0, group
    for at in range(group - 1, -1, -1):
        text = tokens[at].text
        depth += (text == ")") - (text == "(")
        if depth < 0:
            return []
        if depth == 0 and text == "from":
            end = at
        if depth == 0 and text == "select":
            return list(_outside_aggregates(tokens[at + 1 : end]))
    return []


def _outside_aggregates(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = inside = 0
    for at, token in enumerate(tokens):
        depth += token.text == "("
        called = token.text == "(" and at and tokens[at - 1].text in _AGGREGATES
        if called and not inside:
            inside = depth
        if not inside:
            yield token
        if token.text == ")":
            inside = 0 if depth == inside else inside
            depth -= 1


def _columns(tokens: Iterable[Token], of: GroupingKey, prefixes: set[str]) -> Iterator[str]:
    """Yield the table's columns that are named; for `*`, each."""
    listed = list(tokens)
    for at, token in enumerate(listed):
        before = listed[at - 1].text if at else ""
        prefix = listed[at - 2].text if before == "." and at > 1 else None
        if before == "as" or (prefix is not None and prefix not in prefixes):
            continue
        if token.text == "*" and before in {"", ",", "."}:
            yield from of.columns
        elif token.is_name and token.text in of.columns:
            yield token.text
