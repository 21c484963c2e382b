"""Find and read the files to be checked; what cannot be read is said, and the others still are.

Nothing is imported or run. Symbolic links that lead out of the tree are not followed.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from invoicing.toolkit.policy.settings import PolicySettings

# A file of so many bytes is data, whatever its name says.
LARGEST = 20_000_000
SKIPPED_FOLDERS = {".git", "__pycache__", ".venv", "node_modules", ".mypy_cache", ".ruff_cache"}
SUPPRESSION = re.compile(r"#\s*policy:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)(?:\s+--\s*(\S.*))?")


@dataclass(frozen=True)
class Suppression:
    """A comment that allows a rule to be broken on its line, or on the one below it.

    Attributes:
        line: where it stands.
        applies_to: the lines it is for.
        slugs: the rules.
        reason: why; None where none is given.
    """

    line: int
    applies_to: tuple[int, ...]
    slugs: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True)
class SourceFile:
    """A file, parsed.

    Attributes:
        path: relative to the root, with slashes.
        module: its dotted name.
        text: its text.
        tree: its syntax.
        suppressions: its comments for the gate.
    """

    path: str
    module: str
    text: str
    tree: ast.Module
    suppressions: tuple[Suppression, ...]


def find_files(root: Path, paths: Sequence[Path], settings: PolicySettings) -> Iterator[Path]:
    """Return the Python files and notebooks below `paths`, once each, in order."""
    seen: set[Path] = set()
    for path in paths:
        for file in [path] if path.is_file() else _below(path):
            real = file.resolve()
            relative = relative_path(file, root)
            inside = real.is_relative_to(root.resolve()) or path.is_file()
            excluded = settings.matches(relative, settings.exclude) and not path.is_file()
            if inside and not excluded and real not in seen:
                seen.add(real)
                yield file


def _below(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(files):
            if name.endswith((".py", ".ipynb")):
                yield Path(base) / name


def relative_path(path: Path, root: Path) -> str:
    """Return a path as it is shown: from the root, with slashes."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def read_sources(path: Path, root: Path, given: bytes | None = None) -> list[SourceFile] | Problem:
    """Return a file parsed, a notebook's cells as one file each; or why it cannot be.

    Args:
        path: the file.
        root: the project's folder.
        given: what to read in place of what the file holds.
    """
    shown = relative_path(path, root)
    try:
        if path.stat().st_size > LARGEST:
            return Problem(shown, 1, f"it is larger than {LARGEST // 1_000_000} MB")
        if path.suffix == ".ipynb":
            return _cells(path, shown)
        content = io.BytesIO(path.read_bytes() if given is None else given)
        encoding, _ = tokenize.detect_encoding(content.readline)
        content.seek(0)
        text = io.TextIOWrapper(content, encoding).read()
        return [_parse(shown, _module_name(path, root), text)]
    except SyntaxError as error:
        return Problem(shown, error.lineno or 1, f"syntax error: {error.msg}")
    except RecursionError:
        return Problem(shown, 1, "it is nested too deeply")
    except (OSError, UnicodeError, ValueError, MemoryError) as error:
        return Problem(shown, 1, str(error) or type(error).__name__)


def _parse(path: str, module: str, text: str) -> SourceFile:
    with warnings.catch_warnings():
        # An invalid escape in a string is no rule's business.
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    return SourceFile(path, module, text, tree, tuple(suppressions_of(text)))


def _cells(path: Path, shown: str) -> list[SourceFile]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook.get("cells", ()) if cell.get("cell_type") == "code"]
    texts = [_plain("".join(cell.get("source", ""))) for cell in cells]
    # One module: a later cell knows what an earlier one has imported.
    sources: list[SourceFile] = []
    imports: list[ast.stmt] = []
    for number, text in enumerate(texts, 1):
        source = _parse(f"{shown}[{number}]", path.stem, text)
        own = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        source.tree.body[:0] = imports
        imports += own
        sources.append(source)
    return sources


def _plain(text: str) -> str:
    """Return a cell's code with IPython's magics as comments."""
    return "\n".join(
        f"# {line}" if line.lstrip().startswith(("%", "!", "?")) else line
        for line in text.splitlines()
    )


def suppressions_of(text: str) -> Iterator[Suppression]:
    """Return the comments for the gate; a string that looks like one is none."""
    if "policy:" not in text:
        return
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        match = SUPPRESSION.search(token.string) if token.type == tokenize.COMMENT else None
        if match:
            line = token.start[0]
            alone = not lines[line - 1][: token.start[1]].strip()
            slugs = tuple(re.split(r"\s*,\s*", match[1]))
            yield Suppression(line, (line, line + 1) if alone else (line,), slugs, match[2])


def _module_name(path: Path, root: Path) -> str:
    """Return the dotted name by which a file is imported: up to the first folder without one."""
    parts = [path.stem] if path.stem != "__init__" else []
    folder = path.resolve().parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    if len(parts) <= 1 and folder.is_relative_to(root.resolve()):
        # A namespace package, as a folder without __init__ is.
        parts = [*folder.relative_to(root.resolve()).parts, *parts]
    return ".".join(parts)
