"""Find the files to be checked; what was asked for and is not checked is said.

Symbolic links are followed where they are named; those below lead out of the tree, or to what is
met anyway.
"""

from __future__ import annotations

import os
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
    seen: dict[Path, Path] = {}
    problems: list[Problem] = []
    excluded: list[str] = []
    for path in paths:
        if not path.is_dir():
            seen.setdefault(Path(os.path.realpath(path)), path)
            continue
        count, before = 0, len(excluded)
        inside = (path.resolve(), root.resolve())
        for file in _below(path, root, problems):
            real = Path(os.path.realpath(file))
            if file.exists() and not any(map(real.is_relative_to, inside)):
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


def context(root: Path, found: FoundFiles, settings: PolicySettings) -> list[Path]:
    """Return the files that are read to judge others: all of the project's, where it is one.

    Without a pyproject.toml nothing says where a project ends; then they are the revisions beside
    a revision.
    """
    seen = {Path(os.path.realpath(file)) for file in found.files}
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
    return [file for file in near if Path(os.path.realpath(file)) not in seen]


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
    return None if S_ISREG(status.st_mode) else "it is no regular file"


def size_of(path: Path) -> int:
    """Return how large a file is; 0 for one that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def relative_path(path: Path, root: Path) -> str:
    """Return a path as it is shown: from the root, with slashes."""
    # A link to nothing is shown by its own name.
    is_there = path.exists()
    real = os.path.realpath(path if is_there else path.parent)
    shown = real if is_there else f"{real}{os.sep}{path.name}"
    top = os.path.realpath(root).rstrip(os.sep) + os.sep
    if shown + os.sep == top:
        return "."
    if top == os.sep:
        return Path(shown).as_posix()
    return shown[len(top) :].replace(os.sep, "/") if shown.startswith(top) else path.as_posix()
