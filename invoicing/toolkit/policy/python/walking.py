"""Walk a syntax tree as `ast` does, and faster: what nothing is below is never looked into."""

from __future__ import annotations

import ast
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Nothing is below these that a rule asks for.
LEAVES = frozenset(
    {ast.Constant, ast.Name, ast.Load, ast.Store, ast.alias, ast.Pass, ast.Break, ast.Continue}
)
# Fields of whatever node that hold text, or leaves.
PLAIN = frozenset(
    {"ctx", "id", "attr", "arg", "op", "ops", "kind", "module", "level", "names", "type_comment"}
)
_getters: dict[type[ast.AST], Callable[[ast.AST], tuple[Any, ...]]] = {}


def values_of(node: ast.AST) -> tuple[Any, ...]:
    """Return what the fields hold that may hold other nodes."""
    kind = type(node)
    getter = _getters.get(kind)
    if getter is None:
        getter = _getters[kind] = _getter(kind)
    try:
        return getter(node)
    except AttributeError:
        # One that was made, not parsed, may lack what is optional.
        return tuple(getattr(node, name, None) for name in _fields(kind))


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below, in order, but for leaves."""
    found: list[ast.AST] = []
    for value in values_of(node):
        if value.__class__ is list:
            if value:
                found += [
                    item for item in value if type(item) not in LEAVES and isinstance(item, ast.AST)
                ]
        elif value is not None and type(value) not in LEAVES and isinstance(value, ast.AST):
            found.append(value)
    return found


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """Return the fields of a kind of node that may hold others."""
    return tuple(name for name in kind._fields if name not in PLAIN)


def _getter(kind: type[ast.AST]) -> Callable[[ast.AST], tuple[Any, ...]]:
    """Return what gets all of these fields at once."""
    fields = _fields(kind)
    if len(fields) > 1:
        return attrgetter(*fields)
    get = attrgetter(*fields) if fields else None
    return lambda node: (get(node),) if get is not None else ()


def below(node: ast.AST) -> Iterator[ast.AST]:
    """Return a node and all below it but for leaves, parents first, as `ast.walk` does."""
    waiting = [node]
    for each in waiting:
        yield each
        waiting += children(each)
