"""Find what an expression is without running it: texts, numbers, lists, calls by name."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from invoicing.toolkit.policy.migrations.actions import HOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A constant, a list or dict of values, or one of the classes below.
Value: TypeAlias = Any

DEEPEST = 60
LONGEST = 1_000_000
MOST_ITEMS = 10_000
# A width in a format can ask for any amount of memory.
SPECIFIED = re.compile(r"\{[^{}]*[:!\[.]")
PLACE = re.compile(r"%(?:\(\w+\))?s|%%")
PLAIN_METHODS = {
    "strip",
    "lstrip",
    "rstrip",
    "lower",
    "upper",
    "split",
    "splitlines",
    "removesuffix",
    "startswith",
    "endswith",
    "replace",
}
# They give back the text they were given.
THROUGH = {
    "sqlalchemy.text",
    "sqlalchemy.sql.text",
    "sqlalchemy.sql.expression.text",
    "alembic.op.f",
    "alembic.op.inline_literal",
    "textwrap.dedent",
    "inspect.cleandoc",
    "str",
    "sqlalchemy.sql.quoted_name",
    "sqlalchemy.sql.elements.quoted_name",
    "sqlalchemy.DDL",
    "sqlalchemy.schema.DDL",
    "sqlalchemy.literal_column",
    "alembic.op.batch_alter_table.f",
}
OVER_LISTS: dict[str, Callable[[list[list[Value]]], list[Value]]] = {
    **dict.fromkeys(("list", "tuple", "set", "sorted", "frozenset"), lambda lists: lists[0]),
    "reversed": lambda lists: lists[0][::-1],
    "enumerate": lambda lists: [[index, list_] for index, list_ in enumerate(lists[0])],
    "zip": lambda lists: [list(row) for row in zip(*lists, strict=False)],
}


@dataclass(frozen=True)
class Unknown:
    """What cannot be known without running the code."""


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Ref:
    """Something imported, or a builtin, by its dotted name."""

    dotted: str


@dataclass
class CallValue:
    """What a call makes: its dotted name and its arguments."""

    dotted: str
    args: list[Value]
    kwargs: dict[str, Value] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """Give the last part of the name."""
        return self.dotted.rpartition(".")[2]

    def get(self, index: int, name: str, default: Value = None) -> Value:
        """Give an argument by its place or by its name."""
        if index < len(self.args):
            return self.args[index]
        return self.kwargs.get(name, default)


@dataclass(frozen=True)
class Method:
    """An attribute of something that is not a module."""

    owner: Value
    name: str


@dataclass(frozen=True)
class FunctionValue:
    """A function of the file itself."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def text_of(value: Value) -> str:
    """Give a text, or a hole in its place."""
    if isinstance(value, str):
        return value
    if isinstance(value, CallValue) and value.word in {"text", "DDL", "quoted_name"} and value.args:
        return text_of(value.args[0])
    return str(value) if isinstance(value, int | float) else HOLE


class Evaluator:
    """Evaluate expressions in a scope of names."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.depth = 0

    def value(self, node: ast.expr | None, scope: Mapping[str, Value]) -> Value:
        """Give the value, or UNKNOWN; never raises."""
        rule = RULES.get(type(node)) if node is not None else None
        if rule is None or self.depth >= DEEPEST:
            return UNKNOWN
        self.depth += 1
        try:
            return rule(self, node, scope)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError):
            return UNKNOWN
        finally:
            self.depth -= 1

    def constant(self, node: ast.Constant, _scope: Mapping[str, Value]) -> Value:
        """Give a constant."""
        return node.value

    def name(self, node: ast.Name, scope: Mapping[str, Value]) -> Value:
        """Give what a name stands for; one that is not known may be built in."""
        return scope[node.id] if node.id in scope else Ref(node.id)

    def attribute(self, node: ast.Attribute, scope: Mapping[str, Value]) -> Value:
        """Give what a dotted name stands for, or the dialect."""
        owner = self.value(node.value, scope)
        if node.attr == "name" and isinstance(owner, Method) and owner.name == "dialect":
            return self.dialect
        if node.attr == "dialect_name":
            return self.dialect
        if isinstance(owner, Ref):
            return Ref(f"{owner.dotted}.{node.attr}")
        return Method(owner, node.attr)

    def joined(self, node: ast.JoinedStr, scope: Mapping[str, Value]) -> str:
        """Give an f-string, with holes for what is not known."""
        return "".join(text_of(self.value(part, scope)) for part in node.values)[:LONGEST]

    def formatted(self, node: ast.FormattedValue, scope: Mapping[str, Value]) -> str:
        """Give one part of an f-string."""
        return HOLE if node.format_spec else text_of(self.value(node.value, scope))

    def sequence(
        self, node: ast.List | ast.Tuple | ast.Set, scope: Mapping[str, Value]
    ) -> list[Value]:
        """Give a list."""
        found: list[Value] = []
        for elt in node.elts:
            if isinstance(elt, ast.Starred):
                inner = self.value(elt.value, scope)
                found += inner if isinstance(inner, list) else [UNKNOWN]
            else:
                found.append(self.value(elt, scope))
        return found[:MOST_ITEMS]

    def mapping(self, node: ast.Dict, scope: Mapping[str, Value]) -> Value:
        """Give a dict."""
        pairs = zip(node.keys, node.values, strict=True)
        return {self.value(key, scope): self.value(value, scope) for key, value in pairs}

    def binary(self, node: ast.BinOp, scope: Mapping[str, Value]) -> Value:
        """Give a sum of texts or lists, or a text with its values."""
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        if isinstance(node.op, ast.Add):
            if isinstance(left, list) and isinstance(right, list):
                return (left + right)[:MOST_ITEMS]
            if isinstance(left, str) or isinstance(right, str):
                return (text_of(left) + text_of(right))[:LONGEST]
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            return percent(left, right)
        return UNKNOWN

    def compare(self, node: ast.Compare, scope: Mapping[str, Value]) -> Value:
        """Tell whether texts are the same."""
        if len(node.ops) != 1:
            return UNKNOWN
        left, right = self.value(node.left, scope), self.value(node.comparators[0], scope)
        if not (isinstance(left, str) and isinstance(right, str | list)) or HOLE in left:
            return UNKNOWN
        if isinstance(right, list) and UNKNOWN in right:
            return UNKNOWN
        compare = COMPARE.get(type(node.ops[0]))
        return compare(left, right) if compare else UNKNOWN

    def boolean(self, node: ast.BoolOp, scope: Mapping[str, Value]) -> Value:
        """Give what `and` and `or` give, where it is known."""
        values = [self.value(value, scope) for value in node.values]
        decisive = isinstance(node.op, ast.Or)
        if any(value is decisive for value in values):
            return decisive
        return not decisive if all(isinstance(value, bool) for value in values) else UNKNOWN

    def unary(self, node: ast.UnaryOp, scope: Mapping[str, Value]) -> Value:
        """Give what `not` gives, or a number below zero."""
        value = self.value(node.operand, scope)
        if isinstance(node.op, ast.USub) and isinstance(value, int):
            return -value
        return not value if isinstance(node.op, ast.Not) and isinstance(value, bool) else UNKNOWN

    def choice(self, node: ast.IfExp, scope: Mapping[str, Value]) -> Value:
        """Give the branch that is taken."""
        test = self.value(node.test, scope)
        if isinstance(test, bool):
            return self.value(node.body if test else node.orelse, scope)
        return UNKNOWN

    def subscript(self, node: ast.Subscript, scope: Mapping[str, Value]) -> Value:
        """Give an item, or a part of a list."""
        owner = self.value(node.value, scope)
        if isinstance(node.slice, ast.Slice):
            ends = node.slice.lower, node.slice.upper, node.slice.step
            bounds = [None if end is None else self.value(end, scope) for end in ends]
            return owner[slice(*bounds)] if isinstance(owner, list) else UNKNOWN
        key = self.value(node.slice, scope)
        return owner[key] if isinstance(owner, dict | list) else UNKNOWN

    def call(self, node: ast.Call, scope: Mapping[str, Value]) -> Value:
        """Give what a call makes."""
        callee = self.value(node.func, scope)
        args = self.sequence(ast.List(elts=node.args), scope)
        kwargs: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, dict):
                kwargs |= value
        if isinstance(callee, Ref):
            return made(callee.dotted, args, kwargs)
        if isinstance(callee, Method):
            return self.method(callee, args, kwargs)
        if isinstance(callee, FunctionValue):
            return self.returned(callee, scope)
        return UNKNOWN

    def returned(self, function: FunctionValue, scope: Mapping[str, Value]) -> Value:
        """Give what a function of one `return` without parameters gives."""
        node = function.node
        if isinstance(node, ast.Lambda) or node.args.args:
            return UNKNOWN
        last = node.body[-1]
        return self.value(last.value, scope) if isinstance(last, ast.Return) else UNKNOWN

    def method(self, callee: Method, args: list[Value], kwargs: dict[str, Value]) -> Value:
        """Give what a method makes."""
        owner, name = callee.owner, callee.name
        if isinstance(owner, str):
            return text_method(owner, name, args, kwargs)
        if isinstance(owner, dict) and name in {"items", "keys", "values"}:
            return (
                [list(pair) for pair in owner.items()]
                if name == "items"
                else list(getattr(owner, name)())
            )
        if name in {"bindparams", "execution_options", "columns", "with_variant"}:
            return owner
        if isinstance(owner, CallValue):
            # A batch marks a name as final, as Alembic itself does.
            return made(f"{owner.dotted}.{name}", args, kwargs)
        return CallValue(f"?.{name}", [owner, *args], kwargs)


def made(dotted: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Give what a call of something imported or built in makes."""
    if dotted in THROUGH and args:
        return text_of(args[0])
    if dotted == "dict" and not args:
        return kwargs
    over = OVER_LISTS.get(dotted)
    known = args and all(isinstance(argument, list | dict) for argument in args)
    return (
        over([list(argument) for argument in args])
        if over and known
        else CallValue(dotted, args, kwargs)
    )


def text_method(text: str, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Give what the method of a text gives, unless it would be too long to be SQL."""
    longest = len(text) * max(
        [len(argument) for argument in args if isinstance(argument, str | list)], default=1
    )
    if longest > LONGEST or (name == "format" and SPECIFIED.search(text)):
        return HOLE
    if name == "format":
        given = [text_of(argument) for argument in args]
        named = {key: text_of(value) for key, value in kwargs.items()}
        return text.format(*given, **named)[:LONGEST]
    if name == "join" and isinstance(args[0], list):
        return text.join(text_of(argument) for argument in args[0])[:LONGEST]
    plain = name in PLAIN_METHODS and all(isinstance(argument, str) for argument in args)
    return getattr(text, name)(*args) if plain else HOLE


def percent(text: str, given: Value) -> str:
    """Give what the old way of formatting gives, with holes for what is not known."""
    text = text.replace("%d", "%s")
    if "%" in PLACE.sub("", text):
        return HOLE
    if isinstance(given, dict):
        return (text % {key: text_of(value) for key, value in given.items()})[:LONGEST]
    values = given if isinstance(given, list) else [given]
    return (text % tuple(text_of(value) for value in values))[:LONGEST]


COMPARE: dict[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
RULES: dict[type[ast.expr], Callable[[Evaluator, Value, Mapping[str, Value]], Value]] = {
    ast.Constant: Evaluator.constant,
    ast.Name: Evaluator.name,
    ast.Attribute: Evaluator.attribute,
    ast.JoinedStr: Evaluator.joined,
    ast.FormattedValue: Evaluator.formatted,
    ast.List: Evaluator.sequence,
    ast.Tuple: Evaluator.sequence,
    ast.Set: Evaluator.sequence,
    ast.Dict: Evaluator.mapping,
    ast.BinOp: Evaluator.binary,
    ast.Compare: Evaluator.compare,
    ast.BoolOp: Evaluator.boolean,
    ast.UnaryOp: Evaluator.unary,
    ast.IfExp: Evaluator.choice,
    ast.Subscript: Evaluator.subscript,
    ast.Call: Evaluator.call,
}
