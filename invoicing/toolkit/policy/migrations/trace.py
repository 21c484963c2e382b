"""Follow `upgrade()` and `downgrade()` step by step, without running them.

Loops over what is known are unrolled, functions of the file are entered, both branches of an `if`
are followed unless its test is about the dialect. What a helper from another file does is not seen.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import Action
from invoicing.toolkit.policy.migrations.calls import EXITS, of_method, of_name
from invoicing.toolkit.policy.migrations.values import (
    UNKNOWN,
    CallValue,
    Evaluator,
    FunctionValue,
    Method,
    Ref,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROUNDS = 200
DEEPEST = 8
STEPS = 20_000


class Trace:
    """The steps of one function, in order.

    Attributes:
        actions: what it does.
        raises: the `raise` that every run of it comes to.
    """

    def __init__(self, module: dict[str, Value], dialect: str) -> None:
        self.evaluator = Evaluator(dialect)
        self.module = module
        self.actions: list[Action] = []
        self.raises: ast.stmt | None = None
        self.guards = 0
        self.inside: list[ast.AST] = []
        self.whole: ast.AST | None = None
        self.steps = 0
        # A loop comes to the same node again and again.
        self.calls_in: dict[ast.AST, list[ast.Call]] = {}

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Trace:
        """Follow a function called without arguments."""
        self.inside.append(node)
        try:
            self.body(node.body, ChainMap({}, self.module))
        except RecursionError:
            self.actions.append(Action("opaque", said=f"{node.name}()", line=node.lineno, column=1))
        return self

    def body(self, body: Iterable[ast.stmt], scope: ChainMap[str, Value]) -> bool:
        """Follow statements; True where none that comes after them is reached."""
        guards = self.guards
        try:
            for statement in body:
                self.steps += 1
                if self.steps > STEPS:
                    return True
                follow = FOLLOW.get(type(statement))
                if follow is None:
                    self.calls(statement, scope)
                elif follow(self, statement, scope):
                    return True
        finally:
            self.guards = guards
        return False

    def on_function_def(self, node: ast.FunctionDef, scope: ChainMap[str, Value]) -> None:
        """Note a function."""
        scope[node.name] = FunctionValue(node)

    def on_class_def(self, node: ast.ClassDef, scope: ChainMap[str, Value]) -> None:
        """Note a class, which is not followed."""
        scope[node.name] = UNKNOWN

    def on_import(self, node: ast.Import, scope: ChainMap[str, Value]) -> None:
        """Note what a name stands for."""
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope[name] = Ref(alias.name if alias.asname else name)

    def on_import_from(self, node: ast.ImportFrom, scope: ChainMap[str, Value]) -> None:
        """Note what each name stands for."""
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            scope[alias.asname or alias.name] = Ref(f"{module}.{alias.name}")

    def on_return(self, node: ast.Return, scope: ChainMap[str, Value]) -> bool:
        """Follow what is returned, and stop."""
        self.calls(node, scope)
        return True

    def on_break(self, _node: ast.Break, _scope: ChainMap[str, Value]) -> bool:
        """Stop this round of a loop."""
        return True

    def on_raise(self, node: ast.Raise, _scope: ChainMap[str, Value]) -> bool:
        """Stop; note it where nothing guards it."""
        if not self.guards and self.raises is None:
            self.raises = node
        return True

    def on_assert(self, node: ast.Assert, scope: ChainMap[str, Value]) -> bool:
        """Stop at `assert False`."""
        if self.evaluator.value(node.test, scope) is False:
            self.raises = self.raises or (None if self.guards else node)
            return True
        return False

    def on_assign(self, node: ast.Assign, scope: ChainMap[str, Value]) -> None:
        """Give names their value."""
        self.calls(node.value, scope)
        value = self.evaluator.value(node.value, scope)
        for target in node.targets:
            bind(target, value, scope)

    def on_ann_assign(self, node: ast.AnnAssign, scope: ChainMap[str, Value]) -> None:
        """Give a name its value."""
        if node.value is not None:
            self.calls(node.value, scope)
            bind(node.target, self.evaluator.value(node.value, scope), scope)

    def on_aug_assign(self, node: ast.AugAssign, scope: ChainMap[str, Value]) -> None:
        """Add to a name's value."""
        self.calls(node.value, scope)
        if isinstance(node.target, ast.Name):
            left = ast.Name(id=node.target.id, ctx=ast.Load())
            sum_ = ast.BinOp(left=left, op=node.op, right=node.value)
            scope[node.target.id] = self.evaluator.value(sum_, scope)

    def on_if(self, node: ast.If, scope: ChainMap[str, Value]) -> bool:
        """Follow both branches, or the one that the dialect leads to."""
        self.calls(node.test, scope)
        test = self.evaluator.value(node.test, scope)
        if isinstance(test, bool):
            return self.body(node.body if test else node.orelse, scope)
        guards, self.guards = self.guards, self.guards + 1
        first = self.body(node.body, scope)
        second = self.body(node.orelse, scope)
        # One branch ends here: what comes after is reached only sometimes.
        self.guards = guards + (first != second)
        return first and second

    def on_match(self, node: ast.Match, scope: ChainMap[str, Value]) -> None:
        """Follow every case."""
        for case in node.cases:
            self.guarded(case.body, scope)

    def on_for(self, node: ast.For, scope: ChainMap[str, Value]) -> None:
        """Go over the values that are known, or once over what is not."""
        self.calls(node.iter, scope)
        values = self.evaluator.value(node.iter, scope)
        if isinstance(values, dict):
            values = list(values)
        if isinstance(values, list) and len(values) <= ROUNDS:
            for value in values:
                bind(node.target, value, scope)
                self.body(node.body, scope)
        else:
            bind(node.target, UNKNOWN, scope)
            self.guarded(node.body, scope)
        self.body(node.orelse, scope)

    def on_while(self, node: ast.While, scope: ChainMap[str, Value]) -> None:
        """Go through once."""
        self.calls(node.test, scope)
        self.guarded(node.body, scope)

    def on_with(self, node: ast.With, scope: ChainMap[str, Value]) -> bool:
        """Follow what is inside, with its name."""
        for item in node.items:
            self.calls(item.context_expr, scope)
            if item.optional_vars is not None:
                bind(item.optional_vars, self.evaluator.value(item.context_expr, scope), scope)
        return self.body(node.body, scope)

    def on_try(self, node: ast.Try, scope: ChainMap[str, Value]) -> bool:
        """Follow the body, which may stop anywhere, and the handlers."""
        self.guards += bool(node.handlers)
        ended = self.body(node.body, scope)
        self.body(node.orelse, scope)
        for handler in node.handlers:
            self.guarded(handler.body, scope)
        self.guards -= bool(node.handlers)
        return self.body(node.finalbody, scope) or (ended and not node.handlers)

    def guarded(self, body: list[ast.stmt], scope: ChainMap[str, Value]) -> None:
        """Follow what runs only sometimes."""
        self.guards += 1
        self.body(body, scope)
        self.guards -= 1

    def calls(self, node: ast.AST, scope: ChainMap[str, Value]) -> None:
        """Follow every call of an expression, inner ones first."""
        self.whole = node.value if isinstance(node, ast.Expr) else None
        if isinstance(self.whole, ast.Await):
            self.whole = self.whole.value
        if node not in self.calls_in:
            self.calls_in[node] = calls_in(node)
        for call in self.calls_in[node]:
            self.call(call, scope)

    def call(self, node: ast.Call, scope: ChainMap[str, Value]) -> None:
        """Follow one call."""
        callee, alone = self.evaluator.value(node.func, scope), node is self.whole
        if isinstance(callee, FunctionValue):
            self.enter(callee, node, scope)
        elif isinstance(callee, Ref):
            made = self.made(callee.dotted, node, scope)
            self.do(of_name(callee.dotted, made, alone=alone), node)
            if callee.dotted in EXITS and not self.guards and self.raises is None:
                self.raises = ast.copy_location(ast.Expr(value=node), node)
        elif isinstance(callee, Method):
            made = self.made(callee.name, node, scope)
            self.do(of_method(callee.owner, callee.name, made, alone=alone), node)
        elif alone:
            self.do([Action("opaque", said="a call")], node)

    def made(self, dotted: str, node: ast.Call, scope: ChainMap[str, Value]) -> CallValue:
        """Give a call's arguments."""
        plain = ast.Call(
            func=ast.Name(id="\0", ctx=ast.Load()), args=node.args, keywords=node.keywords
        )
        value = self.evaluator.value(plain, scope)
        return (
            CallValue(dotted, value.args, value.kwargs)
            if isinstance(value, CallValue)
            else CallValue(dotted, [])
        )

    def enter(self, function: FunctionValue, node: ast.Call, scope: ChainMap[str, Value]) -> None:
        """Follow a function of the file with its arguments bound."""
        target = function.node
        if isinstance(target, ast.Lambda) or target in self.inside or len(self.inside) > DEEPEST:
            return
        made = self.made(target.name, node, scope)
        names = [argument.arg for argument in [*target.args.posonlyargs, *target.args.args]]
        bound: dict[str, Value] = dict.fromkeys(
            [*names, *(kwonlyarg.arg for kwonlyarg in target.args.kwonlyargs)], UNKNOWN
        )
        for name, default in zip(names[::-1], target.args.defaults[::-1], strict=False):
            bound[name] = self.evaluator.value(default, scope)
        bound |= dict(zip(names, made.args, strict=False)) | made.kwargs
        self.inside.append(target)
        whole = self.whole
        self.body(target.body, ChainMap(bound, *scope.maps))
        self.inside.pop()
        self.whole = whole

    def do(self, actions: list[Action], node: ast.Call) -> None:
        """Note steps at the place of their call."""
        self.actions += [
            action.at(node.lineno, node.col_offset + 1, guarded=self.guards > 0)
            for action in actions
        ]


def calls_in(node: ast.AST) -> list[ast.Call]:
    """Give every call of an expression, inner ones first; what a lambda does is not done yet."""
    found: list[ast.Call] = []
    todo = [node]
    while todo:
        part = todo.pop()
        if isinstance(part, ast.Call):
            found.append(part)
        if not isinstance(part, ast.Lambda):
            todo += list(ast.iter_child_nodes(part))[::-1]
    return found[::-1]


def bind(target: ast.expr, value: Value, scope: ChainMap[str, Value]) -> None:
    """Give a name its value; several at once from a list."""
    if isinstance(target, ast.Name):
        scope[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        known = isinstance(value, list) and len(value) == len(target.elts)
        for index, elt in enumerate(target.elts):
            bind(elt, value[index] if known else UNKNOWN, scope)


FOLLOW: dict[type[ast.stmt], Callable[[Trace, Value, ChainMap[str, Value]], bool | None]] = {
    ast.FunctionDef: Trace.on_function_def,
    ast.ClassDef: Trace.on_class_def,
    ast.Import: Trace.on_import,
    ast.ImportFrom: Trace.on_import_from,
    ast.Return: Trace.on_return,
    ast.Break: Trace.on_break,
    ast.Raise: Trace.on_raise,
    ast.Assert: Trace.on_assert,
    ast.Assign: Trace.on_assign,
    ast.AnnAssign: Trace.on_ann_assign,
    ast.AugAssign: Trace.on_aug_assign,
    ast.If: Trace.on_if,
    ast.Match: Trace.on_match,
    ast.For: Trace.on_for,
    ast.While: Trace.on_while,
    ast.With: Trace.on_with,
    ast.Try: Trace.on_try,
    ast.AsyncFunctionDef: Trace.on_function_def,
    ast.Continue: Trace.on_break,
    ast.AsyncFor: Trace.on_for,
    ast.AsyncWith: Trace.on_with,
}
