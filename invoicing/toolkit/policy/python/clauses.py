"""What the clauses of a statement are made of, where a column may stand: kept of every file."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.names import dotted
from invoicing.toolkit.policy.python.syntax import ClauseSyntax, Place
from invoicing.toolkit.policy.python.walking import below

if TYPE_CHECKING:
    from collections.abc import Iterator

CRITERIA = {"where", "filter", "join", "outerjoin", "select_from", "join_from", "outerjoin_from"}
CLAUSES = CRITERIA | {
    "select", "query", "add_columns", "add_column", "with_only_columns", "with_entities",
    "having", "order_by", "group_by", "distinct",
}  # fmt: skip
# Calls around columns: what they are given stands where they stand.
WRAPPERS = {
    "desc", "asc", "nulls_first", "nulls_last", "nullsfirst", "nullslast", "and_", "or_", "not_",
    "distinct",
}  # fmt: skip


def clause_syntax(node: ast.Call, name: str, function: int) -> ClauseSyntax | None:
    """Return what is kept of a call that may build a statement; None for any other."""
    name = name.rpartition(".")[2]
    if name not in CLAUSES:
        return None
    end, column = node.func.end_lineno or 0, node.func.end_col_offset or 0
    leaves = [leaf for argument in node.args for leaf in _leaves(argument)]
    names = [dotted(leaf) for leaf in leaves]
    given = (*node.args, *(keyword.value for keyword in node.keywords))
    calls = [each for value in given for each in below(value) if isinstance(each, ast.Call)]
    return ClauseSyntax(
        name,
        Place(end, column, node.end_lineno or 0, node.end_col_offset or 0),
        function,
        tuple(name for name in names if name is not None),
        tuple(map(_called, calls)),
        any(map(_is_text, leaves)),
        all(
            name is not None or isinstance(leaf, ast.Constant | ast.JoinedStr | ast.Compare)
            for name, leaf in zip(names, leaves, strict=True)
        ),
    )


def _leaves(argument: ast.expr) -> Iterator[ast.expr]:
    """Give the expressions that stand where a column may; of a call, what it is a method of."""
    waiting = [argument]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Starred(value=inner) | ast.Subscript(value=inner) | ast.NamedExpr(value=inner):
                waiting.append(inner)
            case ast.UnaryOp(operand=inner) | ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner):
                waiting.append(inner)
            case ast.List(elts=inner) | ast.Tuple(elts=inner) | ast.BoolOp(values=inner):
                waiting += inner
            case ast.IfExp(body=left, orelse=right) | ast.BinOp(left=left, right=right):
                waiting += [left, right]
            case ast.Call(func=function):
                if _called(node).rpartition(".")[2] in WRAPPERS:
                    waiting += node.args
                if isinstance(function, ast.Attribute):
                    waiting.append(function.value)
            case _:
                yield node


def _called(node: ast.Call) -> str:
    method = f".{node.func.attr}" if isinstance(node.func, ast.Attribute) else ".?"
    return dotted(node.func) or method


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
