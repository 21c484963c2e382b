"""What a class's body binds: columns, relationships, and what they are annotated with."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.annotations import (
    kind_of_annotation,
    mapped_type,
    metadata_of,
    plain_type,
)
from invoicing.toolkit.policy.python.calls import call_syntax, constant_of, place_of
from invoicing.toolkit.policy.python.names import dotted
from invoicing.toolkit.policy.python.syntax import AttributeSyntax, CallSyntax

if TYPE_CHECKING:
    from collections.abc import Iterable


def metadata_calls(
    annotation: ast.expr | None, function: int, owner: str | None
) -> tuple[CallSyntax, ...]:
    """Return the calls that an annotation has beside its type."""
    made = (call_syntax(item, function, owner) for item in metadata_of(annotation))
    return tuple(filter(None, made))


def attributes_of(statement: ast.stmt, function: int, owner: str) -> Iterable[AttributeSyntax]:
    """Return the attributes that a statement of a class's body binds."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield _attribute(
            statement.target.id, statement.annotation, statement.value, function, owner, statement
        )
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield _attribute(target.id, None, statement.value, function, owner, statement)
    elif isinstance(statement, ast.FunctionDef):
        decorators = {(dotted(node) or "").rpartition(".")[2] for node in statement.decorator_list}
        returned = [node for node in statement.body if isinstance(node, ast.Return)]
        value = returned[0].value if "declared_attr" in decorators and returned else None
        yield _attribute(statement.name, statement.returns, value, function, owner, statement)


def _attribute(
    name: str,
    annotation: ast.expr | None,
    value: ast.expr | None,
    function: int,
    owner: str,
    statement: ast.stmt,
) -> AttributeSyntax:
    call = call_syntax(value, function, owner) if isinstance(value, ast.Call) else None
    constant = constant_of(value) if isinstance(value, ast.Constant) else dotted(value)
    return AttributeSyntax(
        name,
        kind_of_annotation(annotation),
        call,
        constant,
        place_of(statement),
        mapped_type(annotation),
        *_pairs(value, function, owner),
        metadata_calls(annotation, function, owner),
        plain_type(annotation) if isinstance(statement, ast.AnnAssign) else None,
    )


def _pairs(
    value: ast.expr | None, function: int, owner: str
) -> tuple[tuple[str, ...], tuple[CallSyntax | str | None, ...]]:
    if not isinstance(value, ast.Dict):
        return (), ()
    pairs = [
        (name, call_syntax(held, function, owner) or dotted(held))
        for key, held in zip(value.keys, value.values, strict=True)
        if (name := dotted(key)) is not None
    ]
    return tuple(name for name, _ in pairs), tuple(held for _, held in pairs)
