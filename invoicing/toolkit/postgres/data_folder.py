"""A server's data folder: made all at once or not at all, and checked before each start."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.postgres.beside import make_folder, read_plain
from invoicing.toolkit.postgres.configuration import FILE
from invoicing.toolkit.postgres.errors import (
    DataFolderDamagedError,
    DataFolderVersionError,
    DiskFullError,
    FolderNotWritableError,
    InitdbError,
)
from invoicing.toolkit.postgres.processes import end_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from invoicing.toolkit.postgres.installation import Installation
    from invoicing.toolkit.postgres.owner import Owner

SUPERUSER = "postgres"
# Empties a folder, whose own place is its parent's owner's to give.
# The version that brought locales of the server's own.
_BUILTIN_LOCALES = 17
_EMPTY = 'cd "$1"; find . -mindepth 1 -delete'
_FAILURES = ("error:", "ERROR: ", "FATAL: ", "PANIC: ")


def make_parent(data_dir: Path) -> None:
    """Make the folder that `data_dir` is to lie in.

    Raises:
        FolderNotWritableError: this user may not write there.
        DiskFullError: the disk has no room for it.
    """
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_error(data_dir.parent, error) from error
    if not os.access(data_dir.parent, os.W_OK | os.X_OK):
        raise FolderNotWritableError(data_dir.parent)


def folder_error(folder: Path, error: OSError) -> Exception:
    """Return the error of ours that says what `error` means for `folder`."""
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return FolderNotWritableError(folder, error.strerror)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(folder)
    return error


def initialise(
    data_dir: Path, installation: Installation, owner: Owner, *, database: str, sync: bool
) -> None:
    """Make `data_dir` with an empty `database`.

    Everything is made in a sibling that takes the name at the end, so that whoever is killed on
    the way leaves no half of a data folder, and the next one starts again.

    Raises:
        DiskFullError: the disk has no room for it.
        InitdbError: initdb failed for another reason; its last line is quoted.
    """
    with _draft(data_dir, owner) as draft:
        run_program(installation, owner, draft, _initdb(installation, draft, sync=sync))
        include = f"\ninclude_if_exists = '{FILE}'\n"
        owner.sh('cat >>"$1"', draft / "postgresql.conf", text=include)
        if database != SUPERUSER:
            _create_database(installation, owner, draft, database)


def copy_running(data_dir: Path, installation: Installation, owner: Owner, source: str) -> None:
    """Make `data_dir` a copy of the running server at the connection string `source`.

    A server on it follows `source` as a hot standby.

    Raises:
        DiskFullError: the disk has no room for it.
        InitdbError: pg_basebackup failed for another reason; its first complaint is quoted.
    """
    with _draft(data_dir, owner) as draft:
        command = [installation.program("pg_basebackup"), "--pgdata", str(draft)]
        command += ["--dbname", source, "--checkpoint=fast", "--write-recovery-conf"]
        run_program(installation, owner, draft, [*command, "--no-sync"])


def check(data_dir: Path, installation: Installation) -> None:
    """Refuse a data folder that this PostgreSQL cannot serve.

    Raises:
        DataFolderVersionError: another major version made it.
        DataFolderDamagedError: a part without which it is none is missing.
    """
    try:
        made_by = read_plain(data_dir / "PG_VERSION").strip()
    except OSError:
        raise DataFolderDamagedError(data_dir, "PG_VERSION") from None
    if made_by != str(installation.major):
        raise DataFolderVersionError(data_dir, made_by, installation.version)
    for part in ("global/pg_control", "postgresql.conf", "pg_hba.conf"):
        if not (data_dir / part).is_file():
            raise DataFolderDamagedError(data_dir, part)


def discard_empty(data_dir: Path) -> None:
    """Remove `data_dir` if it is empty: only the folder was made."""
    with suppress(OSError):
        data_dir.rmdir()


def check_is_one(data_dir: Path) -> None:
    """Refuse to delete what does not look like a data folder.

    Raises:
        DataFolderDamagedError: it does not, so its files are kept.
    """
    if not any((data_dir / part).exists() for part in ("PG_VERSION", "base", "pg_wal")):
        raise DataFolderDamagedError(data_dir, "PG_VERSION")


def remove(data_dir: Path, owner: Owner) -> None:
    """Delete `data_dir` and everything in it, as its owner."""
    try:
        owner.sh(_EMPTY, data_dir)
        data_dir.rmdir()
    except OSError as error:
        raise folder_error(data_dir, error) from error


def size(data_dir: Path) -> int:
    """Return the bytes that the files in `data_dir` take; a running server may remove some."""
    total = 0
    for folder, _, names in os.walk(data_dir):
        for name in names:
            try:
                total += Path(folder, name).lstat().st_size
            except OSError:
                continue
    return total


def run_program(
    installation: Installation,
    owner: Owner,
    data_dir: Path,
    command: Sequence[str],
    text: str = "",
) -> None:
    """Run one of PostgreSQL's programs on `data_dir` as `owner`, with `text` as its input.

    Raises:
        DiskFullError: the disk has no room for what it writes.
        InitdbError: it failed for another reason; its first complaint is quoted.
    """
    full, keywords = owner.command(command, (installation.bin_dir, data_dir))
    done = subprocess.run(
        full,
        input=text,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=installation.bin_dir,
        check=False,
        **keywords,
    )
    lines = done.stderr.splitlines()
    # A single-user server ends with code 0 whatever became of its statement.
    failures = [line for line in lines if any(mark in line for mark in _FAILURES)]
    if done.returncode or failures:
        if "No space left on device" in done.stderr:
            raise DiskFullError(data_dir.parent)
        said = (failures or lines[-1:] or [f"exit code {done.returncode}"])[0]
        raise InitdbError(data_dir.parent, Path(command[0]).name, said.strip())


@contextmanager
def _draft(data_dir: Path, owner: Owner) -> Iterator[Path]:
    """Yield a sibling that becomes `data_dir` at the end of the block, unless it raises."""
    _clear_drafts(data_dir, owner)
    # A name of its own: the initdb of a killed starter works on until it notices.
    draft = data_dir.with_name(f"{data_dir.name}.new-{secrets.token_hex(4)}")
    try:
        make_folder(draft, owner)
        yield draft
        draft.rename(data_dir)
    except OSError as error:
        raise folder_error(data_dir.parent, error) from error
    finally:
        _discard(draft, owner)


def _clear_drafts(data_dir: Path, owner: Owner) -> None:
    for draft in data_dir.parent.glob(f"{glob.escape(data_dir.name)}.new-*"):
        # An initdb starts servers of its own, one after another: look again until none is left.
        while end_orphans(draft, patience=0):
            pass
        _discard(draft, owner)


def _discard(draft: Path, owner: Owner) -> None:
    with suppress(OSError):
        owner.sh(_EMPTY, draft)
    with suppress(OSError):
        draft.rmdir()


def _initdb(installation: Installation, data_dir: Path, *, sync: bool) -> list[str]:
    command = [installation.program("initdb"), "--pgdata", str(data_dir)]
    command += ["--username", SUPERUSER, "--encoding", "UTF8", "--no-instructions"]
    # Trust is for those who reach the socket, and its folder is closed to everybody else.
    command += ["--auth", "trust", "--data-checksums", *_locale(installation.major)]
    return command if sync else [*command, "--no-sync"]


def _locale(major: int) -> list[str]:
    # The same order on every machine: the C library's locales differ between systems.
    if major >= _BUILTIN_LOCALES:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C", "--lc-ctype=C.UTF-8" if sys.platform == "linux" else "--lc-ctype=C"]


def _create_database(
    installation: Installation, owner: Owner, data_dir: Path, database: str
) -> None:
    # A server of one process for one statement: the folder is complete before anybody sees it.
    command = [installation.program("postgres"), "--single", "-j", "-D", str(data_dir), SUPERUSER]
    quoted = database.replace('"', '""')
    run_program(installation, owner, data_dir, command, f'CREATE DATABASE "{quoted}";\n\n')
