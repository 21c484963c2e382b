"""A text file that may be gzip, in UTF-8 unless another encoding is named."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO, TYPE_CHECKING

from invoicing.load.errors import InputFileError

if TYPE_CHECKING:
    from pathlib import Path

_GZIP = b"\x1f\x8b"
# What goes wrong while a file is read, beside its content.
READ_ERRORS = (OSError, EOFError, zlib.error)


def open_text(path: Path, encoding: str | None = None) -> IO[str]:
    """Open a file as text; bytes that are not of its encoding are a matter of their row.

    Raises:
        InputFileError: it cannot be opened.
    """
    try:
        file: io.BufferedReader | gzip.GzipFile = path.open("rb")
        if file.peek(2)[:2] == _GZIP:
            file.close()
            file = gzip.GzipFile(path)
    except OSError as error:
        raise InputFileError(path, error.strerror or str(error)) from None
    name = encoding or "utf-8"
    if name.lower().replace("_", "-") in {"utf-8", "utf8"}:
        name = "utf-8-sig"
    return io.TextIOWrapper(file, name, errors="surrogateescape", newline="")
