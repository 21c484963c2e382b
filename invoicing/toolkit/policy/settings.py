"""`[tool.invoicing.policy]` of the checked project's pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatch
from functools import cache
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.policy.errors import PolicySettingsError

if TYPE_CHECKING:
    from pathlib import Path

Globs = tuple[str, ...]


@dataclass(frozen=True)
class PolicySettings:
    """Where things are in the checked project, as globs from its root, and what they are called.

    Attributes:
        session_module: where engines and sessions are made.
        models: files with mapped classes; they hold no queries.
        services: files that may query.
        migrations: Alembic's revisions.
        exclude: files not checked.
        base: name of the declarative base.
        mixin: name of the mixin with the time stamps; empty for none.
        header: fields a revision's header must have besides Alembic's own.
        phases: what `Phase:` of a header may be; nothing means anything.
        destructive_operations: the project's own Alembic operations that lose data.
        lock_timeout_elsewhere: whether env.py sets lock_timeout, so that no revision has to.
        ignore: rules that are off.
    """

    session_module: Globs = ("**/db/session.py", "**/session.py", "**/database.py")
    models: Globs = ("**/models/**", "**/models.py")
    services: Globs = ("**/services/**", "**/services.py", "**/repositories/**")
    migrations: Globs = (
        "**/migrations/versions/**",
        "**/_migrations/versions/**",
        "**/alembic/versions/**",
    )
    exclude: Globs = ("**/tests/**", "**/.venv/**", "**/venv/**", "**/node_modules/**")
    base: str = "Base"
    mixin: str = "TimeStampedMixin"
    header: Globs = ()
    phases: Globs = ()
    destructive_operations: Globs = ()
    lock_timeout_elsewhere: bool = False
    ignore: Globs = field(default_factory=tuple)

    def matches(self, path: str, globs: Globs) -> bool:
        """Return whether a path, relative to the root with slashes, is one of `globs`."""
        return any(_matches(path, glob) for glob in globs)


@cache
def _matches(path: str, glob: str) -> bool:
    # fnmatch's star crosses slashes, so a leading `**/` only has to match nothing as well.
    return fnmatch(path, glob) or (glob.startswith("**/") and fnmatch(path, glob[3:]))


def read_settings(root: Path) -> PolicySettings:
    """Return the settings of the project at `root`; the defaults where it has none.

    Raises:
        PolicySettingsError: pyproject.toml cannot be read, or a setting is unknown or of the
            wrong type.
    """
    path = root / "pyproject.toml"
    if not path.is_file():
        return PolicySettings()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PolicySettingsError(str(path), str(error)) from None
    given: dict[str, Any] = table.get("tool", {}).get("invoicing", {}).get("policy", {})
    values: dict[str, Any] = {
        _known(path, name): _value(path, name, value) for name, value in given.items()
    }
    return PolicySettings(**values)


def _known(path: Path, name: str) -> str:
    names = [field.name for field in fields(PolicySettings)]
    key = name.replace("-", "_")
    if key not in names:
        near = get_close_matches(key, names, 1)
        meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
        raise PolicySettingsError(str(path), f"[tool.invoicing.policy] has {name!r}{meant}")
    return key


def _value(path: Path, name: str, value: object) -> object:
    if name.replace("-", "_") in {"base", "mixin"}:
        if isinstance(value, str):
            return value
    elif name.replace("-", "_") == "lock_timeout_elsewhere":
        if isinstance(value, bool):
            return value
    elif isinstance(value, str):
        return (value,)
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    wanted = "a string" if name in {"base", "mixin"} else "a string or a list of strings"
    raise PolicySettingsError(str(path), f"{name} of [tool.invoicing.policy] is not {wanted}")
