"""Tell whether a statement's parameters came out of the rows of an earlier one.

Equal values show nothing: small integers stand in every table. So it is read off the source, from
the line that sent the statement backwards through names, loops, comprehensions, queues and calls,
by the recorded stack, to the line that sent the other. The stack of a task or a thread ends at its
function: there the calls count at which the recording's task waited, or else every one. What cannot
be followed that way - `getattr`, a decorator's wrapper, code without source - counts as not shown.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.profiling.findings.source_code import (
    COMPREHENSIONS,
    is_written_list,
    module_of,
    parameters_of,
    spans,
    values_of,
    written_length,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.profiling.findings.source_code import Binding, Function, Module
    from invoicing.toolkit.profiling.statement import Caller, Statement

    Stack = tuple[Caller, ...]
    Line = tuple[str, int]

# Methods that send a statement: what they are called on is no part of the data.
_SENDS = frozenset({"exec", "exec_driver_sql", "execute", "get_one", "merge", "query", "refresh"})
_SENDS |= {"run_sync", "scalar", "scalars", "stream", "stream_scalars"}
# What says how many there are, and not which.
_COUNTS = frozenset({"len", "range"})
_DEEP = 200


class DataFlow:
    """The lines of earlier statements that a statement's parameters lead back to.

    Args:
        origins: the statements that may be one.
    """

    def __init__(self, origins: Iterable[Statement]) -> None:
        self._origins = [statement for statement in origins if statement.stack]
        self._lines = {_line(statement.stack[0]) for statement in self._origins}
        self._returning = {
            caller.function.rpartition(".")[2]
            for statement in self._origins
            for caller in statement.stack
        }
        files = {caller.file: caller for each in self._origins for caller in each.stack}
        self._files = dict.fromkeys(files)
        self._cells = [caller.file for caller in files.values() if caller.cell is not None]
        self._known: dict[tuple[Stack, Caller | None], dict[Line, int | None]] = {}

    def leads(self, statement: Statement, origin: Statement) -> bool:
        """Return whether a parameter of `statement` can have come from the rows of `origin`."""
        return bool(origin.stack) and _line(origin.stack[0]) in self._led_to(statement)

    def written_lists(self, statement: Statement) -> dict[Line, int | None]:
        """Return where lists in the program's text stand that a parameter came from, and how long.

        None where only running it would tell.
        """
        return {line: length for line, length in self._led_to(statement).items() if length != 0}

    def _led_to(self, statement: Statement) -> dict[Line, int | None]:
        if not statement.stack:
            return {}
        key = statement.stack, statement.awaited_at
        if key not in self._known:
            files = dict.fromkeys([*self._files, *(caller.file for caller in statement.stack)])
            facts = _Facts(
                self._lines, self._returning, [*files], self._cells, statement.awaited_at, {}
            )
            walk = _Walk(facts)
            walk.line(statement.stack)
            self._known[key] = {**dict.fromkeys(walk.found, 0), **walk.lists}
        return self._known[key]


def _line(caller: Caller) -> Line:
    return caller.file, caller.line


class _Facts(NamedTuple):
    lines: set[Line]
    returning: set[str]
    files: list[str]
    cells: list[str]
    awaited_at: Caller | None
    # What the parameters lead to of functions that have no stack above them.
    known: dict[tuple[Function, str], set[Line]]


class _Walk:
    """One walk backwards from a line."""

    def __init__(self, facts: _Facts, depth: int = 0) -> None:
        self.found: set[Line] = set()
        # Lists in the text, and how long they are.
        self.lists: dict[Line, int | None] = {}
        self._facts = facts
        self._seen: set[tuple[ast.AST, Stack | None]] = set()
        self._depth = depth

    def line(self, stack: Stack) -> None:
        """Follow what is given to the statement that the innermost line of `stack` sends."""
        module, number = module_of(stack[0].file), stack[0].line
        statement = module.statement_at(number)
        if statement is None:
            return
        parts = [*_head(statement)]
        sending = [
            call
            for part in parts
            for call in ast.walk(part)
            if isinstance(call, ast.Call) and _sends(call) and spans(call, number)
        ]
        for call in sending:
            self._follow_all(values_of(call), module, stack[1:])
        if not sending:
            self._follow_all(parts, module, stack[1:])

    def _follow_all(self, nodes: Iterable[ast.AST], module: Module, stack: Stack | None) -> None:
        for node in nodes:
            self._follow(node, module, stack)

    def _follow(self, node: ast.AST, module: Module, stack: Stack | None) -> None:
        """Follow a value; without a stack (None) no further than the function it is in."""
        if (node, stack) in self._seen or self._depth > _DEEP:
            return
        self._seen.add((node, stack))
        self._depth += 1
        if isinstance(node, ast.Name):
            self._name(node, node.id, module, stack)
        elif isinstance(node, ast.Call):
            self._call(node, module, stack)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            self._attribute(node, node.value, module, stack)
        elif is_written_list(node):
            self.lists[module.file, getattr(node, "lineno", 0)] = written_length(node)
        else:
            self._follow_all(_parts(node), module, stack)
        self._depth -= 1

    def _attribute(
        self, node: ast.Attribute, owner: ast.Name, module: Module, stack: Stack | None
    ) -> None:
        name = f"{owner.id}.{node.attr}"
        scopes = [None, *module.functions] if owner.id == "self" else [module.function_of(node)]
        bindings = [binding for scope in scopes for binding in module.bindings(name, scope)]
        self._follow_all((binding.value for binding in bindings), module, stack)
        self._follow(owner, module, stack)

    def _call(self, call: ast.Call, module: Module, stack: Stack | None) -> None:
        name = _last_name(call.func)
        if name in _COUNTS:
            return
        self.found |= {
            (file, line)
            for file, line in self._facts.lines
            if file == module.file and spans(call, line)
        }
        if isinstance(call.func, ast.Attribute) and not _sends(call):
            self._follow(call.func.value, module, stack)
        self._follow_all(values_of(call), module, stack)
        if name in self._facts.returning:
            for other, function in self._functions(name):
                self._follow_all(_returned(other, function), other, None)

    def _functions(self, name: str | None) -> Iterator[tuple[Module, Function]]:
        for file in self._facts.files:
            module = module_of(file)
            for function in module.functions:
                if function.name == name:
                    yield module, function

    def _name(self, use: ast.AST, name: str, module: Module, stack: Stack | None) -> None:
        inner = _bound_within(use, name, module)
        if inner is not None:
            self._follow_all(inner, module, stack)
            return
        scope = own = module.function_of(use)
        while True:
            bindings = module.bindings(name, scope)
            if name in _sessions(module):
                # What is added to a session does not come out of it as a value.
                bindings = [binding for binding in bindings if not binding.fills]
            if scope is own:
                bindings = module.reaching(use, bindings)
            self._follow_all((_element(each, name) for each in bindings), module, stack)
            if scope is not None and name in {each.arg for each in parameters_of(scope)}:
                if all(binding.fills for binding in bindings):
                    self._parameter(scope, name, module, stack)
                return
            if bindings or scope is None:
                break
            scope = module.function_of(scope)
        if not bindings and module.file in self._facts.cells:
            for cell in map(module_of, self._facts.cells):
                values = (_element(each, name) for each in cell.bindings(name, None))
                self._follow_all(values, cell, stack)

    def _parameter(
        self, function: Function, name: str, module: Module, stack: Stack | None
    ) -> None:
        if stack is None:
            return
        while stack and stack[0].file == module.file and spans(function, stack[0].line):
            stack = stack[1:]
        if stack:
            caller = module_of(stack[0].file)
            for call in caller.calls:
                if spans(call, stack[0].line):
                    self._follow_all(_given(call, function, name, caller), caller, stack[1:])
            return
        known = self._facts.known
        if (function, name) not in known:
            known[function, name] = set()
            ways = []
            for caller, values in self._calls(function, name):
                walk = _Walk(self._facts, self._depth + 10)
                walk._follow_all(values, caller, ())
                ways.append(walk.found)
                self.lists |= walk.lists
            # Any of them may have been the one, so all of them have to lead there.
            known[function, name] = set.intersection(*ways) if ways else set()
        self.found |= known[function, name]

    def _calls(self, function: Function, name: str) -> list[tuple[Module, list[ast.AST]]]:
        """Return what is given to a parameter of a function where a task of it may be made."""
        modules = [module_of(file) for file in self._facts.files]
        # What is defined within a function is known in its own module alone.
        modules = [each for each in modules if each.function_of(function) is not None] or modules
        calls = [
            (module, call, values)
            for module in modules
            for call in module.calls
            # A call of its own gives on what the first one gave.
            if function not in module.above(call)
            and (values := [*_given(call, function, name, module)])
        ]
        at = self._facts.awaited_at
        near = []
        if at is not None:
            waiting = module_of(at.file).function_at(at.line)
            near = [
                (module, values)
                for module, call, values in calls
                if module.file == at.file and waiting in (*module.above(call), None)
            ]
        return near or [(module, values) for module, _, values in calls]


def _bound_within(use: ast.AST, name: str, module: Module) -> list[ast.AST] | None:
    """Return what a name gets in the comprehension or the lambda that binds it, if one does."""
    for around in module.above(use):
        if isinstance(around, COMPREHENSIONS):
            for generator in around.generators:
                if not _is_in(use, generator.iter) and _binds(generator.target, name):
                    return [_element(generator, name)]
        elif isinstance(around, ast.Lambda) and name in {each.arg for each in around.args.args}:
            return _beside(around, module)
        elif isinstance(around, ast.stmt):
            break
    return None


def _head(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the expressions of a statement, without the statements in it."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield child


def _sends(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    # A queue's and a dictionary's are called so too.
    return call.func.attr in _SENDS or (call.func.attr == "get" and len(call.args) > 1)


@lru_cache(maxsize=256)
def _sessions(module: Module) -> frozenset[str]:
    """Return the names of what sends statements."""
    return frozenset(
        call.func.value.id
        for call in module.calls
        if _sends(call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
    )


def _last_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _parts(node: ast.AST) -> Iterable[ast.AST]:
    """Return what a value is made of."""
    if isinstance(node, ast.DictComp):
        return node.key, node.value
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        return (node.elt,)
    if isinstance(node, (ast.Subscript, ast.Attribute)):
        return (node.value,)
    if isinstance(node, ast.IfExp):
        return node.body, node.orelse
    if isinstance(node, ast.Lambda):
        return (node.body,)
    return ast.iter_child_nodes(node)


def _is_in(node: ast.AST, other: ast.AST) -> bool:
    return any(each is node for each in ast.walk(other))


def _binds(target: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(target))


def _element(binding: Binding | ast.comprehension, name: str) -> ast.AST:
    """Return what a name gets of a value that is taken apart."""
    value = binding.iter if isinstance(binding, ast.comprehension) else binding.value
    target = binding.target
    if not isinstance(target, ast.Tuple) or not isinstance(value, (ast.Call, ast.Tuple)):
        return value
    place = next(place for place, each in enumerate(target.elts) if _binds(each, name))
    if isinstance(value, ast.Tuple):
        return value.elts[place] if len(value.elts) == len(target.elts) else value
    function = _last_name(value.func)
    if function == "enumerate" and value.args:
        return value.args[0] if place else ast.Constant(0)
    if function == "zip" and place < len(value.args):
        return value.args[place]
    return value


def _returned(module: Module, function: Function) -> Iterator[ast.AST]:
    for node in ast.walk(function):
        match node:
            case ast.Return(value=ast.expr() as value) | ast.Yield(value=ast.expr() as value):
                if module.function_of(node) is function:
                    yield value
            case ast.YieldFrom(value=value) if module.function_of(node) is function:
                yield value


def _given(call: ast.Call, function: Function, name: str, module: Module) -> Iterator[ast.AST]:
    """Yield what a call gives to a parameter of a function, itself or for others to call it."""
    values = values_of(call)
    if _mentions(call.func, function, module) and not isinstance(call.func, ast.Call):
        yield from _passed(call, function, name)
    elif any(_mentions(value, function, module) for value in values):
        yield from (value for value in values if not _mentions(value, function, module))


def _beside(function: ast.Lambda, module: Module) -> list[ast.AST]:
    """Return what a call is given together with a function for it to call."""
    call = next((each for each in module.above(function) if isinstance(each, ast.Call)), None)
    if call is None:
        return []
    values = values_of(call)
    return [value for value in values if value is not function]


def _mentions(node: ast.AST, function: Function, module: Module) -> bool:
    """Return whether a value in `module` is the function: no column has its name (`Song.name`)."""
    if isinstance(node, ast.IfExp):
        return any(_mentions(each, function, module) for each in (node.body, node.orelse))
    if _last_name(node) != function.name:
        return False
    around = module.parents.get(function)
    if isinstance(node, ast.Attribute):
        return around is None or isinstance(around, ast.ClassDef)
    return around is not None or function.name not in module.bound


def _passed(call: ast.Call, function: Function, name: str) -> Iterator[ast.AST]:
    names = [each.arg for each in parameters_of(function)]
    if names[:1] in (["self"], ["cls"]) and isinstance(call.func, ast.Attribute):
        del names[0]
    place = names.index(name) if name in names else len(names)
    spread = any(isinstance(argument, ast.Starred) for argument in call.args)
    rest = {each.arg for each in (function.args.vararg, function.args.kwarg) if each is not None}
    if spread or name in rest or any(keyword.arg is None for keyword in call.keywords):
        yield from values_of(call)
    elif place < len(call.args):
        yield call.args[place]
    yield from (keyword.value for keyword in call.keywords if keyword.arg == name)
