"""Files and folders for their owner's eyes only: modes 0600 and 0700, whatever the umask says."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

_OWN_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_MOST_LINKS = 40


def make_private_folder(folder: Path) -> None:
    """Make `folder`, and those it lies in, for its owner only; one that is there stays as it is."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
    if not folder.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(folder))


@contextmanager
def private_file(path: Path, *, newline: str | None = None) -> Iterator[TextIO]:
    """Yield a text file that takes the name `path`, whole, when the block ends without an error.

    It is made under another name, and a file that was there stays until then. A link is kept, and
    what it leads to replaced. What is no file (a device, a pipe) is written to as it is.

    Raises:
        OSError: it cannot be written, up to its last byte; also what the block raised.
    """
    made = _open_as_it_is(path)
    unfinished = None
    if made is None:
        path = real_file(path)
        unfinished = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
        made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(
            made, "w", encoding="utf-8", errors="surrogateescape", newline=newline
        ) as text:
            if unfinished is not None and hasattr(os, "fchmod"):
                os.fchmod(made, 0o600)
            yield text
        if unfinished is not None:
            unfinished.replace(path)
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def is_written_in_place(path: Path) -> bool:
    """Tell whether there is something at `path` that no file may replace: a device, a pipe."""
    if _own_descriptor(path) is not None:
        return True
    return path.exists() and not (path.is_file() or path.is_dir())


def real_file(path: Path) -> Path:
    """Return the file that `path` leads to, which need not be there.

    Raises:
        PermissionError: it is a link that another user has put where everyone may: whoever follows
            it overwrites a file of the other's choice.
    """
    if not path.is_symlink():
        return path
    link, folder = path.lstat(), path.parent.stat()
    shared = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
    if shared and link.st_uid not in {os.geteuid(), folder.st_uid}:
        raise PermissionError(errno.EACCES, "it is another user's link", str(path))
    return path.resolve()


def _open_as_it_is(path: Path) -> int | None:
    """Return a descriptor of a device or a pipe; None where a file is to be made."""
    if not is_written_in_place(path):
        return None
    own = _own_descriptor(path)
    if own is not None:
        # Opened by its name, the file behind it would be emptied.
        return os.dup(own)
    try:
        # Without O_NONBLOCK a pipe that is not read from would be waited for, without a word.
        opened = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise OSError(errno.ENXIO, "no program reads from it", str(path)) from None
    os.set_blocking(opened, True)
    return opened


def _own_descriptor(path: Path) -> int | None:
    """Return the number of a descriptor of this process that a path names, as /dev/stdout does."""
    for _ in range(_MOST_LINKS):
        match = _OWN_DESCRIPTOR.fullmatch(str(path))
        if match is not None:
            return int(match[1])
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return None


def write_whole(content: str | bytes, path: Path) -> None:
    """Write a file that is never seen half written; one that was there stays until then.

    What is no file (a device, a pipe) is written to as it is.

    Raises:
        OSError: it cannot be written, up to its last byte; the error has its name.
    """
    make_private_folder(path.parent)
    try:
        with private_file(path) as file:
            if isinstance(content, bytes):
                file.buffer.write(content)
            else:
                file.write(content)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
