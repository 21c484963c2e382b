"""Where a command may write: asked before its work, which may take long."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, TypeAlias, TypeVar

import typer

from invoicing.errors import UsageError
from invoicing.files import is_written_in_place, real_file

FilePath = TypeVar("FilePath", Path, Path | None, str | None)


def writable(place: FilePath) -> FilePath:
    """Return the place of a file, when a file can be written there; nothing is made yet.

    Args:
        place: a path, whose folders may be missing; None, or - for standard output, is returned as
            it is.

    Raises:
        UsageError: no file can be written there.
    """
    if place is None or str(place) == "-":
        return place
    path: Path = Path(place)
    if path.is_dir():
        raise _refused(path, "it is a folder")
    try:
        file: Path = real_file(path)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    there = next(parent for parent in (file, *file.absolute().parents) if parent.exists())
    if there != file and not there.is_dir():
        raise _refused(path, f"{there} is not a folder")
    if not os.access(there, os.W_OK):
        raise _refused(path, f"{there} may not be written to")
    if not is_written_in_place(path):
        _try(path, there if there.is_dir() else there.parent)
    return place


WriteBaseline: TypeAlias = Annotated[
    Path | None,
    typer.Option("--write-baseline", callback=writable, help="Write the findings to this file."),
]


def _try(path: Path, folder: Path) -> None:
    # What the permissions say is not all: a file system may be read-only, or take no files.
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _refused(path, f"{folder} takes no new file ({error.strerror})") from None


def _refused(path: Path, reason: str) -> UsageError:
    message = f"cannot write {path}: {reason}. Nothing was done. Name another file"
    return UsageError(message)
