"""What a mapped attribute's annotation says of it: one object, or many."""

from __future__ import annotations

import ast

from invoicing.toolkit.policy.python.names import dotted, text_of

COLLECTIONS = {
    "list", "List", "set", "Set", "Sequence", "MutableSequence", "Collection", "Iterable",
    "dict", "Dict", "Mapping", "MutableMapping", "AbstractSet", "MutableSet", "FrozenSet",
    "OrderingList", "InstrumentedList", "InstrumentedSet",
}  # fmt: skip
KINDS = {"WriteOnlyMapped": "write_only", "DynamicMapped": "dynamic"}


def kind_of_annotation(node: ast.expr | None) -> str | None:
    """Return `collection`, `single`, `write_only` or `dynamic`; None for no relationship's."""
    node = _parsed(node)
    if not isinstance(node, ast.Subscript):
        return None
    name = (dotted(node.value) or "").rpartition(".")[2]
    if name in KINDS:
        return KINDS[name]
    if name in {"ClassVar", "Annotated", "Final"}:
        return kind_of_annotation(_first(node.slice))
    if name != "Mapped":
        return None
    return _kind(_parsed(node.slice))


def _kind(node: ast.expr | None) -> str:
    if isinstance(node, ast.BinOp):
        # `X | None`
        sides = {_kind(_parsed(side)) for side in (node.left, node.right) if not _is_none(side)}
        return "collection" if "collection" in sides else "single"
    if isinstance(node, ast.Subscript):
        name = (dotted(node.value) or "").rpartition(".")[2]
        if name in {"Optional", "Annotated", "Union"}:
            return _kind(_parsed(_first(node.slice)))
        return "collection" if name in COLLECTIONS else "single"
    name = (dotted(node) or "").rpartition(".")[2]
    return "collection" if name in COLLECTIONS else "single"


def _first(node: ast.expr) -> ast.expr:
    return node.elts[0] if isinstance(node, ast.Tuple) and node.elts else node


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _parsed(node: ast.expr | None) -> ast.expr | None:
    """Return the expression that a string annotation holds."""
    text = text_of(node)
    if text is None:
        return node
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
