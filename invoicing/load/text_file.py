"""A text file that may be gzip, in UTF-8 unless another encoding is named."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from typing import IO, TYPE_CHECKING

from invoicing.load.errors import InputFileError

if TYPE_CHECKING:
    from pathlib import Path

_GZIP = b"\x1f\x8b"
# What says at the start of the file which of two it is.
_MARKS = (
    ("utf-16", codecs.BOM_UTF16_LE),
    ("utf-16", codecs.BOM_UTF16_BE),
    ("utf-32", codecs.BOM_UTF32_LE),
    ("utf-32", codecs.BOM_UTF32_BE),
)
# What goes wrong while a file is read, beside its rows; the last where it ends in half a character.
READ_ERRORS = (OSError, EOFError, zlib.error, UnicodeError)


def open_text(path: Path, encoding: str | None = None) -> IO[str]:
    """Open a file as text; bytes that are not of its encoding are a matter of their row.

    Raises:
        InputFileError: it cannot be opened, or has no byte order mark where its encoding needs one.
    """
    name = codecs.lookup(encoding or "utf-8").name
    try:
        file: io.BufferedReader | gzip.GzipFile = path.open("rb")
        if file.peek(2)[:2] == _GZIP:
            file.close()
            file = gzip.GzipFile(path)
        start = file.peek(4)
        if any(start.startswith(mark) and name.startswith(of) for of, mark in _MARKS):
            name = name[:6]  # which it is the mark says
        elif name in dict(_MARKS):
            file.close()
            reason = (
                f"it has no byte order mark at its start, by which {name} is read. Name which it "
                f"is: --encoding {name}-le (as Windows writes it) or {name}-be"
            )
            raise InputFileError(path, reason)
    except READ_ERRORS as error:
        raise InputFileError(path, getattr(error, "strerror", None) or str(error)) from None
    if name == "utf-8":
        name = "utf-8-sig"
    return io.TextIOWrapper(file, name, errors="surrogateescape", newline="")
