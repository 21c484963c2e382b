"""Files and folders for their owner's eyes only: modes 0600 and 0700, whatever the umask says."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO


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

    It is made under another name, so that no link at `path` is followed, and a file that was there
    stays until then.
    """
    unfinished = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(
            made, "w", encoding="utf-8", errors="surrogateescape", newline=newline
        ) as text:
            if hasattr(os, "fchmod"):
                os.fchmod(made, 0o600)
            yield text
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(content: str | bytes, path: Path) -> None:
    """Write a file that is never seen half written; one that was there stays until then."""
    make_private_folder(path.parent)
    with private_file(path) as file:
        if isinstance(content, bytes):
            file.buffer.write(content)
        else:
            file.write(content)
