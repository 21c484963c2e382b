"""Which names a function uses of those outside of it: by itself, and by the functions it calls.

Followed are nested functions, lambdas with a name, functions of the module, methods of self and
what `partial` binds. Not followed are functions of other modules and of other objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.python.sessions import scopes

if TYPE_CHECKING:
    from collections.abc import Container

    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, FunctionSyntax, ModuleSyntax

PARTIAL = {"functools.partial", "functools.partialmethod"}
# Those that let in a single task at a time; a semaphore of one does so too.
LOCKS = {"asyncio.Lock", "anyio.Lock", "trio.Lock"}
SEMAPHORES = {"asyncio.Semaphore", "asyncio.BoundedSemaphore", "anyio.Semaphore", "trio.Semaphore"}

# A module's path, and the number of a function in it.
Key = tuple[str, int]


def words_of(call: CallSyntax) -> set[str]:
    """Return the names that a call is made of: its own, its object's and its arguments'."""
    words = {call.callee, call.callee.partition(".")[0], call.callee.rpartition(".")[0]}
    words |= {*filter(None, call.arguments)}
    return words | {keyword.name for keyword in call.keywords.values() if keyword.name}


def used_through(project: Project, module: ModuleSyntax, call: CallSyntax) -> set[str]:
    """Return what the functions that a call names use of the names outside of them."""
    used: set[str] = set()
    for target, is_method in _called(project, module, call.function, words_of(call)):
        used |= _handed_up(free_names(project, *target), is_method=is_method)
    return used


def free_names(project: Project, module: ModuleSyntax, function: int) -> set[str]:
    """Return the names that a function uses and does not bind, by what it calls as well."""
    known: dict[Key, set[str]] = project.notes.setdefault("free names", {})
    root = (module.path, function)
    if root not in known:
        reached = _reached(project, module, function, known)
        names = {key: _outside(each.module, key[1], each.used) for key, each in reached.items()}
        before = -1
        # Functions that call each other in a circle need more than a round.
        while before != (before := sum(map(len, names.values()))):
            for key, each in reached.items():
                for to, is_method in each.calls:
                    more = _handed_up(known.get(to) or names.get(to, set()), is_method=is_method)
                    names[key] |= _outside(each.module, key[1], more)
        known.update(names)
    return set(known[root])


class _Function(NamedTuple):
    """A function, what it uses itself, and those that it calls: each as a method, or not."""

    module: ModuleSyntax
    used: set[str]
    calls: list[tuple[Key, bool]]


def _reached(
    project: Project, module: ModuleSyntax, function: int, known: Container[Key]
) -> dict[Key, _Function]:
    """Return the functions that one leads to and that are not known, the furthest first."""
    found: dict[Key, _Function] = {}
    waiting = [(module, function)]
    while waiting:
        home, number = waiting.pop()
        key = (home.path, number)
        if key not in found and key not in known:
            used = _used(project, home, number)
            called = _called(project, home, number, used)
            nameless = _inside(project, home)[1].get(number, ())
            called += [((home, each), False) for each in nameless]
            calls = [((to.path, at), is_method) for (to, at), is_method in called]
            found[key] = _Function(home, used, calls)
            waiting += [target for target, _ in called]
    return dict(reversed(found.items()))


def _used(project: Project, module: ModuleSyntax, function: int) -> set[str]:
    """Return the names that a function's own calls are made of, where no lock is held."""
    used: set[str] = set()
    for call in _inside(project, module)[0].get(function, ()):
        if not _is_locked(project, module, call):
            used |= words_of(call)
    # `session = self.session`
    names = module.functions[function].names
    return used | {said for name in used if isinstance(said := names.get(name), str)}


def _called(
    project: Project, module: ModuleSyntax, function: int, words: set[str]
) -> list[tuple[tuple[ModuleSyntax, int], bool]]:
    return [
        (target, "." in word)
        for word in words
        for target in targets_of(project, module, function, word)
    ]


def _handed_up(names: set[str], *, is_method: bool) -> set[str]:
    """Return what a caller has of it: of a method, nothing of what that is given."""
    return {name for name in names if name.startswith("self.")} if is_method else names


def _outside(module: ModuleSyntax, function: int, used: set[str]) -> set[str]:
    bound = module.functions[function].bound
    return {name for name in used if name.partition(".")[0] not in bound or name[:5] == "self."}


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
