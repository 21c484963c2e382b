"""What a name of a type stands for: aliases are followed, through the project's modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import AliasSyntax, CallSyntax, ModuleSyntax

# Aliases of aliases beyond this go in a circle.
LONGEST = 20


class TypeMeaning(NamedTuple):
    """What a name of a type stands for.

    Attributes:
        python: the class, by its dotted name.
        names: the aliases that lead to it, by their dotted names.
        metadata: what each of them has in its `Annotated[...]`, with the module it is in.
    """

    python: str | None
    names: list[str]
    metadata: list[tuple[ModuleSyntax, list[CallSyntax]]]


def meaning_of(project: Project, module: ModuleSyntax, name: str | None) -> TypeMeaning:
    """Return what a name in a module means, as far as the checked files say."""
    names: list[str] = []
    metadata: list[tuple[ModuleSyntax, list[CallSyntax]]] = []
    while name is not None and len(names) < LONGEST:
        found = _alias(project, module, name)
        if found is None:
            break
        module, own, alias = found
        names.append(f"{module.module}.{own}")
        metadata.append((module, list(alias.metadata)))
        name = alias.name
    return TypeMeaning(_dotted(module, name), names, metadata)


def _alias(
    project: Project, module: ModuleSyntax, name: str, depth: int = 0
) -> tuple[ModuleSyntax, str, AliasSyntax] | None:
    head, _, rest = name.partition(".")
    if not rest and head in module.aliases:
        return module, head, module.aliases[head]
    if depth > LONGEST:
        return None
    target = module.imports.get(head)
    if target is not None:
        owner, _, last = (f"{target}.{rest}" if rest else target).rpartition(".")
        home = project.module(owner)
        return None if home is None else _alias(project, home, last, depth + 1)
    homes = [project.module(star) for star in module.stars] if not rest else []
    found = (_alias(project, home, head, depth + 1) for home in homes if home is not None)
    return next((each for each in found if each is not None), None)


def _dotted(module: ModuleSyntax, name: str | None) -> str | None:
    head, dot, rest = (name or "").partition(".")
    return f"{module.imports.get(head, head)}{dot}{rest}".removeprefix("builtins.") or None
