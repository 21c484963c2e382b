"""The files beside a data folder (its log, its lock), and what root reads of others' folders.

Root opens them by a name that another user may have given to a link, a pipe or a file of root's:
nothing is followed, truncated or given away, and what is not a plain file of the right user is
refused.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from invoicing.toolkit.postgres.errors import FolderNotWritableError, ServerBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from invoicing.toolkit.postgres.owner import Owner


def open_log(path: Path, owner: Owner) -> int:
    """Return the descriptor of `owner`'s log, made if need be, for its owner only.

    Raises:
        FolderNotWritableError: something else has its name.
    """
    return _open(path, owner.uid, owner.gid)


@contextmanager
def locked(path: Path, data_dir: Path, timeout: float) -> Iterator[None]:
    """Hold the lock file `path`, which nothing is written to.

    Raises:
        ServerBusyError: another process holds it for longer than `timeout` seconds.
        FolderNotWritableError: something that is no lock of ours has its name.
    """
    import fcntl

    home = path.parent.stat()
    # What root leaves in a user's folder must not keep that user out.
    lock = _open(path, home.st_uid, home.st_gid)
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServerBusyError(data_dir, path) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(lock)


@contextmanager
def shared(path: Path) -> Iterator[Callable[[], bool]]:
    """Share the lock file `path` with other users of something; yield what tells that none is left.

    Once that was true, others wait until the block ends. A process that is killed shares no longer.

    Raises:
        FolderNotWritableError: something that is no lock of ours has its name.
    """
    import fcntl

    home = path.parent.stat()
    lock = _open(path, home.st_uid, home.st_gid)

    def alone() -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield alone
    finally:
        os.close(lock)


def read_plain(path: Path, last: int | None = None) -> str:
    """Return the text of a plain file, or its `last` bytes; nothing waits, no link is followed.

    Raises:
        OSError: it cannot be read, or is no plain file.
    """
    # A user may link to what is that user's; what root reads, root would show.
    plain = os.O_NOFOLLOW if os.geteuid() == 0 else 0
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | plain)
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or (plain and found.st_nlink != 1):
            raise FileNotFoundError(errno.ENOENT, "no plain file", str(path))
        if last is not None:
            file.seek(max(0, found.st_size - last))
        return file.read(1024 * 1024).decode("utf-8", "replace")


def make_folder(path: Path, owner: Owner) -> None:
    """Make the empty folder `path` of `owner`'s, for its owner only.

    Raises:
        OSError: it cannot be made, or another has taken its place meanwhile.
    """
    path.mkdir(mode=0o700)
    made = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(made).st_uid != os.geteuid() or any(os.scandir(made)):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        os.fchmod(made, 0o700)
        if not owner.is_caller:
            os.fchown(made, owner.uid, owner.gid)
    finally:
        os.close(made)


def _open(path: Path, uid: int, gid: int) -> int:
    root = os.geteuid() == 0
    flags = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK
    if root:
        flags |= os.O_NOFOLLOW
    with suppress(FileExistsError):
        made = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        os.fchmod(made, 0o600)
        if root:
            os.fchown(made, uid, gid)
        return made
    try:
        opened = os.open(path, flags)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise FolderNotWritableError(path, "it is a symbolic link") from None
    found = os.fstat(opened)
    whose = uid if root else os.geteuid()
    if not stat.S_ISREG(found.st_mode) or (root and (found.st_uid != whose or found.st_nlink != 1)):
        os.close(opened)
        raise FolderNotWritableError(path, f"it is not a plain file of user {whose}")
    if found.st_uid == whose and found.st_mode & 0o177:
        os.fchmod(opened, 0o600)
    return opened
