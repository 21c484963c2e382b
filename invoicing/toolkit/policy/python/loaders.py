"""Whether a loader option fits what the attribute is: a collection or a single object.

Only what is written down counts: `Mapped[list[...]]`, `uselist=`, `secondary=`. Where nothing says
whether it is one object or many, or the attribute cannot be found, that is said under `--strict`
and never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.called import by_callee
from invoicing.toolkit.policy.python.closures import PARTIAL
from invoicing.toolkit.policy.python.loader_fixes import LoaderFix, loader_fix, loader_name
from invoicing.toolkit.policy.python.loops import meant
from invoicing.toolkit.policy.python.relationships import collection_kind
from invoicing.toolkit.policy.python.sessions import scopes
from invoicing.toolkit.policy.python.statements import resolve_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

# What loads in another way than asked for here; raiseload and contains_eager may be.
LOADERS = {"selectinload", "joinedload", "subqueryload", "immediateload", "lazyload", "noload"}
# What a relationship loads by itself, so that lazyload or noload of it switches that off.
EAGER = {"joined", "selectin", "subquery", "immediate", "False"}
# A chain of options longer than this is not followed.
DEEPEST = 30
WANTED = {True: "selectinload", False: "joinedload"}


def check_loaders(project: Project, slug: str, *, collection: bool) -> Iterator[PolicyFinding]:
    """Find collections, or single objects, that are loaded in another way than theirs."""
    for module, call, loader in _used(project):
        yield from _check(project, module, call, loader, slug, collection)


def _used(project: Project) -> list[tuple[ModuleSyntax, CallSyntax, str]]:
    """Return the loaders that are used anywhere: both rules ask for them."""
    notes = project.notes.setdefault("loaders", {})
    if not notes:
        notes["used"] = [
            (module, call, loader)
            for module in project.modules
            for call in _candidates(project, module)
            for loader in _loaders(project, module, call)
        ]
    used: list[tuple[ModuleSyntax, CallSyntax, str]] = notes["used"]
    return used


def _candidates(project: Project, module: ModuleSyntax) -> Iterator[CallSyntax]:
    """Return the calls that may be of a loader, by a name of its own or by another one."""
    others = {"map", "partial"}
    for name, target in module.imports.items():
        # `from sqlalchemy import select` is what it says.
        if not (target.startswith("sqlalchemy.") and target.endswith(f".{name}")):
            others.add(name)
    for scope in module.functions:
        others |= scope.choices.keys()
        others |= {name for name, bound in scope.names.items() if isinstance(bound, str)}
    for callee, calls in by_callee(project, module).items():
        head, last = callee.partition(".")[0], callee.rpartition(".")[2]
        if last in LOADERS or head in others or "|" in callee or module.stars:
            yield from calls


def _loaders(project: Project, module: ModuleSyntax, call: CallSyntax) -> list[str]:
    """Return the loaders that a call may be: several where a condition chooses."""
    last = loader_name(project, module, call)
    if last in LOADERS and "|" not in call.callee:
        return [last] if _is_loader(project, module, call, last) else []
    if call.arguments and (call.callee == "map" or _is_partial(project, module, call)):
        # `partial(joinedload, Account.invoices)`, `map(joinedload, ...)`.
        given = resolve_local(project, module, call.function, call.arguments[0] or "")
        loader = given.removeprefix("sqlalchemy.orm.")
        return [loader] if loader in LOADERS and loader != given else []
    named = call.callee.split("|") if "|" in call.callee else []
    for scope in scopes(module, call.function) if not named and "." not in call.callee else ():
        bound = scope.names.get(call.callee)
        named = [*scope.choices.get(call.callee, ()), *([bound] if isinstance(bound, str) else [])]
        if named:
            break
    made = [project.resolve(module, name) or "" for name in named]
    loaders = [each.removeprefix("sqlalchemy.orm.") for each in made]
    return sorted({each for each in loaders if each in LOADERS})


def _check(
    project: Project,
    module: ModuleSyntax,
    call: CallSyntax,
    loader: str,
    slug: str,
    collection: bool,
) -> Iterator[PolicyFinding]:
    if call.text == "*":
        # Said once: selectinload is wrong for the single objects among them.
        if collection is (loader != WANTED[True]):
            message = f'{loader}("*") loads everything in one way'
            yield _finding(module, call, slug, message, "name what is needed")
        return
    for loads in _loaded(project, module, call):
        if loads.found is not None:
            yield from _fits(project, module, call, loader, loads, slug, collection)
        elif collection:
            # Said once, by one of the two rules.
            message = f"{loader} of {loads.written}: what it loads cannot be determined"
            yield _finding(module, call, slug, message, "name the attribute", strict=True)


def _fits(
    project: Project,
    module: ModuleSyntax,
    call: CallSyntax,
    loader: str,
    loads: _Loaded,
    slug: str,
    collection: bool,
) -> Iterator[PolicyFinding]:
    name, is_collection, relationship = loads.found or ("", None, call)
    wanted = WANTED[collection]
    lazy = relationship.keywords.get("lazy")
    if loader in {"lazyload", "noload"} and lazy is not None and lazy.text in EAGER:
        return
    if is_collection is collection and loader != wanted:
        what = "a collection" if collection else "a single object"
        fix = f"use {wanted}" + (", or raiseload to load nothing" if loader == "noload" else "")
        made = LoaderFix(reason=loads.reason or "a condition chooses the loader")
        if not loads.reason and loader_name(project, module, call) == loader:
            made = loader_fix(project, module, call, relationship, wanted)
        yield _finding(module, call, slug, f"{loader} of {name}, which is {what}", fix, made=made)
    elif is_collection is None and collection:
        message = f"{loader} of {name}: nothing says whether it is a collection"
        yield _finding(module, call, slug, message, "annotate it with Mapped[...]", strict=True)


def _is_loader(project: Project, module: ModuleSyntax, call: CallSyntax, loader: str) -> bool:
    if call.callee.startswith("."):
        # Goes on from another option: `.options(joinedload(A.b).selectinload(B.c))`.
        return any(_begins(project, module, inner) for inner in call.inner)
    made = resolve_local(project, module, call.function, call.callee)
    return made == f"sqlalchemy.orm.{loader}" or (
        # `Load(A).joinedload(...)` and `option.joinedload(...)` of a name bound to an option.
        _bound_option(project, module, call)
    )


def _begins(project: Project, module: ModuleSyntax, call: CallSyntax, depth: int = 0) -> bool:
    if call.callee.startswith("."):
        return depth < DEEPEST and any(
            _begins(project, module, inner, depth + 1) for inner in call.inner
        )
    resolved = resolve_local(project, module, call.function, call.callee)
    return resolved.startswith("sqlalchemy.orm.") and (
        resolved.endswith(("load", "contains_eager", "Load"))
    )


def _bound_option(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool:
    receiver, _, _ = call.callee.rpartition(".")
    bound = module.functions[call.function].names.get(receiver)
    return bound is not None and not isinstance(bound, str) and _begins(project, module, bound)


class _Loaded(NamedTuple):
    """What a loader is given.

    Attributes:
        written: as it is written.
        found: what it is, as `collection_kind` says it; None where that is not known.
        reason: why a fix of the call would not be one of this alone.
    """

    written: str
    found: tuple[str, bool | None, CallSyntax] | None
    reason: str = ""


def _loaded(project: Project, module: ModuleSyntax, call: CallSyntax) -> list[_Loaded]:
    """Return what a loader is given: one attribute, those of a path, or of a loop in turn."""
    last = call.callee.rpartition(".")[2]
    if last == "map":
        given: list[str | None] = [last]
    else:
        given = [*call.arguments[1 if _is_partial(project, module, call) else 0 :]]
    several = meant(project, module, call, given[0]) if len(given) == 1 and given[0] else None
    if several is not None:
        reason = "a loop chooses what it loads"
        kinds = [(each, _attribute(project, module, call, each)) for each in several]
        known = [_Loaded(each, kind, reason) for each, kind in kinds if kind is not None]
        return known or [_Loaded(given[0] or "", None)]
    if not given or given == [None]:
        return [_Loaded("an expression", _by_name(project, call.text))]
    reason = "" if given == [*call.arguments] else "another call is given the loader"
    return [
        _Loaded(each or "an expression", _attribute(project, module, call, each), reason)
        for each in given
    ]


def _is_partial(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool:
    return call.callee.rpartition(".")[2] == "partial" and (
        resolve_local(project, module, call.function, call.callee) in PARTIAL
    )


def _attribute(
    project: Project, module: ModuleSyntax, call: CallSyntax, written: str | None
) -> tuple[str, bool | None, CallSyntax] | None:
    if written is None:
        return None
    if written.endswith("()"):
        # `Model.attribute.of_type(...)`, `.and_(...)`.
        owner, _, method = written.removesuffix("()").rpartition(".")
        if method not in {"of_type", "and_"}:
            return None
        written = owner
    for place in (call.function, 0):
        bound = module.functions[place].names.get(written) if "." not in written else None
        if isinstance(bound, str) and "." in bound:
            # `attribute = Model.attribute`
            written = bound
    owner, _, name = written.rpartition(".")
    model = project.classes.get(owner) or _class(project, module, call, owner)
    return collection_kind(project, model, name) if model is not None else None


def _by_name(project: Project, name: str | None) -> tuple[str, bool | None, CallSyntax] | None:
    """Return what a name alone says, where all relationships of that name are of one kind."""
    kinds = [collection_kind(project, owner, name) for owner in project.mapped] if name else []
    known = [kind for kind in kinds if kind is not None]
    return known[0] if len({kind[1] for kind in known}) == 1 else None


def _of_self(project: Project, module: ModuleSyntax, call: CallSyntax, name: str) -> str | None:
    """Return the model that a repository has: `self.model`, said by it or by those below it."""
    owner = project.classes.get(f"{module.module}.{call.class_name}")
    if owner is None:
        return None
    below = [each for each in project.classes.values() if owner in project.ancestors(each)[0]]
    for each in (owner, *below):
        for syntax in project.ancestors(each)[0]:
            attribute = syntax.syntax.attributes.get(name)
            said = attribute.constant if attribute is not None else None
            said = said or syntax.syntax.instance.get(name)
            model = project.resolve(syntax.module, said)
            if model in project.classes:
                return model
    return None


def _class(
    project: Project, module: ModuleSyntax, call: CallSyntax, name: str
) -> MappedClass | None:
    model = project.class_of(module, name)
    if model is not None:
        return model
    head, _, attribute = name.partition(".")
    if head in {"self", "cls"}:
        return project.classes.get(_of_self(project, module, call, attribute) or "")
    for place in (call.function, 0):
        bound = module.functions[place].names.get(name)
        # `def load(model: type[Invoice])`
        bound = bound or module.functions[place].sessions.get(name)
        if isinstance(bound, str) and bound != name:
            return project.class_of(module, bound)
        if bound is not None and not isinstance(bound, str) and bound.arguments:
            made = project.resolve(module, bound.callee)
            if made in {"sqlalchemy.orm.aliased", "sqlalchemy.orm.with_polymorphic"}:
                return project.class_of(module, bound.arguments[0])
    return None


def _finding(
    module: ModuleSyntax,
    call: CallSyntax,
    slug: str,
    message: str,
    fix: str,
    *,
    strict: bool = False,
    made: LoaderFix | None = None,
) -> PolicyFinding:
    place = call.callee_place
    return PolicyFinding(
        module.path, place.line, place.column + 1, slug, message, fix, strict, *(made or ())
    )
