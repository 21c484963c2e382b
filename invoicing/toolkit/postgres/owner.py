"""The user the server runs as, and how to run a program as that user.

PostgreSQL refuses to run as root, so root runs it as the owner of the data folder, or for a new one
as `postgres` or `nobody`: without capabilities, without root's groups, and with no way to gain any.
What that user could have placed there (a link, another file's name) must not become root's deed:
all that is done in its folder is done as that user (`sh`, `signal`).
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.postgres.errors import DataFolderOwnerError, UnprivilegedUserError

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence
    from pathlib import Path

_KEPT = ("PATH", "LD_LIBRARY_PATH", "TZ")
_CANDIDATES = ("postgres", "nobody")
_CONFINED = (
    "--clear-groups",
    "--inh-caps=-all",
    "--ambient-caps=-all",
    "--bounding-set=-all",
    "--no-new-privs",
)
_TROUBLES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST)


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

    def command(
        self, command: Sequence[str], paths: Sequence[Path] = ()
    ) -> tuple[list[str], dict[str, Any]]:
        """Return a command that runs `command` as this user, and the keywords of Popen it needs.

        Args:
            command: the program and its arguments.
            paths: what the program must reach.

        Raises:
            UnprivilegedUserError: the user cannot reach one of `paths`.
        """
        keywords: dict[str, Any] = {"env": _environment()}
        if self.is_caller:
            return list(command), keywords
        unreachable = next((path for path in paths if not self.reaches(path)), None)
        if unreachable is not None:
            raise UnprivilegedUserError(self.name, unreachable)
        prefix = _confined(self.uid, self.gid)
        if prefix:
            return [*prefix, *command], keywords
        keywords |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return list(command), keywords

    def reaches(self, path: Path) -> bool:
        """Tell whether this user can enter or run `path` as things are."""
        # Asked of the kernel as that user: mode bits alone would not know of access lists.
        return self.is_caller or self._run('test -x "$1"', path).returncode == 0

    def sh(self, script: str, *arguments: object, text: str = "") -> None:
        """Run a shell's `script` as this user; its files are for this user only.

        Raises:
            OSError: it failed; the number is that of the first reason it gave.
        """
        done = self._run(f"set -e; umask 077; {script}", *arguments, text=text)
        if done.returncode:
            number = next((n for n in _TROUBLES if os.strerror(n) in done.stderr), errno.EACCES)
            raise OSError(number, os.strerror(number), str(arguments[0]))

    def signal(self, pid: int, number: signal.Signals | int) -> None:
        """Send a signal as this user, who cannot reach another's process; no error if it ended."""
        if self.is_caller:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        else:
            self._run('kill -s "$1" "$2"', int(number), pid)

    def _run(
        self, script: str, *arguments: object, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        full, keywords = self.command(["/bin/sh", "-c", script, "sh", *map(str, arguments)])
        return subprocess.run(
            full,
            input=text,
            text=True,
            errors="surrogateescape",
            capture_output=True,
            check=False,
            cwd="/",
            **keywords,
        )


def server_owner(data_dir: Path) -> Owner:
    """Return the user a server on `data_dir` runs as.

    Raises:
        DataFolderOwnerError: the folder is another user's, or root's own, or what another user has
            put in its place.
        UnprivilegedUserError: we are root, and the machine has no other user to run it as.
    """
    caller = os.geteuid()
    if data_dir.exists():
        uid = data_dir.stat().st_uid
        linked_by = data_dir.lstat().st_uid
        if uid == 0 or caller not in {0, uid} or linked_by not in {0, uid, caller}:
            raise DataFolderOwnerError(data_dir, of_uid(uid).name, of_uid(caller).name)
        return of_uid(uid)
    return _unprivileged() if caller == 0 else of_uid(caller)


def of_uid(uid: int) -> Owner:
    """Return the user of a number."""
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # containers run as numbers that have no name
        return Owner(uid, os.getegid() if uid == os.geteuid() else uid, str(uid))
    return Owner(uid, entry.pw_gid, entry.pw_name)


def _environment() -> dict[str, str]:
    """Return what a program of PostgreSQL's is given: its user, and SQL, can read all of it."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"LC_ALL": "C"}


@cache
def _confined(uid: int, gid: int) -> tuple[str, ...]:
    """Return what runs a command as a user who cannot gain anything; empty where there is none."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    prefix = (setpriv, f"--reuid={uid}", f"--regid={gid}", *_CONFINED)
    works = subprocess.run(
        [*prefix, "/bin/sh", "-c", ":"], check=False, capture_output=True, env=_environment()
    )
    return prefix if works.returncode == 0 else ()


def _unprivileged() -> Owner:
    import pwd

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
    if subprocess.run(command, check=False, capture_output=True).returncode:
        raise UnprivilegedUserError("postgres", None)
    return of_uid(pwd.getpwnam("postgres").pw_uid)
