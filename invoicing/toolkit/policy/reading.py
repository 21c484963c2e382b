"""Read files, each by itself: on as many processors as are worth it, or from a cache."""

from __future__ import annotations

import os
import pickle
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from invoicing.toolkit.policy.cache import digest, tool
from invoicing.toolkit.policy.files import module_name, relative_path, size_of, why_unreadable
from invoicing.toolkit.policy.finding import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from invoicing.toolkit.policy.cache import Cache
    from invoicing.toolkit.policy.python.syntax import ModuleSyntax
    from invoicing.toolkit.policy.settings import PolicySettings
    from invoicing.toolkit.policy.source import SourceFile, Sources

# Fewer bytes than this are checked before another process has started.
WORTH_A_PROCESS = 1_500_000
Brought = TypeVar("Brought")


class Checked(NamedTuple):
    """What reading one file has brought.

    Attributes:
        modules: a file's syntax, or that of a notebook's cells.
        problems: what could not be read.
        asked_newest: whether another Python was asked, so that this depends on which is there.
    """

    modules: list[ModuleSyntax]
    problems: list[Problem]
    asked_newest: bool = False


class Kept(NamedTuple):
    """What a cache has of a file.

    Attributes:
        of: the text that was read, and what else decides what reading it brings.
        newest: the Python that was asked; "" where the running one could read it.
        checked: what it brought, pickled.
    """

    of: str
    newest: str
    checked: bytes

    def is_of(self, of: str) -> bool:
        """Return whether reading the file would bring the same."""
        return self.of == of and self.newest in {"", _newest() if self.newest else ""}


class Files:
    """The files of a check, in order, and what reading them brings."""

    def __init__(
        self,
        paths: list[Path],
        root: Path,
        settings: PolicySettings,
        texts: Mapping[str, bytes],
        cache: Cache | None,
    ) -> None:
        self._paths = paths
        self._root = root
        self._settings = settings
        self._texts = texts
        self._cache = cache
        self._kept: list[Kept] = []

    def read(self, processes: int | None) -> list[Checked]:
        """Return what reading each of them brings."""
        if self._cache is None:
            return _each(
                partial(_read, self._root, self._settings, self._texts), self._paths, processes
            )
        if not self._kept:
            self.identities(processes)
        return [pickle.loads(kept.checked) for kept in self._kept]  # noqa: S301 -- signed, or our own

    def identities(self, processes: int | None) -> list[str]:
        """Return what stands for what each of them brings; what the cache lacks is read."""
        if self._cache is None:
            return []
        name = f"files-{digest(tool(), repr(self._settings))[:24]}"
        stored = self._cache.read(name)
        before: dict[str, Kept] = stored if isinstance(stored, dict) else {}
        known = [self._known(path, before) for path in self._paths]
        missing = [path for path, kept in zip(self._paths, known, strict=True) if kept is None]
        new = _each(partial(_keep, self._root, self._settings, self._texts), missing, processes)
        following = iter(new)
        self._kept = [kept or next(following) for kept in known]
        if any(kept.of for kept in new) and not self._texts:
            self._store(name, before)
        return [kept.of + kept.newest if kept.of else digest(kept.checked) for kept in self._kept]

    def _known(self, path: Path, before: dict[str, Kept]) -> Kept | None:
        kept = before.get(relative_path(path, self._root))
        content = None if kept is None else _content(path, self._root, self._texts)
        if kept is None or content is None or not kept.is_of(_of(path, self._root, content)):
            return None
        return kept

    def _store(self, name: str, before: dict[str, Kept]) -> None:
        if self._cache is not None:
            shown = [relative_path(path, self._root) for path in self._paths]
            now = {name: kept for name, kept in zip(shown, self._kept, strict=True) if kept.of}
            there = {
                name: kept for name, kept in before.items() if os.path.lexists(self._root / name)
            }
            self._cache.write(name, there | now)


def _content(path: Path, root: Path, texts: Mapping[str, bytes]) -> bytes | None:
    """Return what a file holds; None where it cannot be read."""
    given = texts.get(relative_path(path, root)) if texts else None
    try:
        if given is None and why_unreadable(path):
            return None
        return path.read_bytes() if given is None else given
    except OSError:
        return None


def _of(path: Path, root: Path, content: bytes) -> str:
    """Return what decides what reading a file brings, besides settings and the gate itself."""
    by = _ipython() if path.suffix == ".ipynb" else ""
    return digest(relative_path(path, root), module_name(path, root), path.name, by, content)


@cache
def _ipython() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ipython")
    except PackageNotFoundError:
        return ""


@cache
def _newest() -> str:
    from invoicing.toolkit.policy.newer import newest_python

    found = newest_python()
    return repr(found) if found is None else f"{found} {Path(found[1]).stat().st_mtime_ns}"


def _each(
    read: Callable[[Path], Brought], files: Sequence[Path], processes: int | None
) -> list[Brought]:
    size = sum(map(size_of, files))
    wanted = processes or (os.cpu_count() or 1 if size > WORTH_A_PROCESS else 1)
    if min(wanted, len(files)) <= 1:
        return [read(path) for path in files]
    from concurrent.futures import ProcessPoolExecutor

    # Once, and not in every process.
    _readers()
    with ProcessPoolExecutor(wanted) as pool:
        return list(pool.map(read, files, chunksize=max(len(files) // (8 * wanted), 1)))


def _keep(root: Path, settings: PolicySettings, texts: Mapping[str, bytes], path: Path) -> Kept:
    content = _content(path, root, texts)
    given = {} if content is None else {relative_path(path, root): content}
    checked = _read(root, settings, given, path)
    # What could not be read may be otherwise the next time, whatever it holds.
    is_sure = content is not None and not checked.problems
    return Kept(
        _of(path, root, content) if is_sure and content is not None else "",
        _newest() if checked.asked_newest else "",
        pickle.dumps(checked, pickle.HIGHEST_PROTOCOL),
    )


def _read(root: Path, settings: PolicySettings, texts: Mapping[str, bytes], path: Path) -> Checked:
    try:
        return _read_file(path, root, settings, texts.get(relative_path(path, root)))
    except Exception as error:  # noqa: BLE001 -- the other files are still to be checked
        what = f"the gate itself failed on it: {type(error).__name__}: {error}"
        return Checked([], [Problem(relative_path(path, root), 1, what)])


def _readers() -> tuple[Callable[..., Sources], Callable[[SourceFile], ModuleSyntax]]:
    """Return what reads a file, and what keeps of it what the rules ask for."""
    from invoicing.toolkit.policy.python.collect import collect
    from invoicing.toolkit.policy.source import read_sources

    return read_sources, collect


def _read_file(path: Path, root: Path, settings: PolicySettings, text: bytes | None) -> Checked:
    read_sources, collect = _readers()
    sources = read_sources(path, root, text)
    modules = []
    for source in sources.files:
        syntax = collect(source)
        # Wherever it stands: what says which revision it comes after is one.
        if "down_revision" in source.text or settings.matches(source.path, settings.migrations):
            from invoicing.toolkit.policy.revisions import check_migration

            syntax.findings, syntax.revision = check_migration(source, settings)
        modules.append(syntax)
    return Checked(modules, sources.problems, sources.asked_newest)
