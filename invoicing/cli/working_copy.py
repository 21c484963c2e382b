"""A working copy of the notebooks: run and change them, and no tracked file is touched."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# What each file was when it was copied, by its path in the folder.
_COPIED = ".copied.json"
# What a reader of notebooks has no use for.
LEFT_OUT = ("__pycache__", ".ipynb_checkpoints", "conftest.py", "sanitize.cfg")


class Updated(NamedTuple):
    """What became of a working copy.

    Attributes:
        written: files that are as they are in the source now.
        kept: files that were changed here and are newer in the source; they stay as they are.
    """

    written: list[str]
    kept: list[str]


def update_copy(source: Path, folder: Path) -> Updated:
    """Bring a working copy up to date; what was changed in it stays.

    A notebook counts as changed by its cells' text: outputs alone are not worth keeping.
    """
    manifest = folder / _COPIED
    copied: dict[str, str] = json.loads(manifest.read_text()) if manifest.is_file() else {}
    done = Updated([], [])
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_dir() or any(part in LEFT_OUT for part in path.relative_to(source).parts):
            continue
        target, new = folder / name, _said(path)
        if target.is_file() and _said(target) not in {copied.get(name), new}:
            if new != copied.get(name):
                done.kept.append(name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        copied[name] = new
        done.written.append(name)
    manifest.write_text(json.dumps(copied, indent=1))
    trust([folder / name for name in done.written])
    return done


def trust(paths: Iterable[Path]) -> None:
    """Sign notebooks as `jupyter trust` does, for whoever copies them: their outputs are ours.

    JupyterLab shows those of a notebook that is not signed without their styles; and one whose
    cells did not all run here is not signed when it is saved, so that after the page is loaded
    again no widget is shown.
    """
    try:
        import nbformat
        from nbformat.sign import NotebookNotary
    except ImportError:
        return  # the extra for notebooks is not installed
    # No folder to keep signatures in, or another process keeps one: they are shown, but plain.
    with suppress(OSError, sqlite3.Error):
        notary = NotebookNotary()
        for path in paths:
            if path.suffix == ".ipynb":
                notary.sign(nbformat.read(path, as_version=4))


def _said(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".ipynb":
        try:
            cells = json.loads(content)["cells"]
            content = json.dumps([[c["cell_type"], "".join(c["source"])] for c in cells]).encode()
        except (ValueError, KeyError, TypeError):
            pass  # not one any more: compared as it is
    return sha256(content).hexdigest()
