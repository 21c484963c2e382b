"""What earlier checks have read and found, in a folder of the project: `.invoicing_cache`.

An entry counts only if it is signed by this person's own key, which lies outside of every project.
What is corrupt, comes with a clone, or was written by another person is as good as missing; a
folder that cannot be written only costs the time that it would have saved.
"""

from __future__ import annotations

import hmac
import os
import pickle
import secrets
import sys
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

FOLDER = ".invoicing_cache"
# https://bford.info/cachedir/: what makes backups leave it out.
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Written by: invoicing policy check\n"
SIZE = 32
# So many entries are kept: each set of files that is checked together has its own.
KEPT = 40


def digest(*parts: bytes | str) -> str:
    """Return what stands for these texts, and for no others."""
    whole = blake2b(digest_size=SIZE)
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode(errors="surrogatepass")
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()


@cache
def tool() -> str:
    """Return what stands for this version of the gate, its rules, and the Python that runs it."""
    package = Path(__file__).parent
    sources = sorted(package.rglob("*.py"))
    texts = (part for file in sources for part in (str(file), file.read_bytes()))
    return digest(sys.version, sys.implementation.name, *texts)


class Cache(NamedTuple):
    """An open cache.

    Attributes:
        folder: where its entries are.
        key: what signs them.
    """

    folder: Path
    key: bytes

    def read(self, name: str) -> object:
        """Return an entry; None where there is none that can be trusted."""
        try:
            content = (self.folder / name).read_bytes()
            signature, data = content[:SIZE], content[SIZE:]
            if hmac.compare_digest(signature, self._signature(name, data)):
                entry: object = pickle.loads(data)  # noqa: S301 -- signed by ourselves
                return entry
        except Exception:  # noqa: BLE001 -- then it is as good as missing
            return None
        return None

    def write(self, name: str, entry: object) -> None:
        """Keep an entry: all of it or, where that cannot be done, nothing."""
        data = pickle.dumps(entry, pickle.HIGHEST_PROTOCOL)
        written = self.folder / f"{name}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            written.write_bytes(self._signature(name, data) + data)
            written.replace(self.folder / name)
            self._prune()
        except OSError:
            with suppress(OSError):
                written.unlink(missing_ok=True)

    def _signature(self, name: str, data: bytes) -> bytes:
        return blake2b(name.encode() + b"\0" + data, key=self.key, digest_size=SIZE).digest()

    def _prune(self) -> None:
        entries = sorted(self.folder.iterdir(), key=lambda file: -file.stat().st_mtime)
        for old in entries[KEPT:]:
            old.unlink(missing_ok=True)


def open_cache(folder: Path) -> Cache | None:
    """Open a cache; None where it cannot be written, or no key can be kept.

    Args:
        folder: made if it is missing, with what keeps it out of git and of backups.
    """
    try:
        key = _own_key(_home() / "invoicing" / "policy.key")
        # A link may lead anywhere.
        if key is None or folder.is_symlink() or (folder / "policy").is_symlink():
            return None
        if not folder.is_dir():
            folder.mkdir(parents=True)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
            (folder / "CACHEDIR.TAG").write_text(TAG, encoding="utf-8")
        entries = folder / "policy"
        entries.mkdir(exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return Cache(entries, key) if os.access(entries, os.W_OK) else None


def _home() -> Path:
    given = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or ""
    return Path(given) if Path(given).is_absolute() else Path.home() / ".cache"


def _own_key(path: Path) -> bytes | None:
    """Return this person's key, made where there is none; None where others can read it."""
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True)
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
    status = path.stat()
    is_own = os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)
    key = path.read_bytes()
    return key if is_own and len(key) == SIZE else None
