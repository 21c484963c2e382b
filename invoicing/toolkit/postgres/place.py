"""Where root keeps a server: outside every home folder, where the server's own user may go.

The server's user cannot enter root's home, nor a private folder of root's, and is given no way
round that. So `/var/lib/invoicing` (root's, and no other user writes there) has a folder for each
home of the project, and copies of programs that the server's user could not reach.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.files import make_private_folder
from invoicing.toolkit.postgres.errors import DataFolderElsewhereError, FolderNotWritableError
from invoicing.toolkit.postgres.installation import Installation

if TYPE_CHECKING:
    from invoicing.toolkit.postgres.owner import Owner

ROOT = Path("/var/lib/invoicing")
# What the project keeps in its home; a folder with anything else in it is not ours alone.
_OURS = re.compile(r"postgres(\..*)?|reports|bench|logs?")


def folder_of(data_dir: Path, *, of_home: bool) -> Path:
    """Return where the data of the server on `data_dir` is kept: there, unless root keeps it.

    Args:
        data_dir: the name of the data folder, a link to root's place where that is used.
        of_home: whether a new one is to be kept in root's place.

    Raises:
        DataFolderElsewhereError: it is the link of another folder, which was moved, or copied.
    """
    if os.geteuid() != 0:
        return data_dir
    home = data_dir.parent
    folder = ROOT / f"{_slug(home)}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"
    kept = folder / data_dir.name
    if data_dir.is_symlink():
        found = data_dir.readlink()
        if found == kept:
            return kept
        if of_home or ROOT in found.parents:
            raise DataFolderElsewhereError(data_dir, found, kept)
        return data_dir
    # What is there was made by an earlier version, or by the user whose folder this is.
    return kept if of_home and not data_dir.exists() else data_dir


def prepare_home(data_dir: Path, folder: Path) -> None:
    """Make the home of `data_dir` for its owner only, with a link to `folder` if that is elsewhere.

    Raises:
        OSError: it cannot be made.
    """
    home = data_dir.parent
    elsewhere = folder != data_dir
    make_private_folder(home)
    if elsewhere:
        make_root_folder(folder.parent)
    found = home.stat()
    # An earlier version's data is in here, and the server's user has to get through to it.
    through = os.geteuid() == 0 and not elsewhere and data_dir.stat().st_uid != 0
    mode = 0o711 if through else 0o700
    ours = all(_OURS.fullmatch(path.name) for path in home.iterdir())
    if found.st_uid == os.geteuid() and ours and found.st_mode & 0o777 != mode:
        home.chmod(mode)
    if elsewhere and not data_dir.is_symlink():
        data_dir.symlink_to(folder)


def make_root_folder(folder: Path) -> None:
    """Make `folder` in root's own place, to be entered but not listed.

    Raises:
        FolderNotWritableError: another user could write there.
    """
    for path, mode in ((ROOT, 0o755), (folder, 0o711)):
        path.mkdir(mode=mode, exist_ok=True)
        found = path.lstat()
        if path.is_symlink() or found.st_uid != 0 or found.st_mode & 0o022:
            raise FolderNotWritableError(path, "it is not root's alone")
        path.chmod(mode)


def reachable(installation: Installation, owner: Owner) -> Installation:
    """Return `installation`, or a copy of it where `owner` cannot reach it.

    Raises:
        OSError: there is no room for the copy, or no permission to make it.
    """
    if owner.reaches(installation.bin_dir):
        return installation
    prefix = installation.bin_dir.parent
    program = Path(installation.program("postgres")).read_bytes()
    name = f"programs-{installation.version}-{hashlib.sha256(program).hexdigest()[:12]}"
    copy = ROOT / name / prefix.parent.name / prefix.name
    if not copy.exists():
        make_root_folder(ROOT)
        with tempfile.TemporaryDirectory(prefix=f"{name}.new-", dir=ROOT) as draft:
            whole = Path(draft, name)
            shutil.copytree(prefix, whole / copy.relative_to(ROOT / name), symlinks=True)
            # The libraries of a wheel lie beside its package.
            libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, whole / libraries.name)
            subprocess.run(["/bin/chmod", "-R", "a+rX,go-w", whole], check=True)
            if not copy.exists():
                whole.rename(ROOT / name)
    return Installation(copy / installation.bin_dir.name)


def _slug(home: Path) -> str:
    project = home.parent.name if home.name == ".invoicing" else home.name
    return re.sub(r"[^A-Za-z0-9]+", "-", project).strip("-")[:20] or "home"
