"""Where a loader option may be changed into another: only where all that it is part of is plain.

A keyword (`innerjoin=`, `recursion_depth=`) belongs to one loader alone, criteria and subtypes are
joined in ways of their own, and a lock cannot be taken on the nullable side of an outer join. What
runs the statement may stand in another function or file: then a lock anywhere near counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import Edit
from invoicing.toolkit.policy.python.sessions import is_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

SWAPPED = {"joinedload", "selectinload"}
# What may stand before or behind it in a chain of options.
PLAIN = SWAPPED | {"subqueryload", "immediateload", "lazyload", "defaultload", "raiseload"}
PLAIN |= {"load_only", "defer", "undefer", "Load"}
# What a statement may be built of, from `select` to where it is run.
BUILDERS = {"select", "options", "where", "filter", "filter_by", "order_by", "limit", "offset"}
LOCKS = {"with_for_update", "with_lockmode", "ForUpdateArg", "with_loader_criteria"}
# What a joined table more would fail or be left out of.
JOINLESS = {
    "from_statement", "group_by", "distinct", "returning", "union", "union_all", "intersect",
    "intersect_all", "except_", "except_all",
}  # fmt: skip
# SQLAlchemy 2.0 joins around the groups as long as a collection is joined, and among them after it.
HAZARDS = {"selectinload": LOCKS | {"group_by"}, "joinedload": LOCKS | JOINLESS}
# Keywords of a relationship by which a join finds other rows than a second statement does.
JOINS_OTHERWISE = {"innerjoin", "join_depth", "omit_join", "primaryjoin", "secondaryjoin"}


def loader_edits(
    project: Project, module: ModuleSyntax, call: CallSyntax, relationship: CallSyntax, wanted: str
) -> tuple[Edit, ...]:
    """Return what makes `wanted` of the loader; nothing where that could change or break more."""
    loader = call.callee.rpartition(".")[2]
    needs = _needed(project, module, call, wanted)
    plain = (
        loader in SWAPPED
        and needs is not None
        and not any((argument or "()").endswith("()") for argument in call.arguments)
        and not relationship.expanded
        and not JOINS_OTHERWISE & relationship.keywords.keys()
        and all(map(_is_plain, _chain(module, call)))
        and not HAZARDS[wanted] & _used_around(project, module, call)
    )
    return (Edit(*call.callee_place, wanted, needs or ()),) if plain else ()


def _needed(
    project: Project, module: ModuleSyntax, call: CallSyntax, wanted: str
) -> tuple[str, ...] | None:
    """Return the names that must be what they seem; None where the other loader is not there."""
    head, dot, _ = call.callee.partition(".")
    if not head:
        return ()
    name = f"{call.callee.rpartition('.')[0]}.{wanted}" if dot else wanted
    if project.resolve(module, name) != f"sqlalchemy.orm.{wanted}":
        return None
    return (head,) if dot else (head, wanted)


def _is_plain(call: CallSyntax) -> bool:
    return (
        call.callee.rpartition(".")[2] in PLAIN
        and not call.keywords
        and not call.expanded
        and (len(call.arguments) == 1 or not call.callee.endswith("load"))
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


def _used_around(project: Project, module: ModuleSyntax, call: CallSyntax) -> set[str]:
    """Return the names of calls and keywords that its statement may be built with."""
    outer = [other for other in module.calls if other is not call and _encloses(other, call)]
    if any(other.expanded for other in outer):
        return {name for names in HAZARDS.values() for name in names}
    for other in sorted(outer, key=lambda other: other.place, reverse=True):
        if is_query(project, module, other):
            return _names(inner for inner in module.calls if _encloses(other, inner))
        name = other.callee.rpartition(".")[2]
        # `statement.options(...)`: what else is in the statement is said elsewhere.
        if name not in BUILDERS | PLAIN or (name in BUILDERS and not _begins_with_select(other)):
            break
    return {
        name
        for near in project.modules
        if near is module or _imports(near, module) or _imports(module, near)
        for name in _names_of(project, near)
    }


def _begins_with_select(call: CallSyntax) -> bool:
    while call.callee.startswith(".") and call.inner:
        call = call.inner[0]
    return call.callee.rpartition(".")[2] == "select"


def _encloses(outer: CallSyntax, inner: CallSyntax) -> bool:
    return outer.place[:2] <= inner.place[:2] and inner.place[2:] <= outer.place[2:]


def _imports(module: ModuleSyntax, other: ModuleSyntax) -> bool:
    names = (*module.imports.values(), *module.stars)
    return any(name == other.module or name.startswith(f"{other.module}.") for name in names)


def _names_of(project: Project, module: ModuleSyntax) -> set[str]:
    known = project.notes.setdefault("names of calls", {})
    if module.path not in known:
        known[module.path] = _names(module.calls)
    names: set[str] = known[module.path]
    return names


def _names(calls: Iterator[CallSyntax] | list[CallSyntax]) -> set[str]:
    names = set()
    for call in calls:
        names |= {call.callee.rpartition(".")[2], *call.keywords}
    return names
