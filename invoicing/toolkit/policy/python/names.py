"""What names in a module stand for: imports, aliases and dotted expressions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def imports_of(
    nodes: Iterable[ast.Import | ast.ImportFrom], module: str, *, is_package: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return local names with the dotted names they stand for, and the modules of star imports.

    Imports inside of functions and under TYPE_CHECKING count as well.
    """
    names: dict[str, str] = {}
    stars: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            for name in node.names:
                top = name.name.partition(".")[0]
                names[name.asname or top] = name.name if name.asname else top
            continue
        base = _base(node, module, is_package=is_package)
        for name in node.names:
            if name.name == "*":
                stars.append(base)
            else:
                names[name.asname or name.name] = f"{base}.{name.name}" if base else name.name
    return names, tuple(stars)


def _base(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".") if module else []
    # In a package's __init__ one dot is the package itself.
    up = node.level - (1 if is_package else 0)
    parts = parts[: len(parts) - up] if up else parts
    return ".".join([*parts, node.module] if node.module else parts)


def dotted(node: ast.AST | None) -> str | None:
    """Return `a.b.c` for an expression of names and attributes; None for any other."""
    # It is asked for most nodes of a tree: a parsed one's class is one of these or another.
    if type(node) is ast.Name:
        return node.id
    name = ""
    while type(node) is ast.Attribute:
        name = f".{node.attr}{name}"
        node = node.value
    return node.id + name if type(node) is ast.Name else None


def names_in(target: ast.expr) -> set[str]:
    """Return the names that are bound where this is assigned to."""
    if isinstance(target, ast.Name):
        return {target.id}
    if isinstance(target, ast.Starred):
        return names_in(target.value)
    if isinstance(target, ast.Tuple | ast.List):
        return {name for each in target.elts for name in names_in(each)}
    return set()


def text_of(node: ast.AST | None) -> str | None:
    """Return the value of a string constant."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
