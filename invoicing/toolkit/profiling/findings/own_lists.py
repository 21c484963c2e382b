"""Tell a list of each row's own ids from a batch, by the source.

    for act in acts:
        ids = [show.id for show in act.shows]     # its own: a query for each act
    for start in range(0, len(ids), 100):
        batch = ids[start : start + 100]          # a part of one list

A list is a row's own if it is an attribute of the loop's variable, is made of one, or is what a
dictionary holds for each key.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.profiling.findings.source_code import COMPREHENSIONS, module_of, spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.source_code import Function, Module
    from invoicing.toolkit.profiling.statement import Caller

_COPIES = frozenset({"list", "set", "sorted", "tuple"})
_DEEPEST = 10
_IN = frozenset({"in_", "any_", "not_in"})


def is_own_list(caller: Caller) -> bool:
    """Return whether the list in the statement at a line belongs to one turn of its loop."""
    module = module_of(caller.file)
    statement = module.statement_at(caller.line)
    if statement is None:
        return False
    around = [each for each in (statement, *module.above(statement)) if isinstance(each, _FOR)]
    inside = [
        node
        for node in ast.walk(statement)
        if isinstance(node, COMPREHENSIONS) and spans(node, caller.line)
    ]
    turns = [(each.target, each.iter) for each in around]
    turns += [(each.target, each.iter) for node in inside for each in node.generators]
    if not turns:
        return False
    loop = _Loop(module, module.function_of(statement), turns)
    within = around[0] if around else statement
    return any(
        loop.owns(argument)
        for call in ast.walk(within)
        if isinstance(call, ast.Call) and _name(call.func) in _IN
        for argument in call.args
    )


_FOR = (ast.For, ast.AsyncFor)


class _Loop(NamedTuple):
    module: Module
    function: Function | None
    turns: list[tuple[ast.expr, ast.expr]]

    def owns(self, value: ast.AST, depth: int = 0) -> bool:
        if isinstance(value, ast.Attribute):
            return self._varies(value)
        parts: list[ast.AST] = []
        match value:
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                parts = [value.generators[0].iter]
            case ast.Call(args=[argument, *_]) if _name(value.func) in _COPIES:
                parts = [argument]
            case ast.Name(id=name):
                if any(_maps(over) and name in _names(target) for target, over in self.turns):
                    return True
                parts = [each.value for each in self.module.bindings(name, self.function)]
        return depth < _DEEPEST and any(self.owns(part, depth + 1) for part in parts)

    def _varies(self, attribute: ast.Attribute) -> bool:
        value: ast.AST = attribute
        while isinstance(value, ast.Attribute):
            value = value.value
        return isinstance(value, ast.Name) and any(
            value.id in _names(target) for target, _ in self.turns
        )


def _maps(over: ast.AST) -> bool:
    return isinstance(over, ast.Call) and _name(over.func) in {"items", "values"}


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _names(target: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
