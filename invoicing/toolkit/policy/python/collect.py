"""Walk a file's syntax tree once, without recursion, and keep what the rules ask for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.annotations import kind_of_annotation
from invoicing.toolkit.policy.python.clauses import ClauseSyntax, clause_syntax
from invoicing.toolkit.policy.python.names import dotted, imports_of, text_of
from invoicing.toolkit.policy.python.syntax import (
    AttributeSyntax,
    CallSyntax,
    ClassSyntax,
    FunctionSyntax,
    Keyword,
    ModuleSyntax,
    Place,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invoicing.toolkit.policy.source import SourceFile

    Scope = tuple[int, str | None]
    Assignment = ast.Assign | ast.AnnAssign | ast.NamedExpr

# Nothing is below these that a rule asks for.
LEAVES = frozenset(
    {ast.Constant, ast.Name, ast.Load, ast.Store, ast.alias, ast.Pass, ast.Break, ast.Continue}
)
# An expression this deep is data.
DEEPEST = 50


def collect(source: SourceFile) -> ModuleSyntax:
    """Return what is kept of a file."""
    collector = _Collector()
    collector.walk(source.tree)
    is_package = source.path.endswith("__init__.py")
    imports, stars = imports_of(collector.imports, source.module, is_package=is_package)
    return ModuleSyntax(
        source.path,
        source.module,
        imports,
        stars,
        collector.classes,
        collector.constants,
        collector.calls,
        collector.functions,
        collector.imported(),
        source.suppressions,
        source.text.count("\n") + 1,
        clauses=collector.clauses,
    )


class _Collector:
    """The walk's own state: what it has seen, and in which function and class it is."""

    def __init__(self) -> None:
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.classes: list[ClassSyntax] = []
        self.constants: dict[str, str | dict[str, str]] = {}
        self.calls: list[CallSyntax] = []
        self.clauses: list[ClauseSyntax] = []
        self.functions = [FunctionSyntax()]

    def walk(self, tree: ast.Module) -> None:
        """Visit every node once, parents first."""
        stack: list[tuple[ast.AST, int, str | None]] = [(tree, 0, None)]
        while stack:
            node, function, owner = stack.pop()
            kind = type(node)
            if kind in LEAVES:
                continue
            visit = VISITS.get(kind)
            if visit is not None:
                function, owner = visit(self, node, function, owner)
            for name in node._fields:
                value = getattr(node, name, None)
                if isinstance(value, ast.AST):
                    stack.append((value, function, owner))
                elif isinstance(value, list):
                    stack += [
                        (item, function, owner) for item in value[::-1] if isinstance(item, ast.AST)
                    ]

    def imported(self) -> list[tuple[str, Place]]:
        modules = []
        for node in self.imports:
            if isinstance(node, ast.Import):
                modules += [(name.name, place_of(node)) for name in node.names]
            elif node.module and not node.level:
                modules.append((node.module, place_of(node)))
        return modules

    def visit_import(
        self, node: ast.Import | ast.ImportFrom, function: int, owner: str | None
    ) -> Scope:
        """Note what is imported."""
        self.imports.append(node)
        return function, owner

    def visit_call(self, node: ast.Call, function: int, owner: str | None) -> Scope:
        """Note a call."""
        call = call_syntax(node, function, owner)
        if call is not None:
            self.calls.append(call)
            clause = clause_syntax(node, call.callee, function)
            self.clauses += [clause] if clause else []
        return function, owner

    def visit_function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        _function: int,
        owner: str | None,
    ) -> Scope:
        """Enter a function."""
        syntax = FunctionSyntax()
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            name = dotted(argument.annotation) or text_of(argument.annotation)
            if argument.annotation is None:
                syntax.untyped.add(argument.arg)
            if name is not None:
                syntax.sessions[argument.arg] = name
        self.functions.append(syntax)
        return len(self.functions) - 1, owner

    def visit_assign(self, node: Assignment, function: int, owner: str | None) -> Scope:
        """Note what a name is bound to."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                self._bind(target.id, node.value, function, owner)
                annotation = dotted(getattr(node, "annotation", None))
                if annotation:
                    self.functions[function].sessions[target.id] = annotation
            elif isinstance(target, ast.Attribute) and isinstance(node.value, ast.Call):
                self._set_later(target, node.value, place_of(node))
        return function, owner

    def _bind(self, name: str, value: ast.expr | None, function: int, owner: str | None) -> None:
        bound: CallSyntax | str | None = None
        if isinstance(value, ast.Await):
            value = value.value
        if isinstance(value, ast.Call):
            bound = call_syntax(value, function, owner)
        elif value is not None:
            bound = dotted(value)
        if bound is not None:
            self.functions[function].names[name] = bound
        if function == 0 and value is not None:
            constant = text_of(value)
            if constant is not None:
                self.constants[name] = constant
            elif isinstance(value, ast.Dict):
                self.constants[name] = _dictionary(value)

    def _set_later(self, target: ast.Attribute, value: ast.Call, place: Place) -> None:
        # `Model.lines = relationship(...)`, after the class.
        owner = dotted(target.value)
        call = call_syntax(value, 0, owner)
        for model in self.classes:
            if model.name == owner and call is not None:
                syntax = AttributeSyntax(target.attr, None, call, None, place)
                model.attributes[target.attr] = syntax

    def visit_with(self, node: ast.With | ast.AsyncWith, function: int, owner: str | None) -> Scope:
        """Note what a context manager yields."""
        for item in node.items:
            call = item.context_expr
            if isinstance(item.optional_vars, ast.Name) and isinstance(call, ast.Call):
                callee = _callee(call)
                if callee is not None:
                    self.functions[function].sessions[item.optional_vars.id] = f"{callee}()"
        return function, owner

    def visit_class(self, node: ast.ClassDef, function: int, owner: str | None) -> Scope:
        """Note a class, and enter it."""
        name = f"{owner}.{node.name}" if owner else node.name
        attributes: dict[str, AttributeSyntax] = {}
        for statement in node.body:
            for syntax in _attributes(statement, function, name):
                attributes[syntax.name] = syntax
        self.classes.append(
            ClassSyntax(
                name,
                tuple(_base_name(base) for base in node.bases),
                tuple(
                    dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
                    for decorator in node.decorator_list
                ),
                attributes,
                place_of(node),
            )
        )
        return function, name


VISITS: dict[type[ast.AST], Callable[..., Scope]] = {
    ast.Import: _Collector.visit_import,
    ast.ImportFrom: _Collector.visit_import,
    ast.Call: _Collector.visit_call,
    ast.ClassDef: _Collector.visit_class,
    ast.FunctionDef: _Collector.visit_function,
    ast.AsyncFunctionDef: _Collector.visit_function,
    ast.Lambda: _Collector.visit_function,
    ast.Assign: _Collector.visit_assign,
    ast.AnnAssign: _Collector.visit_assign,
    ast.NamedExpr: _Collector.visit_assign,
    ast.With: _Collector.visit_with,
    ast.AsyncWith: _Collector.visit_with,
}


def _base_name(node: ast.expr) -> str | None:
    # `Generic[T]` is a base by the name of `Generic`.
    return dotted(node.value if isinstance(node, ast.Subscript) else node)


def _attributes(statement: ast.stmt, function: int, owner: str) -> Iterable[AttributeSyntax]:
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
    constant = _constant(value) if isinstance(value, ast.Constant) else dotted(value)
    return AttributeSyntax(
        name, kind_of_annotation(annotation), call, constant, place_of(statement)
    )


def call_syntax(
    node: ast.expr, function: int, owner: str | None, depth: int = 0
) -> CallSyntax | None:
    """Return what is kept of a call; None for a call of something without a name."""
    if not isinstance(node, ast.Call) or depth > DEEPEST:
        return None
    # It is met as a part of another call, and again by itself.
    kept: CallSyntax | None = getattr(node, "kept", None)
    if kept is None:
        kept = _call_syntax(node, function, owner, depth)
        if depth < DEEPEST // 2:
            node.kept = kept  # type: ignore[attr-defined]
    return kept


def _call_syntax(node: ast.Call, function: int, owner: str | None, depth: int) -> CallSyntax | None:
    callee = _callee(node)
    if callee is None:
        return None
    inner: list[CallSyntax] = []
    if isinstance(node.func, ast.Attribute) and callee.startswith("."):
        before = _first_call(node.func.value)
        call = call_syntax(before, function, owner, depth + 1) if before else None
        inner += [call] if call else []
    arguments: list[str | None] = []
    for argument in node.args:
        value = argument.value if isinstance(argument, ast.Starred | ast.Await) else argument
        arguments.append(_written(value))
        if isinstance(value, ast.Call):
            call = call_syntax(value, function, owner, depth + 1)
            inner += [call] if call else []
        elif isinstance(value, ast.GeneratorExp | ast.ListComp | ast.SetComp):
            # It is made several times over.
            call = call_syntax(value.elt, function, owner, depth + 1)
            inner += [call, call] if call else []
    keywords = {
        keyword.arg: Keyword(
            _constant(keyword.value), dotted(keyword.value), place_of(keyword.value)
        )
        for keyword in node.keywords
        if keyword.arg is not None
    }
    expanded = tuple(dotted(keyword.value) for keyword in node.keywords if keyword.arg is None)
    return CallSyntax(
        callee,
        place_of(node),
        _name_place(node),
        tuple(arguments),
        keywords,
        expanded,
        function,
        owner,
        tuple(inner),
    )


def _callee(node: ast.Call) -> str | None:
    name = dotted(node.func)
    if name is None and isinstance(node.func, ast.Attribute):
        # A method of what another call returns.
        return f".{node.func.attr}"
    return name


def _first_call(node: ast.expr) -> ast.Call | None:
    while isinstance(node, ast.Attribute | ast.Await | ast.Subscript):
        node = node.value
    return node if isinstance(node, ast.Call) else None


def _written(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call):
        callee = _callee(node)
        return f"{callee}()" if callee is not None else None
    return dotted(node)


def _constant(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else repr(node.value)
    return None


def _dictionary(node: ast.Dict) -> dict[str, str]:
    pairs = zip(node.keys, node.values, strict=True)
    constants = {text_of(key): _constant(value) for key, value in pairs}
    return {key: value for key, value in constants.items() if key is not None and value is not None}


def place_of(node: ast.expr | ast.stmt) -> Place:
    """Return where a node of a parsed file stands."""
    return Place(node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)


def _name_place(node: ast.Call) -> Place:
    function = node.func
    end, column = function.end_lineno or 0, function.end_col_offset or 0
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return Place(end, column - len(name.encode()), end, column)
