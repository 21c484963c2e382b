"""A program's own source, as the findings ask of it: what is bound to a name, what is at a line.

Read from `linecache`, so cells of a notebook are there too. What has no source, or is no Python,
is a module without anything in it.
"""

from __future__ import annotations

import ast
import linecache
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
# How a value gets into a list, a dictionary, a set or a queue.
_FILLING = frozenset(
    {"add", "append", "appendleft", "extend", "insert", "put", "put_nowait", "setdefault", "update"}
)


class Binding(NamedTuple):
    """What gives a name its value.

    Attributes:
        target: the name or the names that are bound, the element of a call that fills it.
        value: where it comes from.
        fills: whether it adds to what is there.
    """

    target: ast.AST
    value: ast.AST
    fills: bool = False


class Module:
    """One file's source, parsed once."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        try:
            self.tree = ast.parse(source)
        except (SyntaxError, ValueError):
            self.tree = ast.parse("")
        self.parents: dict[ast.AST, ast.AST] = {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node is in, innermost first."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def function_of(self, node: ast.AST) -> Function | None:
        """Return the function that a node is in; None at the top level."""
        return next((each for each in self.above(node) if isinstance(each, FUNCTIONS)), None)

    def function_at(self, line: int) -> Function | None:
        """Return the innermost function that a line belongs to."""
        spanning = [function for function in self.functions if spans(function, line)]
        return min(spanning, key=length, default=None)

    def statement_at(self, line: int) -> ast.stmt | None:
        """Return the innermost statement that a line belongs to."""
        spanning = [
            node for node in ast.walk(self.tree) if isinstance(node, ast.stmt) and spans(node, line)
        ]
        return min(spanning, key=lambda node: (length(node), -node.col_offset), default=None)

    @cached_property
    def calls(self) -> list[ast.Call]:
        """All the calls in it."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    @cached_property
    def functions(self) -> list[Function]:
        """All the functions in it."""
        return [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names to which anything in it is bound, other than by `def` and `import`."""
        return frozenset(name for _, name in self._bindings)

    def bindings(self, name: str, scope: Function | None) -> list[Binding]:
        """Return what binds or fills a name in a function, or at the top level, in their order."""
        return self._bindings.get((scope, name), [])

    @cached_property
    def _bindings(self) -> dict[tuple[Function | None, str], list[Binding]]:
        found: dict[tuple[Function | None, str], list[Binding]] = {}
        for node in ast.walk(self.tree):
            for binding in _binding(node):
                for name in _names_in(binding.target):
                    scope = self._owner(name, binding, node)
                    found.setdefault((scope, name), []).append(binding)
        for bindings in found.values():
            bindings.sort(key=lambda binding: place(binding.target))
        return found

    def _owner(self, name: str, binding: Binding, node: ast.AST) -> Function | None:
        scope = self.function_of(node)
        # What fills may stand further in than what it fills.
        while binding.fills and scope is not None and name not in self._own_names[scope]:
            scope = self.function_of(scope)
        return scope

    @cached_property
    def _own_names(self) -> dict[Function | None, set[str]]:
        names: dict[Function | None, set[str]] = {None: set()}
        for scope in self.functions:
            names[scope] = {each.arg for each in parameters_of(scope)}
        for node in ast.walk(self.tree):
            for binding in _binding(node):
                if not binding.fills:
                    names[self.function_of(node)].update(_names_in(binding.target))
        return names

    def reaching(self, use: ast.AST, bindings: list[Binding]) -> list[Binding]:
        """Return those of the bindings that may have given a name the value that `use` has."""
        around = set(self.above(use))
        loops = {node for node in around if isinstance(node, _LOOPS)}
        found = []
        for binding in reversed(bindings):
            blocks = {node for node in self.above(binding.target) if isinstance(node, _BLOCKS)}
            if place(binding.target) >= place(use):
                # Of the last round of a loop.
                if blocks & loops:
                    found.append(binding)
                continue
            found.append(binding)
            if not binding.fills and blocks <= around:
                break
        return found


@lru_cache(maxsize=256)
def _parsed(file: str, source: str) -> Module:
    return Module(file, source)


def module_of(file: str) -> Module:
    """Return the source of a file."""
    return _parsed(file, "".join(linecache.getlines(file)))


def spans(node: ast.expr | ast.stmt, line: int) -> bool:
    """Return whether a node has a part on a line."""
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def length(node: ast.expr | ast.stmt) -> int:
    """Return the lines that a node is long, less one."""
    return (node.end_lineno or node.lineno) - node.lineno


def place(node: ast.AST) -> tuple[int, int]:
    """Return where a node begins."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def parameters_of(function: Function) -> list[ast.arg]:
    """Return the parameters of a function in their order, `*args` and `**kwargs` last."""
    given = function.args
    rest = [each for each in (given.vararg, given.kwarg) if each is not None]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *rest]


def is_written_list(node: ast.AST) -> bool:
    """Return whether all that is in a list stands in the program's text: constants, or counted.

    One text that grows (`"a"`, `"ab"`, `"abc"`) is typed, and no list of different things.
    """
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        inside = [part for each in node.elts for part in ast.walk(each)]
        constants = all(
            isinstance(part, (ast.Constant, ast.Tuple, ast.expr_context)) for part in inside
        )
        values = [each.value for each in node.elts if isinstance(each, ast.Constant)]
        texts = [value for value in values if isinstance(value, str)]
        grows = all(after.startswith(before) for before, after in pairwise(texts))
        return len(node.elts) > 1 and constants and not (texts and grows)
    if isinstance(node, (ast.ListComp, ast.SetComp)):
        return all(
            isinstance(each.iter, ast.Call)
            and isinstance(each.iter.func, ast.Name)
            and each.iter.func.id == "range"
            for each in node.generators
        )
    return False


def written_length(node: ast.AST) -> int | None:
    """Return how many things are in such a list; None where only running it would tell."""
    return len(node.elts) if isinstance(node, (ast.List, ast.Tuple, ast.Set)) else None


def values_of(call: ast.Call) -> list[ast.expr]:
    """Return all that a call is given."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _binding(node: ast.AST) -> Iterator[Binding]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _assigned(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from _assigned(target, value)
        case ast.AugAssign(target=target, value=value):
            yield Binding(target, value, fills=True)
        case (
            ast.For(target=target, iter=value)
            | ast.AsyncFor(target=target, iter=value)
            | ast.NamedExpr(target=target, value=value)
            | ast.withitem(optional_vars=ast.expr() as target, context_expr=value)
        ):
            yield Binding(target, value)
        case ast.Call(func=ast.Attribute(value=filled, attr=name)) if name in _FILLING:
            for value in values_of(node):
                yield Binding(filled, value, fills=True)


def _assigned(target: ast.AST, value: ast.AST) -> Iterator[Binding]:
    if isinstance(target, ast.Subscript):
        yield Binding(target.value, target.slice, fills=True)
        yield Binding(target.value, value, fills=True)
    else:
        yield Binding(target, value)


def _names_in(target: ast.AST) -> Iterator[str]:
    """Yield the names that a target binds; what belongs to `self` by its attribute's name."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        yield f"{target.value.id}.{target.attr}"
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _names_in(element)
    elif isinstance(target, ast.Starred):
        yield from _names_in(target.value)
