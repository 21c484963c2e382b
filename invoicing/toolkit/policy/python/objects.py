"""Objects of the project's own classes: which class, and which sessions of theirs a method uses.

An object is known by the call that made it: `repository = Repository(session)`, the same on self,
or `Repository(session).method()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.python.closures import free_names, method_of, words_of
from invoicing.toolkit.policy.python.sessions import scopes, sessions_of_class

if TYPE_CHECKING:
    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax


class MadeObject(NamedTuple):
    """What a method is called of.

    Attributes:
        name: as it is written; empty where it has none.
        owner: its class.
        made: the call that made it, where that is seen.
    """

    name: str
    owner: MappedClass
    made: CallSyntax | None


def object_of(project: Project, module: ModuleSyntax, call: CallSyntax) -> MadeObject | None:
    """Return the object whose method a call calls, if its class is one of the project's."""
    name, _, _ = call.callee.rpartition(".")
    if not name:
        made = call.inner[0] if call.inner and call.callee.startswith(".") else None
        owner = project.class_of(module, made.callee) if made is not None else None
        return MadeObject("", owner, made) if owner is not None else None
    head, _, attribute = name.partition(".")
    if head == "self":
        mine = project.classes.get(f"{module.module}.{call.class_name}")
        for each in project.ancestors(mine)[0] if mine is not None else ():
            said = each.syntax.instance.get(attribute)
            if said is not None:
                owner = project.class_of(each.module, said.removesuffix("()"))
                return MadeObject(name, owner, None) if owner is not None else None
        return None
    for scope in scopes(module, call.function):
        bound = scope.names.get(name)
        if bound is not None and not isinstance(bound, str):
            owner = project.class_of(module, bound.callee)
            return MadeObject(name, owner, bound) if owner is not None else None
    return None


def used_by_object(
    project: Project, module: ModuleSyntax, call: CallSyntax, sessions: set[str]
) -> set[str]:
    """Return the sessions that a method of an object uses: those it was made of, or its own."""
    thing = object_of(project, module, call)
    target = method_of(project, thing.owner, call.callee.rpartition(".")[2]) if thing else None
    if thing is None or target is None:
        return set()
    own = free_names(project, *target) & sessions_of_class(project, thing.owner)
    if not own or (thing.made is not None and words_of(thing.made) & sessions):
        return words_of(thing.made) & sessions if own and thing.made is not None else set()
    # One made in a loop is another each time.
    is_same = thing.name and (thing.made is None or not thing.made.is_repeated)
    return {f"{thing.name}{name.removeprefix('self')}" for name in own} if is_same else set()
