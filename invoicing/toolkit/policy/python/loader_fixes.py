"""Where a loader option may be changed into another: only where all that it is part of is plain.

A keyword (`innerjoin=`, `recursion_depth=`) belongs to one loader alone, and criteria and subtypes
are joined in ways of their own. What its statement may be is asked of `statements.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.finding import Edit
from invoicing.toolkit.policy.python.statements import (
    OPTIONS,
    RAW,
    encloses,
    obstacle,
    resolve_local,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

ORM = "sqlalchemy.orm."
SWAPPED = {"joinedload", "selectinload"}
# Keywords of a relationship by which a join finds other rows than a second statement does.
JOINS_OTHERWISE = {"innerjoin", "join_depth", "omit_join", "primaryjoin", "secondaryjoin"}


class LoaderFix(NamedTuple):
    """What would change a loader into another, or why nothing does."""

    edits: tuple[Edit, ...] = ()
    reason: str = ""


def loader_name(project: Project, module: ModuleSyntax, call: CallSyntax) -> str:
    """Return SQLAlchemy's name of what is called, by whatever name; of a method, its own."""
    if call.callee.startswith("."):
        return call.callee[1:]
    made = resolve_local(project, module, call.function, call.callee)
    return made.removeprefix(ORM) if made.startswith(ORM) else call.callee.rpartition(".")[2]


def loader_fix(
    project: Project, module: ModuleSyntax, call: CallSyntax, relationship: CallSyntax, wanted: str
) -> LoaderFix:
    """Return what makes `wanted` of the loader; why not where that could change or break more."""
    reasons = _reasons(project, module, call, relationship, wanted)
    reason = next(reasons, "") or obstacle(project, module, call, wanted)
    return LoaderFix(reason=reason) if reason else _edit(project, module, call, wanted)


def _reasons(
    project: Project, module: ModuleSyntax, call: CallSyntax, relationship: CallSyntax, wanted: str
) -> Iterator[str]:
    """Say what is not plain of the option itself, and of what it loads."""
    loader = loader_name(project, module, call)
    if loader not in SWAPPED:
        yield f"{loader} loads at another time than {wanted}"
    if any((argument or "()").endswith("()") for argument in call.arguments):
        yield "what it is given is more than an attribute"
    for keyword in sorted(JOINS_OTHERWISE & relationship.keywords.keys()):
        yield f"the relationship has {keyword}=, by which a join may find other rows"
    if relationship.expanded:
        yield "the relationship has arguments that are expanded by **"
    if _is_ordered_by_raw_sql(project, relationship):
        yield "the relationship is ordered by raw SQL"
    for part in _chain(module, call):
        if not _is_plain(project, module, part):
            yield f"{part.callee.removeprefix('.')}() of this option has more to it"


def _edit(project: Project, module: ModuleSyntax, call: CallSyntax, wanted: str) -> LoaderFix:
    head, dot, _ = call.callee.partition(".")
    if not head:
        return LoaderFix((Edit(*call.callee_place, wanted),))
    if dot:
        name = f"{call.callee.rpartition('.')[0]}.{wanted}"
        if resolve_local(project, module, call.function, name) != ORM + wanted:
            return LoaderFix(reason=f"{name} is not known to be there")
        return LoaderFix((Edit(*call.callee_place, wanted, (head,)),))
    # What stands for the other loader in this file already, by SQLAlchemy's name or another.
    names = [name for name in module.imports if project.resolve(module, name) == ORM + wanted]
    name = wanted if wanted in names or not names else names[0]
    bound = module.functions[call.function].names.get(head)
    bound = bound or module.functions[0].names.get(head)
    needs = (head, bound) if isinstance(bound, str) and "." not in bound else (head,)
    if names:
        return LoaderFix((Edit(*call.callee_place, name, (*needs, name)),))
    return LoaderFix((Edit(*call.callee_place, name, needs, name),))


def _is_plain(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool:
    name = loader_name(project, module, call)
    return (
        name in OPTIONS
        and not call.keywords
        and not call.expanded
        and (len(call.arguments) == 1 or not name.endswith("load"))
    )


def _chain(module: ModuleSyntax, call: CallSyntax) -> Iterator[CallSyntax]:
    """Return the option with those it goes on from, and those that go on from it."""
    yield call
    before = call
    while before.callee.startswith(".") and before.inner:
        before = before.inner[0]
        yield before
    for other in module.calls:
        # They begin where it begins, and end later.
        if other.place[:2] == before.place[:2] and other.place[2:] > call.place[2:]:
            yield other


def _is_ordered_by_raw_sql(project: Project, relationship: CallSyntax) -> bool:
    order = relationship.keywords.get("order_by")
    if order is None or order.text is not None:
        return False
    for module in project.modules:
        if any(each is relationship for each in module.calls):
            bound = module.functions[0].names.get(order.name or "")
            places = [order.place] if bound is None or isinstance(bound, str) else [bound.place]
            within = [each for each in module.calls if encloses(places[0], each)]
            return any(each.callee.rpartition(".")[2] in RAW for each in within)
    return True
