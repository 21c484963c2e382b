"""What a mapped attribute's annotation says of it: one object, or many."""

from __future__ import annotations

import ast
from keyword import iskeyword

from invoicing.toolkit.policy.python.names import dotted, text_of
from invoicing.toolkit.policy.python.walking import below

COLLECTIONS = {
    "list", "List", "set", "Set", "Sequence", "MutableSequence", "Collection", "Iterable",
    "dict", "Dict", "Mapping", "MutableMapping", "AbstractSet", "MutableSet", "FrozenSet",
    "OrderingList", "InstrumentedList", "InstrumentedSet",
}  # fmt: skip
MAPPED = {"Mapped", "MappedColumn"}
KINDS = {"WriteOnlyMapped": "write_only", "DynamicMapped": "dynamic"}


# What holds the object that matters: one that may be missing, or that comes later.
AROUND = {
    "Annotated", "Optional", "Union", "Final", "ClassVar", "Awaitable", "AsyncIterator",
    "AsyncGenerator", "AsyncIterable", "Iterator", "Generator", "AsyncContextManager",
    "AbstractAsyncContextManager", "ContextManager", "AbstractContextManager", "Coroutine",
    "type", "Type",
}  # fmt: skip


def object_of_annotation(node: ast.expr | None) -> str | None:
    """Return the class that an annotation is about, as written: `A` of `Annotated[A, ...]`."""
    node = _parsed(node)
    if isinstance(node, ast.BinOp):
        sides = [node.left, node.right]
        return next(filter(None, (object_of_annotation(s) for s in sides if not _is_none(s))), None)
    if isinstance(node, ast.Subscript):
        if (dotted(node.value) or "").rpartition(".")[2] not in AROUND:
            return dotted(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return next(filter(None, (object_of_annotation(p) for p in parts if not _is_none(p))), None)
    return dotted(node)


def mapped_type(node: ast.expr | None) -> str | None:
    """Return the class in `Mapped[...]`, as it is written; None where there is no such."""
    node = _parsed(node)
    if not isinstance(node, ast.Subscript) or (dotted(node.value) or "").rpartition(".")[2] not in {
        *MAPPED,
        *KINDS,
    }:
        return None
    return object_of_annotation(node.slice) or "?"


def plain_type(node: ast.expr | None) -> str | None:
    """Return the class that an annotation without `Mapped[...]` is about, as it is written."""
    node = _parsed(node)
    head = dotted(node.value) if isinstance(node, ast.Subscript) else None
    if (head or "").rpartition(".")[2] in {*MAPPED, *KINDS, "ClassVar"}:
        return None
    return object_of_annotation(node)


def metadata_of(node: ast.expr | None) -> list[ast.expr]:
    """Return what `Annotated[...]` has beside its type, wherever in an annotation that stands."""
    node = _parsed(node)
    return [
        item
        for each in (below(node) if node is not None else ())
        if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Tuple)
        if (dotted(each.value) or "").rpartition(".")[2] == "Annotated"
        for item in each.slice.elts[1:]
    ]


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
    if name not in MAPPED:
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
    if text.isidentifier() and not iskeyword(text):
        return ast.Name(text)
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
