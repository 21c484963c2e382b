"""Walk a file's syntax tree once, without recursion, and keep what the rules ask for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Protocol

from invoicing.toolkit.policy.python.annotations import object_of_annotation
from invoicing.toolkit.policy.python.attributes import attributes_of, metadata_calls
from invoicing.toolkit.policy.python.calls import (
    call_syntax,
    callee_of,
    calls_in,
    constant_of,
    dictionary_of,
    place_of,
)
from invoicing.toolkit.policy.python.clauses import clause_syntax
from invoicing.toolkit.policy.python.injected import injected
from invoicing.toolkit.policy.python.loops import names_held, note_loop
from invoicing.toolkit.policy.python.names import dotted, imports_of, names_in, text_of
from invoicing.toolkit.policy.python.syntax import (
    AliasSyntax,
    AttributeSyntax,
    CallSyntax,
    ClassSyntax,
    ClauseSyntax,
    FunctionSyntax,
    ModuleSyntax,
    Place,
)
from invoicing.toolkit.policy.python.walking import LEAVES, below, values_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.toolkit.policy.source import SourceFile

    Scope = tuple[int, str | None]
    Assignment = ast.Assign | ast.AnnAssign | ast.NamedExpr

    class _TypeAlias(Protocol):
        """A node of `ast` since Python 3.12."""

        name: ast.Name
        value: ast.expr


COLLECTED = (ast.List, ast.Tuple, ast.Set, ast.ListComp, ast.SetComp, ast.GeneratorExp)
# What says that a name is the session that blocks: it is given by run_sync.
SYNC = ":sync"
INSPECTS = {"inspect", "sa.inspect", "sqlalchemy.inspect", "instance_state"}


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
        reads=collector.reads,
        aliases=collector.aliases,
    )


class _Collector:
    """The walk's own state: what it has seen, and in which function and class it is."""

    def __init__(self) -> None:
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.classes: list[ClassSyntax] = []
        self.by_name: dict[str | None, ClassSyntax] = {}
        self.constants: dict[str, str | dict[str, str]] = {}
        self.calls: list[CallSyntax] = []
        self.clauses: list[ClauseSyntax] = []
        self.functions = [FunctionSyntax()]
        self.reads: list[tuple[str, Place]] = []
        self.aliases: dict[str, AliasSyntax] = {}

    def walk(self, tree: ast.Module) -> None:
        """Visit every node once, parents first."""
        stack: list[tuple[ast.AST, int, str | None]] = [(tree, 0, None)]
        while stack:
            node, function, owner = stack.pop()
            kind = type(node)
            visit = VISITS.get(kind)
            if visit is not None:
                function, owner = visit(self, node, function, owner)
            for value in values_of(node):
                if value.__class__ is list:
                    if value:
                        stack += [
                            (item, function, owner)
                            for item in value[::-1]
                            if type(item) not in LEAVES and isinstance(item, ast.AST)
                        ]
                elif value is not None and type(value) not in LEAVES and isinstance(value, ast.AST):
                    stack.append((value, function, owner))

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
            self._kept_by_name(call)
        if isinstance(node.func, ast.Name) and node.func.id == "map" and node.args[1:]:
            note_loop(self.functions[function], node.func, node.args[1], node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "run_sync" and node.args:
            # What it calls is given the session that blocks.
            vars(node.args[0])["session"] = SYNC
        return function, owner

    def _kept_by_name(self, call: CallSyntax) -> None:
        """Note what is added to a list, and what keywords are given by default."""
        name, _, method = call.callee.rpartition(".")
        if method in {"append", "extend"} and call.inner:
            times = call.inner * 2 if call.is_repeated else call.inner
            self.functions[call.function].lists.setdefault(name, []).extend(times)
        elif method == "setdefault" and call.text is not None and call.given is not None:
            self.functions[call.function].defaults[call.text] = call.given

    def visit_function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        function: int,
        owner: str | None,
    ) -> Scope:
        """Enter a function."""
        syntax = FunctionSyntax(
            bound={each.arg for each in below(node.args) if isinstance(each, ast.arg)},
            name=getattr(node, "name", ""),
            class_name=owner,
            parent=function,
            place=place_of(node),
        )
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            syntax.parameters.add(argument.arg)
            name = object_of_annotation(argument.annotation)
            if argument.annotation is None:
                syntax.untyped.add(argument.arg)
            if name is not None:
                syntax.sessions[argument.arg] = name
        syntax.injected = injected(arguments)
        if syntax.untyped:
            syntax.positions = tuple(each.arg for each in arguments.posonlyargs + arguments.args)
        self.functions.append(syntax)
        if isinstance(node, ast.Lambda):
            if arguments.args and getattr(node, "session", None):
                syntax.sessions[arguments.args[0].arg] = SYNC
        else:
            syntax.returns = object_of_annotation(node.returns)
            made = [each.value for each in node.body if isinstance(each, ast.Return)]
            here = len(self.functions) - 1
            syntax.made = call_syntax(made[-1], here, owner) if made and made[-1] else None
        return len(self.functions) - 1, owner

    def visit_given(self, node: ast.Return | ast.Yield, function: int, owner: str | None) -> Scope:
        """Note which of its names a function returns or yields."""
        if isinstance(node.value, ast.Name):
            self.functions[function].gives.add(node.value.id)
        return function, owner

    def visit_loop(
        self, node: ast.For | ast.AsyncFor | ast.While, function: int, owner: str | None
    ) -> Scope:
        """Mark the calls that a loop repeats, and the loops: what is in those is marked then."""
        if not isinstance(node, ast.While):
            self.functions[function].bound |= names_in(node.target)
            note_loop(self.functions[function], node.target, node.iter, node)
        for statement in () if getattr(node, "repeated", False) else node.body:
            for each in below(statement):
                if isinstance(each, ast.Call | ast.For | ast.AsyncFor | ast.While):
                    vars(each)["repeated"] = True
        return function, owner

    def visit_comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
        function: int,
        owner: str | None,
    ) -> Scope:
        """Mark the call that a comprehension repeats."""
        vars(node.value if isinstance(node, ast.DictComp) else node.elt)["repeated"] = True
        for each in node.generators:
            self.functions[function].bound |= names_in(each.target)
            note_loop(self.functions[function], each.target, each.iter, node)
        return function, owner

    def visit_await(self, node: ast.Await, function: int, owner: str | None) -> Scope:
        """Note what is awaited."""
        if isinstance(node.value, ast.Name):
            waits = self.functions[function].waits
            waits.setdefault(node.value.id, []).append(node.lineno)
        vars(node.value)["awaited"] = True
        return function, owner

    def visit_attribute(self, node: ast.Attribute, function: int, owner: str | None) -> Scope:
        """Note what is read and queries by itself."""
        begins = node.value.func if isinstance(node.value, ast.Call) else None
        if node.attr == "awaitable_attrs":
            self.reads.append((node.attr, place_of(node)))
        elif node.attr in {"session", "async_session"} and dotted(begins) in INSPECTS:
            self.reads.append((f"inspect().{node.attr}", place_of(node)))
        return function, owner

    def visit_assign(self, node: Assignment, function: int, owner: str | None) -> Scope:
        """Note what a name is bound to."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            self.functions[function].bound |= names_in(target)
            if isinstance(target, ast.Name):
                if isinstance(node.value, ast.Lambda):
                    vars(node.value)["name"] = target.id
                self._bind(target.id, node.value, function, owner)
                annotation = object_of_annotation(getattr(node, "annotation", None))
                if annotation:
                    self._annotate(target.id, annotation, function, owner)
            elif isinstance(target, ast.Attribute):
                self._set_on_self(target, node, function, owner)
                if isinstance(node.value, ast.Call):
                    self._set_later(target, node.value, place_of(node))
        return function, owner

    def _annotate(self, name: str, annotation: str, function: int, owner: str | None) -> None:
        if owner is not None and self.functions[function].class_name != owner:
            # In the body of the class itself.
            self.by_name[owner].instance[name] = annotation
        else:
            self.functions[function].sessions[name] = annotation

    def _set_on_self(
        self, target: ast.Attribute, node: Assignment, function: int, owner: str | None
    ) -> None:
        if owner not in self.by_name or dotted(target.value) != "self":
            return
        said = object_of_annotation(getattr(node, "annotation", None))
        if said is None and isinstance(node.value, ast.Name):
            said = self.functions[function].sessions.get(node.value.id)
        if said is None and isinstance(node.value, ast.Call):
            callee = callee_of(node.value)
            said = f"{callee}()" if callee is not None else None
        if said is not None:
            self.by_name[owner].instance[target.attr] = said

    def _bind(self, name: str, value: ast.expr | None, function: int, owner: str | None) -> None:
        bound: CallSyntax | str | None = None
        scope = self.functions[function]
        if isinstance(value, ast.Await):
            value = value.value
        if isinstance(value, ast.Call):
            bound = call_syntax(value, function, owner)
        elif isinstance(value, ast.IfExp):
            scope.choices[name] = tuple(filter(None, map(dotted, (value.body, value.orelse))))
        elif isinstance(value, COLLECTED):
            scope.lists[name] = list(calls_in(value, function, owner, 0))
            in_class = owner is not None and scope.class_name != owner
            scope.held_names[f"{owner}.{name}" if in_class else name] = names_held(value)
        elif value is not None:
            # `Dependency = Annotated[AsyncSession, ...]`
            is_type = isinstance(value, ast.Subscript | ast.BinOp)
            bound = object_of_annotation(value) if is_type else dotted(value)
        # `statement = statement.where(...)` is still what it was.
        goes_on = isinstance(bound, CallSyntax) and bound.callee.startswith(f"{name}.")
        if bound is not None and not (goes_on and name in scope.names):
            scope.names[name] = bound
        self._keep_constant(name, value, function)
        if function == 0 and owner is None and value is not None:
            self._keep_alias(name, value)

    def _keep_alias(self, name: str, value: ast.expr) -> None:
        if isinstance(value, ast.Call) and len(value.args) > 1:
            maker = (callee_of(value) or "").rpartition(".")[2]
            value = value.args[1] if maker in {"NewType", "TypeAliasType"} else value
        about = object_of_annotation(value)
        if about is not None:
            self.aliases[name] = AliasSyntax(about, metadata_calls(value, 0, None))

    def visit_type_alias(self, node: _TypeAlias, function: int, owner: str | None) -> Scope:
        """Note `type Name = ...`."""
        self._bind(node.name.id, node.value, function, owner)
        return function, owner

    def _keep_constant(self, name: str, value: ast.expr | None, function: int) -> None:
        if function == 0 and value is not None:
            constant = text_of(value)
            if constant is not None:
                self.constants[name] = constant
            elif (held := dictionary_of(value)) is not None:
                self.constants[name] = held

    def _set_later(self, target: ast.Attribute, value: ast.Call, place: Place) -> None:
        # `Model.lines = relationship(...)`, after the class.
        owner = dotted(target.value)
        call = call_syntax(value, 0, owner)
        for model in self.classes if call is not None else ():
            if model.name == owner:
                model.attributes[target.attr] = AttributeSyntax(
                    target.attr, None, call, None, place
                )

    def visit_with(self, node: ast.With | ast.AsyncWith, function: int, owner: str | None) -> Scope:
        """Note what a context manager yields."""
        for item in node.items:
            call = item.context_expr
            name = dotted(call)
            if name is not None:
                self.functions[function].held.append((name, place_of(node)))
            if item.optional_vars is not None:
                self.functions[function].bound |= names_in(item.optional_vars)
            if isinstance(item.optional_vars, ast.Name) and isinstance(call, ast.Call):
                callee = callee_of(call)
                if callee is not None:
                    self.functions[function].sessions[item.optional_vars.id] = f"{callee}()"
        return function, owner

    def visit_class(self, node: ast.ClassDef, function: int, owner: str | None) -> Scope:
        """Note a class, and enter it."""
        name = f"{owner}.{node.name}" if owner else node.name
        attributes: dict[str, AttributeSyntax] = {}
        for statement in node.body:
            for syntax in attributes_of(statement, function, name):
                attributes[syntax.name] = syntax
        entered = ClassSyntax(
            name,
            # `Generic[T]` is a base by the name of `Generic`.
            tuple(dotted(b.value if isinstance(b, ast.Subscript) else b) for b in node.bases),
            tuple(dotted(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list),
            attributes,
            place_of(node),
            {each.arg: constant_of(each.value) for each in node.keywords if each.arg},
            {},
        )
        self.classes.append(entered)
        self.by_name[name] = entered
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
    ast.Return: _Collector.visit_given,
    ast.Yield: _Collector.visit_given,
    ast.With: _Collector.visit_with,
    ast.AsyncWith: _Collector.visit_with,
    ast.For: _Collector.visit_loop,
    ast.AsyncFor: _Collector.visit_loop,
    ast.While: _Collector.visit_loop,
    ast.ListComp: _Collector.visit_comprehension,
    ast.DictComp: _Collector.visit_comprehension,
    ast.SetComp: _Collector.visit_comprehension,
    ast.GeneratorExp: _Collector.visit_comprehension,
    ast.Await: _Collector.visit_await,
    ast.Attribute: _Collector.visit_attribute,
}


if hasattr(ast, "TypeAlias"):
    VISITS[ast.TypeAlias] = _Collector.visit_type_alias
