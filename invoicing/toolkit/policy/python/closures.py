"""Which names a function uses of those outside of it: by itself, and by the functions it calls.

Followed are nested functions, lambdas with a name, functions of the module, methods of self and
what `partial` binds. Not followed are functions of other modules and of other objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.sessions import scopes

if TYPE_CHECKING:
    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, FunctionSyntax, ModuleSyntax

PARTIAL = {"functools.partial", "functools.partialmethod"}
# A chain of functions that call each other is followed so far.
LONGEST = 100
# Those that let in a single task at a time; a semaphore of one does so too.
LOCKS = {"asyncio.Lock", "anyio.Lock", "trio.Lock"}
SEMAPHORES = {"asyncio.Semaphore", "asyncio.BoundedSemaphore", "anyio.Semaphore", "trio.Semaphore"}

Place = tuple[str, int]


def words_of(call: CallSyntax) -> set[str]:
    """Return the names that a call is made of: its own, its object's and its arguments'."""
    words = {call.callee, call.callee.partition(".")[0], call.callee.rpartition(".")[0]}
    words |= {*filter(None, call.arguments)}
    return words | {keyword.name for keyword in call.keywords.values() if keyword.name}


def used_through(project: Project, module: ModuleSyntax, call: CallSyntax) -> set[str]:
    """Return what the functions that a call names use of the names outside of them."""
    return _through(project, module, call.function, words_of(call), frozenset())


def _through(
    project: Project, module: ModuleSyntax, function: int, words: set[str], above: frozenset[Place]
) -> set[str]:
    used: set[str] = set()
    for word in words:
        for home, target in targets_of(project, module, function, word):
            if (home.path, target) not in above and len(above) < LONGEST:
                free = _free(project, home, target, above | {(home.path, target)})
                # Of a method, what it uses of its own parameters is not what its caller has.
                used |= free if "." not in word else {n for n in free if n.startswith("self.")}
    return used


def _free(
    project: Project, module: ModuleSyntax, function: int, above: frozenset[Place]
) -> set[str]:
    """Return the names that a function uses and does not bind."""
    known = project.notes.setdefault("free names", {})
    if (module.path, function) in known:
        free: set[str] = known[module.path, function]
        return free
    calls, nameless = _inside(project, module)
    used: set[str] = set()
    for call in calls.get(function, ()):
        if not _is_locked(project, module, call):
            used |= words_of(call)
    # `session = self.session`
    names = module.functions[function].names
    used |= {said for name in used if isinstance(said := names.get(name), str)}
    used |= _through(project, module, function, used, above)
    for lambda_ in nameless.get(function, ()):
        used |= _free(project, module, lambda_, above)
    bound = module.functions[function].bound
    known[module.path, function] = {name for name in used if name.partition(".")[0] not in bound}
    known[module.path, function] |= {name for name in used if name.startswith("self.")}
    return set(known[module.path, function])


def _inside(
    project: Project, module: ModuleSyntax
) -> tuple[dict[int, list[CallSyntax]], dict[int, list[int]]]:
    """Return the calls and the lambdas without a name, by the function they are in."""
    known = project.notes.setdefault("inside functions", {})
    if module.path not in known:
        calls: dict[int, list[CallSyntax]] = {}
        for call in module.calls:
            calls.setdefault(call.function, []).append(call)
        nameless: dict[int, list[int]] = {}
        for number, function in enumerate(module.functions):
            if number and not function.name:
                nameless.setdefault(function.parent, []).append(number)
        known[module.path] = calls, nameless
    inside: tuple[dict[int, list[CallSyntax]], dict[int, list[int]]] = known[module.path]
    return inside


def targets_of(
    project: Project, module: ModuleSyntax, function: int, word: str
) -> list[tuple[ModuleSyntax, int]]:
    """Return the functions that a name means where it stands."""
    head, _, method = word.removesuffix("()").partition(".")
    owner = module.functions[function].class_name
    if not method:
        while True:
            target = _functions(project, module).get((function, head))
            if target is not None or not function:
                return [(module, target)] if target is not None else []
            if head in module.functions[function].bound:
                return []
            function = module.functions[function].parent
    mapped = project.classes.get(f"{module.module}.{owner}") if head == "self" and owner else None
    found = method_of(project, mapped, method) if mapped is not None else None
    return [found] if found is not None else []


def method_of(project: Project, owner: MappedClass, name: str) -> tuple[ModuleSyntax, int] | None:
    """Return a class's method, its own or the nearest it inherits."""
    for each in project.ancestors(owner)[0]:
        target = _methods(project, each.module).get((each.syntax.name, name))
        if target is not None:
            return each.module, target
    return None


def function_of(project: Project, name: str) -> tuple[ModuleSyntax, int] | None:
    """Return the function of a dotted name, where it is one of a checked module."""
    owner, _, last = name.rpartition(".")
    home = project.module(owner)
    target = _functions(project, home).get((0, last)) if home is not None else None
    return (home, target) if home is not None and target is not None else None


def free_names(project: Project, module: ModuleSyntax, function: int) -> set[str]:
    """Return the names that a function uses and does not bind, by what it calls as well."""
    return _free(project, module, function, frozenset({(module.path, function)}))


def _functions(project: Project, module: ModuleSyntax) -> dict[tuple[int, str], int]:
    """Return the functions of a module that are no methods, by where they stand and their name."""
    known = project.notes.setdefault("functions by name", {})
    if module.path not in known:
        known[module.path] = {
            (function.parent, function.name): number
            for number, function in enumerate(module.functions)
            if number and function.name and not _is_method(module, function)
        }
    functions: dict[tuple[int, str], int] = known[module.path]
    return functions


def _methods(project: Project, module: ModuleSyntax) -> dict[tuple[str | None, str], int]:
    known = project.notes.setdefault("methods by name", {})
    if module.path not in known:
        known[module.path] = {
            (function.class_name, function.name): number
            for number, function in enumerate(module.functions)
            if function.name and _is_method(module, function)
        }
    methods: dict[tuple[str | None, str], int] = known[module.path]
    return methods


def _is_method(module: ModuleSyntax, function: FunctionSyntax) -> bool:
    return function.class_name != module.functions[function.parent].class_name


def _is_locked(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool:
    """Return whether a call stands in a block that a single task at a time is in."""
    return any(
        place.line <= call.place.line <= place.end_line and _is_lock(project, module, call, name)
        for name, place in module.functions[call.function].held
    )


def _is_lock(project: Project, module: ModuleSyntax, call: CallSyntax, name: str) -> bool:
    for scope in scopes(module, call.function):
        bound = scope.names.get(name)
        if bound is not None and not isinstance(bound, str):
            made = project.resolve(module, bound.callee)
            return made in LOCKS or (made in SEMAPHORES and bound.text == "1")
        if name in scope.sessions:
            return project.resolve(module, scope.sessions[name]) in LOCKS
    owner = project.classes.get(f"{module.module}.{call.class_name}") if call.class_name else None
    said = owner.syntax.instance.get(name.removeprefix("self."), "") if owner is not None else ""
    return project.resolve(module, said.removesuffix("()")) in LOCKS
