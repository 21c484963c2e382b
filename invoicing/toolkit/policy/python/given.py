"""Parameters without an annotation that a caller gives a session, also through several functions.

Followed are functions of a module and of others by their names, nested ones, methods of self and
of objects whose class is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.called import by_callee
from invoicing.toolkit.policy.python.closures import function_of, method_of, targets_of
from invoicing.toolkit.policy.python.objects import object_of
from invoicing.toolkit.policy.python.sessions import session_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, FunctionSyntax, ModuleSyntax

# A session that is handed on through more functions is not followed.
LONGEST = 20
Given = dict[int, set[str]]


def find_given_sessions(project: Project) -> None:
    """Note the parameters that are given a session, by the `id` of their functions."""
    given: Given = project.notes.setdefault("given sessions", {})
    wanted = {
        function.name
        for module in project.modules
        for function in module.functions
        if function.untyped
    }
    calls = [
        (module, call)
        for module in project.modules
        for callee, calls in by_callee(project, module).items()
        if callee.rpartition(".")[2] in wanted
        for call in calls
        if call.arguments or call.keywords
    ]
    for _ in range(LONGEST):
        new = [_hand_on(project, module, call, given) for module, call in calls]
        if not any(new):
            break
        # What these hand on in turn.
        project.notes.pop("sessions", None)
        project.notes.pop("says session", None)


def _hand_on(project: Project, module: ModuleSyntax, call: CallSyntax, given: Given) -> bool:
    """Note what a call gives; return whether that was not known."""
    names = session_names(project, module, call)
    is_new = False
    for home, number in _called(project, module, call) if names else ():
        function = home.functions[number]
        for parameter, name in _pairs(function, call):
            if name in names and parameter in function.untyped - function.names.keys():
                known = given.setdefault(id(function), set())
                is_new |= parameter not in known
                known.add(parameter)
    return is_new


def _pairs(function: FunctionSyntax, call: CallSyntax) -> Iterator[tuple[str, str | None]]:
    positions = function.positions
    positions = positions[1:] if positions[:1] in {("self",), ("cls",)} else positions
    yield from zip(positions, call.arguments, strict=False)
    yield from ((name, keyword.name) for name, keyword in call.keywords.items())


def _called(
    project: Project, module: ModuleSyntax, call: CallSyntax
) -> list[tuple[ModuleSyntax, int]]:
    near = targets_of(project, module, call.function, call.callee)
    if near:
        return near
    far = function_of(project, project.resolve(module, call.callee) or "")
    thing = object_of(project, module, call) if far is None else None
    if thing is not None:
        far = method_of(project, thing.owner, call.callee.rpartition(".")[2])
    return [far] if far is not None else []
