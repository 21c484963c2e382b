"""Parameters that FastAPI fills in: `db=Depends(get_db)`, whose annotation may say nothing."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.names import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPENDS = {"Depends", "Security"}


def injected(arguments: ast.arguments) -> dict[str, str]:
    """Return the parameters that a dependency fills in, with the call that would make each."""
    return {
        argument.arg: f"{name}()"
        for argument, default in _defaults(arguments)
        for name in [_dependency(default) or _annotated(argument.annotation)]
        if name is not None
    }


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    without = [None] * (len(positional) - len(arguments.defaults))
    yield from zip(positional, [*without, *arguments.defaults], strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _dependency(node: ast.expr | None) -> str | None:
    if not isinstance(node, ast.Call) or (dotted(node.func) or "").split(".")[-1] not in DEPENDS:
        return None
    named = [keyword.value for keyword in node.keywords if keyword.arg == "dependency"]
    return next((dotted(given) for given in [*node.args[:1], *named]), None)


def _annotated(node: ast.expr | None) -> str | None:
    """Return the dependency of `Annotated[Any, Depends(get_db)]`."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
        return None
    if (dotted(node.value) or "").split(".")[-1] != "Annotated":
        return None
    return next(filter(None, map(_dependency, node.slice.elts[1:])), None)
