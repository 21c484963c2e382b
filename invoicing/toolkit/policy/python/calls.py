"""What is kept of a call: its name, its arguments, and the calls that it is made of."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.names import dotted, text_of
from invoicing.toolkit.policy.python.syntax import CallSyntax, Keyword, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

# An expression this deep is data.
DEEPEST = 50
# Keywords of SQLModel's Field that are a column, or its type.
MADE = frozenset({"sa_column", "sa_type"})


def call_syntax(
    node: ast.expr, function: int, owner: str | None, depth: int = 0
) -> CallSyntax | None:
    """Return what is kept of a call; None for a call of something without a name."""
    if not isinstance(node, ast.Call) or depth > DEEPEST:
        return None
    # It is met as a part of another call, and again by itself.
    kept: CallSyntax | None = getattr(node, "kept", None)
    if kept is None:
        kept = _call_syntax(node, function, owner, depth)
        if depth < DEEPEST // 2:
            vars(node)["kept"] = kept
    return kept


def _call_syntax(node: ast.Call, function: int, owner: str | None, depth: int) -> CallSyntax | None:
    callee = callee_of(node)
    if callee is None:
        return None
    inner: list[CallSyntax] = []
    if isinstance(node.func, ast.Attribute) and callee.startswith("."):
        before = _first_call(node.func.value)
        call = call_syntax(before, function, owner, depth + 1) if before else None
        inner += [call] if call else []
    arguments: list[str | None] = []
    for argument in node.args:
        value = argument.value if isinstance(argument, ast.Starred | ast.Await) else argument
        arguments.append(_written(value))
        if isinstance(value, ast.Lambda) and callee == "map":
            value = value.body
        found = list(calls_in(value, function, owner, depth))
        inner += found * 2 if callee == "map" else found
    keywords = {
        keyword.arg: _keyword(keyword.value) for keyword in node.keywords if keyword.arg is not None
    }
    for keyword in node.keywords:
        if keyword.arg in MADE:
            made = call_syntax(keyword.value, function, owner, depth + 1)
            keywords[keyword.arg] = keywords[keyword.arg]._replace(made=made)
    expanded = tuple(dotted(keyword.value) for keyword in node.keywords if keyword.arg is None)
    return CallSyntax(
        callee,
        place_of(node),
        _name_place(node),
        tuple(arguments),
        keywords,
        expanded,
        function,
        owner,
        tuple(inner),
        constant_of(node.args[0]) if node.args else None,
        getattr(node, "repeated", False),
        getattr(node, "awaited", False),
        _keyword(node.args[1]) if len(node.args) > 1 else None,
        _ends(node),
    )


def _ends(node: ast.Call) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where the last positional argument ends, and the last of all."""
    positional, last = (0, 0), (0, 0)
    if node.args:
        end = node.args[-1]
        positional = last = end.end_lineno or 0, end.end_col_offset or 0
    if node.keywords:
        end = node.keywords[-1].value
        last = max(last, (end.end_lineno or 0, end.end_col_offset or 0))
    return positional, last


def calls_in(value: ast.expr, function: int, owner: str | None, depth: int) -> Iterator[CallSyntax]:
    """Give the calls that a value is, or holds; those made several times over come twice."""
    if isinstance(value, ast.Starred):
        value = value.value
    if isinstance(value, ast.Call):
        call = call_syntax(value, function, owner, depth + 1)
        yield from [call] if call else []
    elif isinstance(value, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        vars(value.elt)["repeated"] = True
        call = call_syntax(value.elt, function, owner, depth + 1)
        yield from [call, call] if call else []
    elif isinstance(value, ast.List | ast.Tuple | ast.Set) and depth < DEEPEST:
        for item in value.elts:
            yield from calls_in(item, function, owner, depth + 1)


def _keyword(value: ast.expr) -> Keyword:
    if isinstance(value, ast.Constant):
        return Keyword(constant_of(value), None, place_of(value))
    return Keyword(constant_of(value), dotted(value), place_of(value), dictionary_of(value))


def callee_of(node: ast.Call) -> str | None:
    """Return what a call calls, as it is written."""
    name = dotted(node.func)
    if isinstance(node.func, ast.IfExp):
        sides = dotted(node.func.body), dotted(node.func.orelse)
        return "|".join(filter(None, sides)) or None
    if name is None and isinstance(node.func, ast.Attribute):
        # A method of what another call returns.
        return f".{node.func.attr}"
    return name


def _first_call(node: ast.expr) -> ast.Call | None:
    while isinstance(node, ast.Attribute | ast.Await | ast.Subscript):
        node = node.value
    return node if isinstance(node, ast.Call) else None


def _written(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call):
        callee = callee_of(node)
        return f"{callee}()" if callee is not None else None
    return dotted(node)


def constant_of(node: ast.expr) -> str | None:
    """Return the value of a constant, as text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else repr(node.value)
    return None


def dictionary_of(node: ast.expr) -> dict[str, str] | None:
    """Return the constants that `{...}` or `dict(...)` holds by name; None of anything else."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        constants = {text_of(key): constant_of(value) for key, value in pairs}
    elif isinstance(node, ast.Call) and dotted(node.func) == "dict" and not node.args:
        constants = {each.arg: constant_of(each.value) for each in node.keywords}
    else:
        return None
    return {key: value for key, value in constants.items() if key is not None and value is not None}


def place_of(node: ast.expr | ast.stmt) -> Place:
    """Return where a node of a parsed file stands."""
    return Place(node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)


def _name_place(node: ast.Call) -> Place:
    function = node.func
    end, column = function.end_lineno or 0, function.end_col_offset or 0
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return Place(end, column - len(name.encode()), end, column)
