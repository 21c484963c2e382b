"""Look at the mappers themselves, on request: this imports and runs the checked package.

What the mappers say and the text does not (a class made by a function, a relationship added by a
library) is told as well; where both see it, it is told once.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.policy.errors import ModelsImportError
from invoicing.toolkit.policy.model import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.settings import PolicySettings

LAZY, BASES = "lazy-raise", "base-and-timestamps"
NOT_LOADED = {"raise", "write_only", "dynamic"}


def live_findings(
    package: str, root: Path, settings: PolicySettings, told: Iterable[Finding]
) -> list[Finding]:
    """Return what the mappers of a package break and `told` does not have yet.

    Raises:
        ModelsImportError: the package cannot be imported, or its mappers cannot be configured.
    """
    known = [(one.rule, one.message) for one in told]
    found = []
    for mapper in sorted(_mappers(package), key=lambda mapper: str(mapper.class_.__name__)):
        found += [
            one
            for name, one in _of_mapper(mapper, root, settings)
            if not any(rule == one.rule and name in message.split() for rule, message in known)
        ]
    return found


def _mappers(package: str) -> list[Any]:
    try:
        module = importlib.import_module(package)
        for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}."):
            importlib.import_module(found.name)
        # The package is there, so what it is mapped by is too.
        orm = importlib.import_module("sqlalchemy.orm")
        orm.configure_mappers()
    except Exception as error:  # noqa: BLE001 -- whatever somebody's package raises
        raise ModelsImportError(package, f"{type(error).__name__}: {error}") from None
    bases: set[Any] = set()
    for registry in _registries(package):
        bases |= set(registry.mappers)
    return [
        base
        for base in bases
        if base.class_.__module__.split(".")[0] == package.split(".", maxsplit=1)[0]
    ]


def _registries(package: str) -> set[Any]:
    import sys  # noqa: PLC0415 -- a snapshot of what is imported by now

    found = set()
    for name, module in tuple(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            for value in tuple(vars(module).values()):
                registry = getattr(value, "registry", None)
                if hasattr(registry, "mappers") and isinstance(value, type):
                    found.add(registry)
    return found


def _of_mapper(
    mapper: Any,  # noqa: ANN401 -- SQLAlchemy is the checked package's own, not ours
    root: Path,
    settings: PolicySettings,
) -> Iterator[tuple[str, Finding]]:
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
            mend = 'write lazy="raise", and load it where the query is'
            yield name, _finding(model, root, LAZY, message, mend)


def _finding(model: type, root: Path, rule: str, message: str, mend: str) -> Finding:
    try:
        path = Path(inspect.getsourcefile(model) or "").resolve()
        line = inspect.getsourcelines(model)[1]
    except (OSError, TypeError):
        return Finding(model.__module__, 1, 1, rule, message, mend)
    shown = path.relative_to(root.resolve()) if path.is_relative_to(root.resolve()) else path
    return Finding(shown.as_posix(), line, 1, rule, message, mend)
