"""`collection-selectin` and `single-joined`: the loader option fits what the attribute is.

Only what is written down counts: `Mapped[list[...]]`, `uselist=`, `secondary=`. Where nothing says
whether it is one object or many, or the attribute cannot be found, that is said under `--strict`
and never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.model import Edit, Finding, Rule
from invoicing.toolkit.policy.rules.loader_fixes import loader_edits
from invoicing.toolkit.policy.rules.relationships import collection_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.facts import CallFacts, ModuleFacts
    from invoicing.toolkit.policy.project import Mapped, Project

COLLECTION, SINGLE = "collection-selectin", "single-joined"
# What loads in another way than asked for here; raiseload, noload and contains_eager may be.
LOADERS = {"selectinload", "joinedload", "subqueryload", "immediateload", "lazyload"}
WANTED = {True: "selectinload", False: "joinedload"}


def check_collections(project: Project) -> Iterator[Finding]:
    """Find collections that are loaded by anything but selectinload."""
    yield from _check(project, COLLECTION, collection=True)


def check_singles(project: Project) -> Iterator[Finding]:
    """Find single objects that are loaded by anything but joinedload."""
    yield from _check(project, SINGLE, collection=False)


def _check(project: Project, slug: str, *, collection: bool) -> Iterator[Finding]:
    for module in project.modules:
        for call in module.calls:
            loader = call.callee.rpartition(".")[2]
            if loader not in LOADERS or not _is_loader(project, module, call, loader):
                continue
            found = _attribute(project, module, call)
            if found is None:
                # Said once, by one of the two rules.
                if collection:
                    message = f"{loader} of {_argument(call)}: it cannot be told what it loads"
                    yield _finding(module, call, slug, message, "name the attribute", strict=True)
                continue
            name, is_collection, relationship = found
            wanted = WANTED[collection]
            if is_collection is collection and loader != wanted:
                what = "a collection" if collection else "a single object"
                yield _finding(
                    module,
                    call,
                    slug,
                    f"{loader} of {name}, which is {what}",
                    f"use {wanted}",
                    edits=loader_edits(project, module, call, relationship, wanted),
                )
            elif is_collection is None and collection:
                message = f"{loader} of {name}: nothing says whether it is a collection"
                yield _finding(
                    module, call, slug, message, "annotate it with Mapped[...]", strict=True
                )


def _is_loader(project: Project, module: ModuleFacts, call: CallFacts, loader: str) -> bool:
    if call.callee.startswith("."):
        # Goes on from another option: `.options(joinedload(A.b).selectinload(B.c))`.
        return any(_begins(project, module, one) for one in call.inner)
    return project.resolve(module, call.callee) == f"sqlalchemy.orm.{loader}" or (
        # `Load(A).joinedload(...)` and `option.joinedload(...)` of a name bound to an option.
        _bound_option(project, module, call)
    )


def _begins(project: Project, module: ModuleFacts, call: CallFacts, depth: int = 0) -> bool:
    if call.callee.startswith("."):
        return depth < 30 and any(  # noqa: PLR2004
            _begins(project, module, one, depth + 1) for one in call.inner
        )
    resolved = project.resolve(module, call.callee) or ""
    return resolved.startswith("sqlalchemy.orm.") and (
        resolved.endswith(("load", "contains_eager", "Load"))
    )


def _bound_option(project: Project, module: ModuleFacts, call: CallFacts) -> bool:
    receiver, _, _ = call.callee.rpartition(".")
    bound = module.functions[call.function].names.get(receiver)
    return bound is not None and not isinstance(bound, str) and _begins(project, module, bound)


def _argument(call: CallFacts) -> str:
    return (call.arguments[0] if call.arguments else None) or "an expression"


def _attribute(
    project: Project, module: ModuleFacts, call: CallFacts
) -> tuple[str, bool | None, CallFacts] | None:
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


def _class(project: Project, module: ModuleFacts, function: int, name: str) -> Mapped | None:
    found = project.class_of(module, name)
    if found is not None:
        return found
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
    module: ModuleFacts,
    call: CallFacts,
    slug: str,
    message: str,
    mend: str,
    *,
    strict: bool = False,
    edits: tuple[Edit, ...] = (),
) -> Finding:
    place = call.callee_place
    return Finding(module.path, place.line, place.column + 1, slug, message, mend, strict, edits)


COLLECTION_SELECTIN = Rule(
    COLLECTION,
    "collections are loaded by selectinload",
    "joinedload repeats every column of the parent in a row for each child, and two joined "
    "collections multiply each other; lazyload and immediateload send a statement for each parent.",
    "select(Account).options(joinedload(Account.invoices))",
    "select(Account).options(selectinload(Account.invoices))",
    check_collections,
    fix="safe",
)
SINGLE_JOINED = Rule(
    SINGLE,
    "single objects are loaded by joinedload",
    "A join to one object repeats nothing, and saves the round trip that selectinload takes.",
    "select(Invoice).options(selectinload(Invoice.account))",
    "select(Invoice).options(joinedload(Invoice.account))",
    check_singles,
    # A join more can fail where the statement is grouped, locked or built elsewhere.
    fix="unsafe",
)
