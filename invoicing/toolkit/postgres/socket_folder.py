"""The folder of the server's Unix socket: short, private and always the same for a data folder.

The server trusts whoever reaches its socket, so no other user may: the folder is its owner's alone
(mode 0700), and one that another user has put in its place is refused.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.postgres.errors import SocketFolderError

if TYPE_CHECKING:
    from invoicing.toolkit.postgres.owner import Owner

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the end mark included.
_MAX_PATH = 103
_PREFIX = "invoicing-"


def socket_path(folder: Path, port: int) -> Path:
    """Return the path of the socket that a server on `port` makes in `folder`."""
    return folder / f".s.PGSQL.{port}"


def folder_name(data_dir: Path, uid: int | str) -> str:
    """Return the name of the folder for the socket of `uid`'s server on `data_dir`."""
    return f"{_PREFIX}{uid}-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]}"


def make_socket_folder(data_dir: Path, owner: Owner) -> Path:
    """Return the private folder for the socket of the server on `data_dir`, made if need be.

    Raises:
        SocketFolderError: another user has taken its name, or no short enough folder is there.
    """
    name = folder_name(data_dir, owner.uid)
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 -- made private below
        folder = parent / name
        short = len(os.fsencode(socket_path(folder, 65535))) <= _MAX_PATH
        if short and parent.is_dir() and owner.reaches(parent) and _make_private(folder, owner):
            return folder
    raise SocketFolderError(
        Path(tempfile.gettempdir()) / name,
        "no folder for it can be written, or its path is too long for a socket",
    )


def remove_socket_folder(folder: Path, owner: Owner) -> None:
    """Remove the folder of `owner`'s server that has ended, unless it is not empty."""
    if folder.name.startswith(_PREFIX):
        with suppress(OSError):
            owner.sh('rmdir -- "$1"', folder)


def _make_private(folder: Path, owner: Owner) -> bool:
    if not os.path.lexists(folder):
        try:
            owner.sh('mkdir -m 700 -- "$1"', folder)
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                return False  # a temporary folder of the caller's own
            if error.errno != errno.EEXIST:
                raise SocketFolderError(folder, error.strerror or str(error)) from error
    found = folder.lstat()  # not stat: a link leads where its maker likes
    if not stat.S_ISDIR(found.st_mode):
        raise SocketFolderError(folder, "something that is no folder has its name")
    if found.st_uid != owner.uid:
        raise SocketFolderError(folder, f"it belongs to user {found.st_uid}, not to {owner.name}")
    if found.st_mode & 0o077:
        owner.sh('chmod 700 -- "$1"', folder)
    return True
