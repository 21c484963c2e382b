"""Walk a syntax tree as `ast` does, and faster: what nothing is below is never looked into."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nothing is below these that a rule asks for.
LEAVES = frozenset(
    {ast.Constant, ast.Name, ast.Load, ast.Store, ast.alias, ast.Pass, ast.Break, ast.Continue}
)
# Fields of whatever node that hold text, or leaves.
PLAIN = frozenset(
    {"ctx", "id", "attr", "arg", "op", "ops", "kind", "module", "level", "names", "type_comment"}
)
_fields: dict[type[ast.AST], tuple[str, ...]] = {}


def fields_of(kind: type[ast.AST]) -> tuple[str, ...]:
    """Return the fields of a kind of node that may hold others."""
    fields = _fields.get(kind)
    if fields is None:
        fields = _fields[kind] = tuple(name for name in kind._fields if name not in PLAIN)
    return fields


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below, in order, but for leaves."""
    found: list[ast.AST] = []
    for name in fields_of(type(node)):
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [
                item for item in value if type(item) not in LEAVES and isinstance(item, ast.AST)
            ]
        elif isinstance(value, ast.AST) and type(value) not in LEAVES:
            found.append(value)
    return found


def below(node: ast.AST) -> Iterator[ast.AST]:
    """Return a node and all below it but for leaves, parents first, as `ast.walk` does."""
    waiting = [node]
    for each in waiting:
        yield each
        waiting += children(each)
