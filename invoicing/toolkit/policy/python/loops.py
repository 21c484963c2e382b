"""What the name of a loop stands for in turn, where that is names and attributes.

Seen are `for` and comprehensions over what is written there, or over a list that has a name: a
local one, the module's, an imported one, or an attribute of the class or of its subclasses.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.calls import place_of
from invoicing.toolkit.policy.python.names import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, FunctionSyntax, ModuleSyntax

# Stands behind the name of a list for what it holds.
HELD = "[]"
# Lists of lists beyond this go in a circle.
DEEPEST = 10


def names_held(value: ast.expr | None) -> tuple[str, ...]:
    """Return the names and attributes that a value holds; of a name, that with `[]` behind it."""
    if isinstance(value, ast.List | ast.Tuple | ast.Set):
        return tuple(name for each in value.elts for name in _item(each))
    name = dotted(value)
    return (f"{name}{HELD}",) if name is not None else ()


def _item(value: ast.expr) -> tuple[str, ...]:
    if isinstance(value, ast.Starred):
        return names_held(value.value)
    name = dotted(value)
    return (name,) if name is not None else ()


def note_loop(scope: FunctionSyntax, target: ast.expr, iterated: ast.expr, over: ast.AST) -> None:
    """Keep what a loop's name stands for.

    Args:
        scope: the function it is in.
        target: what is bound in turn.
        iterated: what it is bound to.
        over: the loop, as far as the name counts.
    """
    names = names_held(iterated)
    if isinstance(target, ast.Name) and names and isinstance(over, ast.expr | ast.stmt):
        scope.loops.append((target.id, place_of(over), names))


def meant(project: Project, module: ModuleSyntax, call: CallSyntax, name: str) -> list[str] | None:
    """Return what a name stands for in turn where a call is; None where no loop binds it."""
    number = call.function
    while True:
        scope = module.functions[number]
        loops = [each for each in scope.loops if each[0] == name and _is_around(each[1], call)]
        if loops:
            return list(_expanded(project, module, call, loops[-1][2], 0))
        if not number or name in scope.parameters:
            return None
        number = scope.parent


def _is_around(place: tuple[int, int, int, int], call: CallSyntax) -> bool:
    return place[:2] <= call.place[:2] and call.place[2:] <= place[2:]


def _expanded(
    project: Project, module: ModuleSyntax, call: CallSyntax, names: tuple[str, ...], depth: int
) -> Iterator[str]:
    for name in names if depth < DEEPEST else ():
        if not name.endswith(HELD):
            yield name
            continue
        for held in _held(project, module, call, name.removesuffix(HELD)):
            yield from _expanded(project, module, call, held, depth + 1)


def _held(
    project: Project, module: ModuleSyntax, call: CallSyntax, name: str
) -> Iterator[tuple[str, ...]]:
    """Return what a list of a name holds: several where subclasses have lists of their own."""
    head, _, attribute = name.partition(".")
    if head in {"self", "cls"}:
        owner = project.classes.get(f"{module.module}.{call.class_name}")
        for each in project.classes.values() if owner is not None else ():
            held = each.module.functions[0].held_names.get(f"{each.syntax.name}.{attribute}")
            if held is not None and owner in project.ancestors(each)[0]:
                yield tuple(_from(project, each.module, item) for item in held)
        return
    number = call.function
    while name not in module.functions[number].held_names and number:
        number = module.functions[number].parent
    held = module.functions[number].held_names.get(name)
    if held is None:
        owner_name, _, last = (project.resolve(module, name) or "").rpartition(".")
        home = project.module(owner_name)
        held = home.functions[0].held_names.get(last) if home is not None else None
        if home is not None and held is not None:
            yield tuple(_from(project, home, item) for item in held)
    else:
        yield held


def _from(project: Project, module: ModuleSyntax, name: str) -> str:
    """Return a name as any module may say it: the attribute of a class by its dotted name."""
    owner, _, attribute = name.removesuffix(HELD).rpartition(".")
    resolved = project.resolve(module, owner)
    return f"{resolved}.{attribute}{name[len(name.removesuffix(HELD)) :]}" if resolved else name
