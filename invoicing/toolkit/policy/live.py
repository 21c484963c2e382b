"""Look at the mappers themselves, on request: this imports and runs the checked package.

What the mappers say and the text does not (a class made by a function, a relationship added by a
library) is reported as well; where both see it, it is reported once.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from invoicing.toolkit.policy.errors import ModelsImportError
from invoicing.toolkit.policy.finding import PolicyFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.settings import PolicySettings

LAZY, BASES = "lazy-raise", "base-and-timestamps"
NOT_LOADED = {"raise", "write_only"}


class Mapper(Protocol):
    """What is used of a mapper of SQLAlchemy, which is the checked package's own."""

    @property
    def class_(self) -> type:
        """The mapped class."""

    @property
    def relationships(self) -> Iterable[Any]:
        """Its relationships, inherited ones as well."""


def live_findings(
    package: str, root: Path, settings: PolicySettings, reported: Iterable[PolicyFinding]
) -> list[PolicyFinding]:
    """Return what the mappers of a package break and `reported` does not have yet.

    Raises:
        ModelsImportError: the package cannot be imported, or its mappers cannot be configured.
    """
    known = [(finding.rule, finding.message) for finding in reported]
    findings = []
    with _importing(root):
        mappers = _mappers(package)
    for mapper in sorted(mappers, key=lambda mapper: str(mapper.class_.__name__)):
        findings += [
            finding
            for name, finding in _of_mapper(mapper, root, settings)
            if not any(rule == finding.rule and name in message.split() for rule, message in known)
        ]
    return findings


@contextmanager
def _importing(root: Path) -> Iterator[None]:
    """Let the package be imported from its project's folder, as `python -m` does."""
    before = list(sys.path)
    sys.path[:0] = [str(path) for path in (root.resolve(), root.resolve() / "src") if path.is_dir()]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def _mappers(package: str) -> list[Mapper]:
    try:
        module = importlib.import_module(package)
        for submodule in pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}."):
            importlib.import_module(submodule.name)
        # The package is there, so what it is mapped by is too.
        orm = importlib.import_module("sqlalchemy.orm")
        orm.configure_mappers()
    except Exception as error:
        raise ModelsImportError(package, f"{type(error).__name__}: {error}") from error
    bases: set[Any] = set()
    for registry in _registries(package):
        bases |= set(registry.mappers)
    return [
        base
        for base in bases
        if base.class_.__module__.split(".")[0] == package.split(".", maxsplit=1)[0]
    ]


def _registries(package: str) -> set[Any]:
    registries = set()
    for name, module in tuple(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            for value in tuple(vars(module).values()):
                registry = getattr(value, "registry", None)
                if hasattr(registry, "mappers") and isinstance(value, type):
                    registries.add(registry)
    return registries


def _of_mapper(
    mapper: Mapper, root: Path, settings: PolicySettings
) -> Iterator[tuple[str, PolicyFinding]]:
    model = mapper.class_
    names = {base.__name__ for base in model.__mro__}
    for wanted in filter(None, (settings.base, settings.mixin)):
        if wanted not in names:
            message = f"{model.__name__} is mapped and does not inherit {wanted}"
            yield model.__name__, _finding(model, root, BASES, message, f"inherit {wanted}")
    for relationship in mapper.relationships:
        if relationship.parent is mapper and str(relationship.lazy) not in NOT_LOADED:
            name = f"{model.__name__}.{relationship.key}"
            message = f'relationship {name} has lazy="{relationship.lazy}", as its mapper says'
            fix = 'write lazy="raise", and load it where the query is'
            yield name, _finding(model, root, LAZY, message, fix)


def _finding(model: type, root: Path, rule: str, message: str, fix: str) -> PolicyFinding:
    try:
        path = Path(inspect.getsourcefile(model) or "").resolve()
        line = inspect.getsourcelines(model)[1]
    except (OSError, TypeError):
        return PolicyFinding(model.__module__, 1, 1, rule, message, fix)
    shown = path.relative_to(root.resolve()) if path.is_relative_to(root.resolve()) else path
    return PolicyFinding(shown.as_posix(), line, 1, rule, message, fix)
