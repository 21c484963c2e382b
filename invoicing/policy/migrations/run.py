"""Follow `upgrade()` and `downgrade()` step by step, without running them.

Loops over what is known are unrolled, functions of the file are entered, both branches of an `if`
are followed unless its test is about the dialect. What a helper from another file does is not seen.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections import ChainMap
from typing import TYPE_CHECKING, Any

from invoicing.policy.migrations.actions import HOLE, Action
from invoicing.policy.migrations.schema import LOOKING, OPERATIONS, enum_name, execute
from invoicing.policy.migrations.values import (
    UNKNOWN, Evaluator, Function, Made, Method, Ref,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUNDS = 200
DEEPEST = 8
STEPS = 20_000
EXECUTES = {"execute", "exec_driver_sql", "scalar", "scalars", "executescript"}
QUERIES = {"add", "add_all", "merge", "commit", "update", "bulk_insert_mappings", "bulk_save_objects"}
HARMLESS = {
    "append", "extend", "close", "connect", "begin", "flush", "refresh", "query", "info", "debug",
    "warning", "error", "exception", "rollback", "expire", "expire_all", "expunge_all", "reflect",
}
BATCH = "alembic.op.batch_alter_table"
SILENT = {"sqlalchemy", "alembic", "builtins", *sys.stdlib_module_names}


class Run:
    """The steps of one function, in order.

    Attributes:
        actions: what it does.
        raises: the `raise` that every run of it comes to.
    """

    def __init__(self, module: dict[str, Any], dialect: str) -> None:
        self.evaluator = Evaluator(dialect)
        self.module = module
        self.actions: list[Action] = []
        self.raises: ast.stmt | None = None
        self.guards = 0
        self.inside: list[ast.AST] = []
        self.whole: ast.AST | None = None
        self.steps = 0

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Run:
        """Follow a function called without arguments."""
        self.inside.append(node)
        try:
            self.body(node.body, ChainMap({}, self.module))
        except RecursionError:
            self.actions.append(Action("opaque", said=f"{node.name}()", line=node.lineno, column=1))
        return self

    def body(self, body: Iterable[ast.stmt], scope: ChainMap[str, Any]) -> bool:
        """Follow statements; True where none that comes after them is reached."""
        guards = self.guards
        try:
            for statement in body:
                self.steps += 1
                if self.steps > STEPS:
                    return True
                follow = getattr(self, f"on_{type(statement).__name__}", None)
                ended = follow(statement, scope) if follow else self.calls(statement, scope)
                if ended:
                    return True
        finally:
            self.guards = guards
        return False

    def on_FunctionDef(self, node: ast.FunctionDef, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        scope[node.name] = Function(node)

    on_AsyncFunctionDef = on_FunctionDef

    def on_ClassDef(self, node: ast.ClassDef, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        scope[node.name] = UNKNOWN

    def on_Import(self, node: ast.Import, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope[name] = Ref(alias.name if alias.asname else name)

    def on_ImportFrom(self, node: ast.ImportFrom, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            scope[alias.asname or alias.name] = Ref(f"{module}.{alias.name}")

    def on_Return(self, node: ast.Return, scope: ChainMap[str, Any]) -> bool:  # noqa: N802
        self.calls(node, scope)
        return True

    def on_Break(self, node: ast.Break, scope: ChainMap[str, Any]) -> bool:  # noqa: N802
        return True

    on_Continue = on_Break

    def on_Raise(self, node: ast.Raise, scope: ChainMap[str, Any]) -> bool:  # noqa: N802
        if not self.guards and self.raises is None:
            self.raises = node
        return True

    def on_Assert(self, node: ast.Assert, scope: ChainMap[str, Any]) -> bool:  # noqa: N802
        if self.evaluator.value(node.test, scope) is False:
            self.raises = self.raises or (None if self.guards else node)
            return True
        return False

    def on_Assign(self, node: ast.Assign, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        self.calls(node.value, scope)
        value = self.evaluator.value(node.value, scope)
        for target in node.targets:
            bind(target, value, scope)

    def on_AnnAssign(self, node: ast.AnnAssign, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        if node.value is not None:
            self.calls(node.value, scope)
            bind(node.target, self.evaluator.value(node.value, scope), scope)

    def on_AugAssign(self, node: ast.AugAssign, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        self.calls(node.value, scope)
        if isinstance(node.target, ast.Name):
            left = ast.Name(id=node.target.id, ctx=ast.Load())
            sum_ = ast.BinOp(left=left, op=node.op, right=node.value)
            scope[node.target.id] = self.evaluator.value(sum_, scope)

    def on_If(self, node: ast.If, scope: ChainMap[str, Any]) -> bool:  # noqa: N802
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

    def on_Match(self, node: ast.Match, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        for case in node.cases:
            self.guarded(case.body, scope)

    def on_For(self, node: ast.For, scope: ChainMap[str, Any]) -> None:  # noqa: N802
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

    on_AsyncFor = on_For

    def on_While(self, node: ast.While, scope: ChainMap[str, Any]) -> None:  # noqa: N802
        self.calls(node.test, scope)
        self.guarded(node.body, scope)

    def on_With(self, node: ast.With, scope: ChainMap[str, Any]) -> bool:  # noqa: N802
        for item in node.items:
            self.calls(item.context_expr, scope)
            if item.optional_vars is not None:
                bind(item.optional_vars, self.evaluator.value(item.context_expr, scope), scope)
        return self.body(node.body, scope)

    on_AsyncWith = on_With

    def on_Try(self, node: ast.Try, scope: ChainMap[str, Any]) -> bool:  # noqa: N802
        self.guards += bool(node.handlers)
        ended = self.body(node.body, scope)
        self.body(node.orelse, scope)
        for handler in node.handlers:
            self.guarded(handler.body, scope)
        self.guards -= bool(node.handlers)
        return self.body(node.finalbody, scope) or (ended and not node.handlers)

    def guarded(self, body: list[ast.stmt], scope: ChainMap[str, Any]) -> None:
        """Follow what runs only sometimes."""
        self.guards += 1
        self.body(body, scope)
        self.guards -= 1

    def calls(self, node: ast.AST, scope: ChainMap[str, Any]) -> None:
        """Follow every call of an expression, inner ones first."""
        self.whole = node.value if isinstance(node, ast.Expr) else None
        if isinstance(self.whole, ast.Await):
            self.whole = self.whole.value
        found: list[ast.Call] = []
        todo = [node]
        while todo:
            one = todo.pop()
            if isinstance(one, ast.Lambda):
                continue
            if isinstance(one, ast.Call):
                found.append(one)
            todo += list(ast.iter_child_nodes(one))[::-1]
        for call in reversed(found):
            self.call(call, scope)

    def call(self, node: ast.Call, scope: ChainMap[str, Any]) -> None:
        """Follow one call."""
        callee = self.evaluator.value(node.func, scope)
        if isinstance(callee, Function):
            self.enter(callee, node, scope)
        elif isinstance(callee, Ref):
            self.named(callee.dotted, node, scope)
        elif isinstance(callee, Method):
            self.method(callee, node, scope)
        elif node is self.whole:
            self.do([Action("opaque", said="a call")], node)

    def made(self, dotted: str, node: ast.Call, scope: ChainMap[str, Any]) -> Made:
        """Give a call's arguments."""
        plain = ast.Call(func=ast.Name(id="\0", ctx=ast.Load()), args=node.args, keywords=node.keywords)
        value = self.evaluator.value(plain, scope)
        return Made(dotted, value.args, value.kwargs) if isinstance(value, Made) else Made(dotted, [])

    def named(self, dotted: str, node: ast.Call, scope: ChainMap[str, Any]) -> None:
        """Follow a call of something imported."""
        module, _, name = dotted.rpartition(".")
        if module in {"alembic.op", "alembic.operations.ops"}:
            operation = OPERATIONS.get(name)
            if operation is not None:
                self.do(operation(self.made(dotted, node, scope)), node)
            elif name not in LOOKING:
                self.do([Action("opaque", name=name, said=f"op.{name}")], node)
        elif dotted in {"sys.exit", "exit", "quit"}:
            if not self.guards and self.raises is None:
                self.raises = ast.copy_location(ast.Expr(value=node), node)
        elif name in EXECUTES:
            self.do(execute(self.made(dotted, node, scope)), node)
        elif node is self.whole and not silent(dotted):
            self.do([Action("opaque", said=f"{name}()")], node)

    def method(self, callee: Method, node: ast.Call, scope: ChainMap[str, Any]) -> None:
        """Follow a call of something's method: of a batch, a connection, a type, a table."""
        owner, name = callee.owner, callee.name
        if isinstance(owner, Made) and owner.dotted == BATCH:
            made = self.made(f"alembic.op.{name}", node, scope)
            if name in EXECUTES:
                self.do(execute(made), node)
                return
            table = owner.get(0, "table_name")
            # create_foreign_key and its like have the constraint's name before the table's.
            at = 1 if name.startswith("create_") or name in {"drop_index", "drop_constraint"} else 0
            args = [*made.args[:at], *([None] if at and not made.args else []), table, *made.args[at:]]
            if at and not made.args:
                key = "index_name" if "index" in name else "constraint_name"
                args[0] = made.kwargs.pop(key, None)
            operation = OPERATIONS.get(name)
            if operation is not None:
                self.do(operation(Made(made.dotted, args, made.kwargs)), node)
        elif name in EXECUTES:
            self.do(execute(self.made(name, node, scope)), node)
        elif name in {"create", "drop"} and isinstance(owner, Made):
            self.do(of_object(owner, name), node)
        elif name in {"create_all", "drop_all"}:
            self.do([Action("opaque", said=f"{name}()")], node)
        elif name == "delete" and isinstance(owner, Made) and "query" in owner.dotted.split("."):
            self.do([Action("lose", "table", HOLE, said="query().delete()")], node)
        elif node is self.whole and not (isinstance(owner, Made) and owner.dotted.startswith("logging.")):
            if name in QUERIES:
                self.do([Action("change", "data", said=f"{name}()")], node)
            elif name not in HARMLESS:
                self.do([Action("opaque", said=f"{name}()")], node)

    def enter(self, function: Function, node: ast.Call, scope: ChainMap[str, Any]) -> None:
        """Follow a function of the file with its arguments bound."""
        target = function.node
        if isinstance(target, ast.Lambda) or target in self.inside or len(self.inside) > DEEPEST:
            return
        made = self.made(target.name, node, scope)
        names = [one.arg for one in [*target.args.posonlyargs, *target.args.args]]
        bound: dict[str, Any] = dict.fromkeys([*names, *(one.arg for one in target.args.kwonlyargs)], UNKNOWN)
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
            one.at(node.lineno, node.col_offset + 1, guarded=self.guards > 0) for one in actions
        ]


def silent(dotted: str) -> bool:
    """Tell whether a function of this name leaves the schema alone."""
    root = dotted.partition(".")[0]
    return root in SILENT or hasattr(builtins, dotted)


def of_object(owner: Made, verb: str) -> list[Action]:
    """`Enum.create(bind)`, `Table.drop(bind)`, `Index.create(bind)`."""
    kind = {"Table": "table", "Index": "index", "Sequence": "sequence"}.get(owner.word)
    enum = enum_name(owner)
    name = enum or (owner.get(0, "name") if kind else None)
    if enum:
        kind = "type"
    if kind is None:
        return [Action("opaque", said=f".{verb}()")]
    lenient = verb == "drop"
    name = name if isinstance(name, str) else HOLE
    said = f"{owner.word}.{verb}"
    if verb == "create" and kind == "table":
        return OPERATIONS["create_table"](Made("create_table", [name, *owner.args[2:]]))
    return [Action("create" if verb == "create" else "drop", kind, name, lenient=lenient, said=said)]


def bind(target: ast.expr, value: Any, scope: ChainMap[str, Any]) -> None:
    """Give a name its value; several at once from a list."""
    if isinstance(target, ast.Name):
        scope[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        known = isinstance(value, list) and len(value) == len(target.elts)
        for index, one in enumerate(target.elts):
            bind(one, value[index] if known else UNKNOWN, scope)
