"""Find the files to be checked; what was asked for and is not checked is said.

Symbolic links are followed where they are named; those below lead out of the tree, or to what is
met anyway.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.cache import FOLDER
from invoicing.toolkit.policy.finding import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from invoicing.toolkit.policy.settings import PolicySettings

SKIPPED_FOLDERS = {
    ".git", "__pycache__", ".venv", "node_modules", ".mypy_cache", ".ruff_cache", FOLDER,
}  # fmt: skip
# What makes a folder a virtual environment, whatever it is called (PEP 405).
ENVIRONMENT = "pyvenv.cfg"
SUFFIXES = (".py", ".ipynb")
PLACES = ("session_module", "models", "services", "migrations")
FEW = 20
# A file of so many bytes is data, whatever its name says.
LARGEST = 20_000_000
NOTHING = "no Python file or notebook is below it"


class FoundFiles(NamedTuple):
    """What is below the paths to be checked.

    Attributes:
        files: Python files and notebooks, once each, in order.
        problems: paths that cannot be read, and folders that hold nothing to check.
        excluded: what the settings exclude, by its path from the root.
    """

    files: list[Path]
    problems: list[Problem]
    excluded: list[str]


def find_files(root: Path, paths: Sequence[Path], settings: PolicySettings) -> FoundFiles:
    """Find the Python files and notebooks below `paths`."""
    seen: dict[str, Path] = {}
    problems: list[Problem] = []
    excluded: list[str] = []
    for path in paths:
        if not path.is_dir():
            seen.setdefault(os.path.realpath(path), path)
            continue
        count, before = 0, len(excluded)
        inside = tuple(f"{folder.resolve()}".rstrip(os.sep) + os.sep for folder in (path, root))
        for file in _below(path, root, problems):
            real = real_path(file)
            if not real.startswith(inside) and file.exists():
                continue
            shown = relative_path(file, root)
            if settings.matches(shown, settings.exclude):
                excluded.append(shown)
                continue
            count += 1
            seen.setdefault(real, file)
        if not count:
            problems.append(Problem(relative_path(path, root), 1, _why(excluded[before:])))
    return FoundFiles(list(seen.values()), problems, excluded)


def _why(excluded: list[str]) -> str:
    return f"the settings exclude all that is below it ({len(excluded)})" if excluded else NOTHING


def context(
    root: Path, found: FoundFiles, settings: PolicySettings, paths: Sequence[Path] = ()
) -> list[Path]:
    """Return the files that are read to judge others: all of the project's, where it is one.

    Without a pyproject.toml nothing says where a project ends; then they are the revisions beside
    a revision. Where all of it is in `paths`, there are no others.
    """
    if any(path.is_dir() and path.resolve() == root.resolve() for path in paths):
        return []
    seen = {real_path(file) for file in found.files}
    if (root / "pyproject.toml").is_file():
        near = find_files(root, [root], settings).files
    else:
        # With whole folders, what is beside a revision is there already.
        few = len(found.files) <= FEW
        folders = {
            file.parent
            for file in found.files
            if settings.matches(relative_path(file, root), settings.migrations)
            or (few and why_unreadable(file) is None and b"down_revision" in file.read_bytes())
        }
        near = [file for folder in sorted(folders) for file in sorted(folder.glob("*.py"))]
    return [file for file in near if real_path(file) not in seen]


def unmatched(
    root: Path, paths: Sequence[Path], settings: PolicySettings, found: FoundFiles
) -> list[str]:
    """Return the settings that say where something is, and are wrong: nothing is there.

    A part of a project need not have everything, so this is known of a whole one only.
    """
    if root.resolve() not in [path.resolve() for path in paths if path.is_dir()]:
        return []
    usual = type(settings)()
    there = [*found.excluded, *(relative_path(file, root) for file in found.files)]
    return [
        f'{name}: no file matches "{glob}" of [tool.invoicing.policy]'
        for name in PLACES
        for glob in getattr(settings, name)
        if glob not in getattr(usual, name)
        and not any(settings.matches(path, (glob,)) for path in there)
    ]


def _below(folder: Path, root: Path, problems: list[Problem]) -> Iterator[Path]:
    def refused(error: OSError) -> None:
        where = Path(str(error.filename))
        problems.append(Problem(relative_path(where, root), 1, f"{error.strerror}"))

    for base, folders, files in os.walk(folder, onerror=refused, followlinks=False):
        folders[:] = sorted(
            name
            for name in set(folders) - SKIPPED_FOLDERS
            if not os.path.lexists(Path(base, name, ENVIRONMENT))
        )
        for name in sorted(files):
            if name.endswith(SUFFIXES):
                yield Path(base) / name


def why_unreadable(path: Path) -> str | None:
    """Return why a path is no file that can be read; None if it is one.

    A pipe or a device may never end, so it is not opened.
    """
    try:
        status = path.stat()
    except OSError as error:
        dangling = path.is_symlink() and not path.exists()
        return "it is a symbolic link to nothing" if dangling else f"{error.strerror}"
    if not S_ISREG(status.st_mode):
        return "it is no regular file"
    too_large = status.st_size > LARGEST
    return f"it is larger than {LARGEST // 1_000_000} MB" if too_large else None


def size_of(path: Path) -> int:
    """Return how large a file is; 0 for one that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@lru_cache(maxsize=65_536)
def _real_folder(folder: str, _here: str) -> str:
    return os.path.realpath(folder)


def forget_folders() -> None:
    """Forget where folders lead, and which are packages: that may have changed since."""
    _real_folder.cache_clear()
    _packages.cache_clear()


def real_path(path: Path) -> str:
    """Return a path without links; of a link to nothing, its own name where it is."""
    text = str(path)
    folder, name = os.path.split(text)
    if name in {"", ".", ".."} or (path.is_symlink() and path.exists()):
        return os.path.realpath(text)
    return os.path.join(_real_folder(folder, os.getcwd()), name)


def relative_path(path: Path, root: Path) -> str:
    """Return a path as it is shown: from the root, with slashes."""
    # A link to nothing is shown by its own name.
    shown = real_path(path)
    top = _real_folder(str(root), os.getcwd()).rstrip(os.sep) + os.sep
    if shown + os.sep == top:
        return "."
    if top == os.sep:
        return Path(shown).as_posix()
    return shown[len(top) :].replace(os.sep, "/") if shown.startswith(top) else path.as_posix()


def home_of(folder: Path) -> Path:
    """Return the folder of the env.py that runs the revisions of a folder; itself without one."""
    above = (folder, *folder.parents)
    return next((each for each in above if (each / "env.py").is_file()), folder)


@lru_cache(maxsize=65_536)
def _packages(folder: str) -> tuple[str, tuple[str, ...]]:
    """Return the folder that a folder is imported from, and the packages between them."""
    above, name = os.path.split(folder)
    if not name or not os.path.exists(os.path.join(folder, "__init__.py")):
        return folder, ()
    top, packages = _packages(above)
    return top, (*packages, name)


def module_name(path: Path, root: Path) -> str:
    """Return the dotted name by which a file is imported: up to the first folder without one."""
    parts = [path.stem] if path.stem != "__init__" else []
    folder, packages = _packages(os.path.dirname(real_path(path)))
    parts = [*packages, *parts]
    if len(parts) <= 1 and Path(folder).is_relative_to(root.resolve()):
        # A namespace package, as a folder without __init__ is.
        parts = [*Path(folder).relative_to(root.resolve()).parts, *parts]
    return ".".join(parts)
