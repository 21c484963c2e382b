"""Find what an expression is without running it: texts, numbers, lists, and calls by their names."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from invoicing.policy.migrations.actions import HOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEEPEST = 60
LONGEST = 2_000_000
# They give back the text they were given.
THROUGH = {
    "sqlalchemy.text", "sqlalchemy.sql.text", "sqlalchemy.sql.expression.text", "alembic.op.f",
    "alembic.op.inline_literal", "textwrap.dedent", "inspect.cleandoc", "str",
    "sqlalchemy.sql.quoted_name", "sqlalchemy.sql.elements.quoted_name", "sqlalchemy.DDL",
    "sqlalchemy.schema.DDL", "sqlalchemy.literal_column", "batch.f",
}
LISTED = {"list": list, "tuple": list, "set": list, "sorted": list, "frozenset": list}


@dataclass(frozen=True)
class Unknown:
    """What cannot be known without running the code."""


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Ref:
    """Something imported, or a builtin, by its dotted name."""

    dotted: str


@dataclass
class Made:
    """What a call makes: its dotted name and its arguments."""

    dotted: str
    args: list[Any]
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """Give the last part of the name."""
        return self.dotted.rpartition(".")[2]

    def get(self, index: int, name: str, default: Any = None) -> Any:
        """Give an argument by its place or by its name."""
        if index < len(self.args):
            return self.args[index]
        return self.kwargs.get(name, default)


@dataclass(frozen=True)
class Method:
    """An attribute of something that is not a module."""

    owner: Any
    name: str


@dataclass(frozen=True)
class Function:
    """A function of the file itself."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def text_of(value: Any) -> str:
    """Give a text, or a hole in its place."""
    if isinstance(value, str):
        return value
    if isinstance(value, Made) and value.word in {"text", "DDL", "quoted_name"} and value.args:
        return text_of(value.args[0])
    return str(value) if isinstance(value, int | float) else HOLE


class Evaluator:
    """Evaluate expressions in a scope of names."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.depth = 0

    def value(self, node: ast.expr | None, scope: Mapping[str, Any]) -> Any:
        """Give the value, or UNKNOWN; never raises."""
        rule = RULES.get(type(node))
        if rule is None or self.depth >= DEEPEST or node is None:
            return UNKNOWN
        self.depth += 1
        try:
            return rule(self, node, scope)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError):
            return UNKNOWN
        finally:
            self.depth -= 1

    def constant(self, node: ast.Constant, scope: Mapping[str, Any]) -> Any:
        return node.value

    def name(self, node: ast.Name, scope: Mapping[str, Any]) -> Any:
        return scope[node.id] if node.id in scope else Ref(node.id)

    def attribute(self, node: ast.Attribute, scope: Mapping[str, Any]) -> Any:
        owner = self.value(node.value, scope)
        if node.attr == "name" and isinstance(owner, Method) and owner.name == "dialect":
            return self.dialect
        if node.attr == "dialect_name":
            return self.dialect
        if isinstance(owner, Ref):
            return Ref(f"{owner.dotted}.{node.attr}")
        return Method(owner, node.attr)

    def joined(self, node: ast.JoinedStr, scope: Mapping[str, Any]) -> str:
        return "".join(text_of(self.value(part, scope)) for part in node.values)

    def formatted(self, node: ast.FormattedValue, scope: Mapping[str, Any]) -> str:
        return HOLE if node.format_spec else text_of(self.value(node.value, scope))

    def sequence(self, node: ast.List | ast.Tuple | ast.Set, scope: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = []
        for one in node.elts:
            if isinstance(one, ast.Starred):
                inner = self.value(one.value, scope)
                found += inner if isinstance(inner, list) else [UNKNOWN]
            else:
                found.append(self.value(one, scope))
        return found

    def mapping(self, node: ast.Dict, scope: Mapping[str, Any]) -> Any:
        pairs = zip(node.keys, node.values, strict=True)
        return {self.value(key, scope): self.value(value, scope) for key, value in pairs}

    def binary(self, node: ast.BinOp, scope: Mapping[str, Any]) -> Any:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        if isinstance(node.op, ast.Add):
            if isinstance(left, list) and isinstance(right, list):
                return left + right
            if isinstance(left, str) or isinstance(right, str):
                return (text_of(left) + text_of(right))[:LONGEST]
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            return percent(left, right)
        return UNKNOWN

    def compare(self, node: ast.Compare, scope: Mapping[str, Any]) -> Any:
        if len(node.ops) != 1:
            return UNKNOWN
        left, right = self.value(node.left, scope), self.value(node.comparators[0], scope)
        if not (isinstance(left, str) and isinstance(right, str | list)) or HOLE in left:
            return UNKNOWN
        if isinstance(right, list) and UNKNOWN in right:
            return UNKNOWN
        compare = COMPARE.get(type(node.ops[0]))
        return compare(left, right) if compare else UNKNOWN

    def boolean(self, node: ast.BoolOp, scope: Mapping[str, Any]) -> Any:
        values = [self.value(one, scope) for one in node.values]
        decisive = isinstance(node.op, ast.Or)
        if any(value is decisive for value in values):
            return decisive
        return not decisive if all(isinstance(value, bool) for value in values) else UNKNOWN

    def unary(self, node: ast.UnaryOp, scope: Mapping[str, Any]) -> Any:
        value = self.value(node.operand, scope)
        return not value if isinstance(node.op, ast.Not) and isinstance(value, bool) else UNKNOWN

    def choice(self, node: ast.IfExp, scope: Mapping[str, Any]) -> Any:
        test = self.value(node.test, scope)
        if isinstance(test, bool):
            return self.value(node.body if test else node.orelse, scope)
        return UNKNOWN

    def subscript(self, node: ast.Subscript, scope: Mapping[str, Any]) -> Any:
        owner, key = self.value(node.value, scope), self.value(node.slice, scope)
        return owner[key] if isinstance(owner, dict | list) else UNKNOWN

    def call(self, node: ast.Call, scope: Mapping[str, Any]) -> Any:
        callee = self.value(node.func, scope)
        args = self.sequence(ast.List(elts=node.args), scope)
        kwargs: dict[str, Any] = {}
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
        if isinstance(callee, Function):
            return self.returned(callee, scope)
        return UNKNOWN

    def returned(self, function: Function, scope: Mapping[str, Any]) -> Any:
        """Give what a function of one `return` without parameters gives."""
        node = function.node
        if isinstance(node, ast.Lambda) or node.args.args:
            return UNKNOWN
        last = node.body[-1]
        return self.value(last.value, scope) if isinstance(last, ast.Return) else UNKNOWN

    def method(self, callee: Method, args: list[Any], kwargs: dict[str, Any]) -> Any:
        owner, name = callee.owner, callee.name
        if isinstance(owner, str):
            return text_method(owner, name, args, kwargs)
        if isinstance(owner, dict) and name in {"items", "keys", "values"}:
            return [list(pair) for pair in owner.items()] if name == "items" else list(getattr(owner, name)())
        if name in {"bindparams", "execution_options", "columns", "with_variant"}:
            return owner
        if isinstance(owner, Made):
            return Made(f"{owner.dotted}.{name}", args, kwargs)
        return Made(f"?.{name}", [owner, *args], kwargs)


def made(dotted: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Give what a call of something imported or built in makes."""
    if dotted in THROUGH and args:
        return text_of(args[0])
    if dotted in LISTED and args and isinstance(args[0], list | dict):
        return list(args[0])
    if dotted == "reversed" and isinstance(args[0], list):
        return args[0][::-1]
    if dotted == "enumerate" and isinstance(args[0], list):
        return [[index, value] for index, value in enumerate(args[0])]
    if dotted == "zip" and all(isinstance(one, list) for one in args):
        return [list(row) for row in zip(*args, strict=False)]
    if dotted == "dict" and not args:
        return kwargs
    return Made(dotted, args, kwargs)


def text_method(text: str, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Give what the method of a text gives."""
    if name == "format":
        given = [text_of(one) for one in args]
        named = {key: text_of(value) for key, value in kwargs.items()}
        return text.format(*given, **named)
    if name == "join" and isinstance(args[0], list):
        return text.join(text_of(one) for one in args[0])
    if name in {"strip", "lstrip", "rstrip", "lower", "upper", "split", "splitlines", "removesuffix"}:
        return getattr(text, name)(*args)
    if name in {"startswith", "endswith"} and isinstance(args[0], str):
        return getattr(text, name)(args[0])
    if name == "replace" and all(isinstance(one, str) for one in args):
        return text.replace(*args)
    return HOLE


def percent(text: str, given: Any) -> str:
    """Give what the old way of formatting gives, with holes for what is not known."""
    if isinstance(given, dict):
        return text % {key: text_of(value) for key, value in given.items()}
    values = given if isinstance(given, list) else [given]
    return text.replace("%d", "%s") % tuple(text_of(one) for one in values)


COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
RULES: dict[type[ast.expr], Callable[[Evaluator, Any, Mapping[str, Any]], Any]] = {
    ast.Constant: Evaluator.constant, ast.Name: Evaluator.name,
    ast.Attribute: Evaluator.attribute, ast.JoinedStr: Evaluator.joined,
    ast.FormattedValue: Evaluator.formatted, ast.List: Evaluator.sequence,
    ast.Tuple: Evaluator.sequence, ast.Set: Evaluator.sequence, ast.Dict: Evaluator.mapping,
    ast.BinOp: Evaluator.binary, ast.Compare: Evaluator.compare, ast.BoolOp: Evaluator.boolean,
    ast.UnaryOp: Evaluator.unary, ast.IfExp: Evaluator.choice, ast.Subscript: Evaluator.subscript,
    ast.Call: Evaluator.call,
}
