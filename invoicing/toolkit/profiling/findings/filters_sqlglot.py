"""Read the filter of a plan: which columns it compares, and how.

VERBOSE puts the table's alias before each column; what is returned has none, for an index.
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_EQUAL = (exp.EQ, exp.In)
_RANGE = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)


def indexed_terms(text: str) -> tuple[list[str], list[str]]:
    """Return the columns, or expressions, that are compared for equality, and by a range."""
    try:
        parsed = sqlglot.parse_one(text, dialect="postgres")
    except SqlglotError:
        return [], []
    equal: list[str] = []
    ranges: list[str] = []
    for term in _terms(parsed):
        kind = equal if isinstance(term, _EQUAL) else ranges if isinstance(term, _RANGE) else None
        name = _compared(term) if kind is not None else None
        if kind is not None and name is not None and name not in kind:
            kind.append(name)
    return equal, ranges


def _terms(node: exp.Expr) -> list[exp.Expr]:
    node = node.unnest()
    if isinstance(node, exp.And):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]


def _compared(term: exp.Expr) -> str | None:
    """Return the one side that is of the table, where the other is a value."""
    left, right = term.this, term.args.get("expression")
    sides = [side for side in (left, right) if side is not None and [*side.find_all(exp.Column)]]
    if len(sides) != 1 or len({*sides[0].find_all(exp.Column)}) != 1:
        return None
    side = sides[0].copy().transform(_plain).unnest()
    text: str = side.sql(dialect="postgres", normalize_functions="lower")
    return text if isinstance(side, exp.Column) else f"({text})"


def _plain(node: exp.Expr) -> exp.Expr:
    # varchar is compared as text; that needs no index of its own.
    while _is_bracket(node) or (isinstance(node, exp.Cast) and node.to.is_type("text")):
        node = node.this
    return exp.column(node.this) if isinstance(node, exp.Column) else node


def _is_bracket(node: exp.Expr) -> bool:
    """Return whether brackets change nothing: `(a + 1) * 2` and `(address).street` need theirs."""
    if not isinstance(node, exp.Paren) or isinstance(node.parent, exp.Dot):
        return False
    inner = node.this
    return isinstance(inner, exp.Paren | exp.Column | exp.Cast | exp.Literal) or (
        isinstance(inner, exp.Func) and not isinstance(inner, exp.Binary)
    )
