"""The user the server runs as, and how to run a program as that user.

PostgreSQL refuses to run as root, so root runs it as the owner of the data folder, or for a new one
as `postgres` or `nobody`. Nobody's permissions are changed for it: where that user cannot reach the
programs or the data (a checkout in root's own home folder), the server gets the one capability
that lets it pass, CAP_DAC_OVERRIDE. It then reaches what root reaches, which only root can ask it
to do: the socket's folder is closed to all others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invoicing.errors import DataFolderOwnerError, UnprivilegedUserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_CANDIDATES = ("postgres", "nobody")
# access(2) asks with the capabilities of a real user id that is not root, which are none, unless
# the no_setuid_fixup bit says that user ids and capabilities have nothing to do with each other.
_SETPRIV = (
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    "--securebits=+no_setuid_fixup",
)


@dataclass(frozen=True)
class Owner:
    """A user that PostgreSQL's programs run as.

    Attributes:
        uid: the user.
        gid: its group.
        name: its name, for messages.
    """

    uid: int
    gid: int
    name: str

    @property
    def is_caller(self) -> bool:
        """Whether this process runs as that user already."""
        return self.uid == os.geteuid()

    def take(self, path: Path) -> None:
        """Make `path` this user's."""
        if not self.is_caller:
            os.chown(path, self.uid, self.gid)

    def command(
        self, command: Sequence[str], paths: Sequence[Path]
    ) -> tuple[list[str], dict[str, Any]]:
        """Return a command that runs `command` as this user, and the keywords of Popen it needs.

        Args:
            command: the program and its arguments.
            paths: what the program must reach.

        Raises:
            UnprivilegedUserError: the user cannot reach one of `paths`, and cannot be enabled to.
        """
        if self.is_caller:
            return list(command), {}
        unreachable = next((path for path in paths if not self.reaches(path)), None)
        if unreachable is None:
            return list(command), {"user": self.uid, "group": self.gid, "extra_groups": []}
        prefix = self._enabled()
        if subprocess.run([*prefix, "test", "-x", unreachable], check=False).returncode:  # noqa: S603
            raise UnprivilegedUserError(self.name, unreachable)
        return [*prefix, *command], {}

    def reaches(self, path: Path) -> bool:
        """Tell whether this user can enter or run `path` as things are."""
        if self.is_caller:
            return True
        # Asked of the kernel as that user: mode bits alone would not know of access lists.
        test = subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", 'test -x "$1"', "sh", path],
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd="/",
            check=False,
        )
        return test.returncode == 0

    def _enabled(self) -> list[str]:
        setpriv = shutil.which("setpriv") or "setpriv"
        return [setpriv, f"--reuid={self.uid}", f"--regid={self.gid}", *_SETPRIV]


def server_owner(data_dir: Path) -> Owner:
    """Return the user a server on `data_dir` runs as.

    Raises:
        DataFolderOwnerError: the folder is somebody else's, or root's own.
        UnprivilegedUserError: we are root, and the machine has no other user to run it as.
    """
    caller = os.geteuid()
    if data_dir.exists():
        uid = data_dir.stat().st_uid
        if uid == 0 or caller not in {0, uid}:
            raise DataFolderOwnerError(data_dir, _of_uid(uid).name, _of_uid(caller).name)
        return _of_uid(uid)
    return _unprivileged() if caller == 0 else _of_uid(caller)


def _of_uid(uid: int) -> Owner:
    import pwd  # noqa: PLC0415 -- not on Windows, where DATABASE_URL has to work all the same

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # containers run as numbers that have no name
        return Owner(uid, os.getegid() if uid == os.geteuid() else uid, str(uid))
    return Owner(uid, entry.pw_gid, entry.pw_name)


def _unprivileged() -> Owner:
    import pwd  # noqa: PLC0415 -- see above

    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(entry.pw_uid, entry.pw_gid, name)
    useradd = shutil.which("useradd")
    if useradd is None:
        raise UnprivilegedUserError("postgres", None)
    command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "postgres"]
    if subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603
        raise UnprivilegedUserError("postgres", None)
    return _of_uid(pwd.getpwnam("postgres").pw_uid)
