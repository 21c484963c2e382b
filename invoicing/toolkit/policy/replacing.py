"""Write a file whole, or leave the one that is there."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Give a file this content; its mode and its owner stay, and a link to it stays a link.

    What is no file, such as a device, is written to as it is.

    Raises:
        OSError: it cannot be written, up to its last byte; the error has its name.
    """
    path = path.resolve()
    unfinished = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        with unfinished.open("xb") as file:
            file.write(content)
        if path.exists():
            status = path.stat()
            shutil.copymode(path, unfinished)
            with suppress(OSError, AttributeError):  # only root may give it back to its owner
                os.chown(unfinished, status.st_uid, status.st_gid)
        unfinished.replace(path)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        unfinished.unlink(missing_ok=True)
