"""Whether a loader option fits what the attribute is: a collection or a single object.

Only what is written down counts: `Mapped[list[...]]`, `uselist=`, `secondary=`. Where nothing says
whether it is one object or many, or the attribute cannot be found, that is said under `--strict`
and never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.loader_fixes import LoaderFix, loader_fix, loader_name
from invoicing.toolkit.policy.python.relationships import collection_kind
from invoicing.toolkit.policy.python.statements import resolve_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

# What loads in another way than asked for here; raiseload, noload and contains_eager may be.
LOADERS = {"selectinload", "joinedload", "subqueryload", "immediateload", "lazyload"}
# A chain of options longer than this is not followed.
DEEPEST = 30
WANTED = {True: "selectinload", False: "joinedload"}


def check_loaders(project: Project, slug: str, *, collection: bool) -> Iterator[PolicyFinding]:
    """Find collections, or single objects, that are loaded in another way than theirs."""
    for module in project.modules:
        for call in module.calls:
            loader = loader_name(project, module, call)
            if loader not in LOADERS or not _is_loader(project, module, call, loader):
                continue
            loaded = _attribute(project, module, call)
            if loaded is None:
                # Said once, by one of the two rules.
                if collection:
                    message = f"{loader} of {_argument(call)}: what it loads cannot be determined"
                    yield _finding(module, call, slug, message, "name the attribute", strict=True)
                continue
            name, is_collection, relationship = loaded
            wanted = WANTED[collection]
            if is_collection is collection and loader != wanted:
                what = "a collection" if collection else "a single object"
                yield _finding(
                    module,
                    call,
                    slug,
                    f"{loader} of {name}, which is {what}",
                    f"use {wanted}",
                    made=loader_fix(project, module, call, relationship, wanted),
                )
            elif is_collection is None and collection:
                message = f"{loader} of {name}: nothing says whether it is a collection"
                yield _finding(
                    module, call, slug, message, "annotate it with Mapped[...]", strict=True
                )


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


def _argument(call: CallSyntax) -> str:
    return (call.arguments[0] if call.arguments else None) or "an expression"


def _attribute(
    project: Project, module: ModuleSyntax, call: CallSyntax
) -> tuple[str, bool | None, CallSyntax] | None:
    written = call.arguments[0] if call.arguments else None
    if written is None:
        return None
    if written.endswith("()"):
        # `Model.attribute.of_type(...)`, `.and_(...)`.
        owner, _, method = written.removesuffix("()").rpartition(".")
        if method not in {"of_type", "and_"}:
            return None
        written = owner
    owner, _, name = written.rpartition(".")
    model = _class(project, module, call.function, owner)
    return collection_kind(project, model, name) if model is not None else None


def _class(project: Project, module: ModuleSyntax, function: int, name: str) -> MappedClass | None:
    model = project.class_of(module, name)
    if model is not None:
        return model
    for place in (function, 0):
        bound = module.functions[place].names.get(name)
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
