"""What a load reads: the files, opened, each as the kind it is, with or without a mapping."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from invoicing.errors import UsageError
from invoicing.load.checking import Check, Problems, RowReading
from invoicing.load.errors import InputFileError
from invoicing.load.kinds import KINDS
from invoicing.load.source import Layout, open_source

if TYPE_CHECKING:
    from collections.abc import Mapping as Dictionary

    from invoicing.load.kinds import FileKind
    from invoicing.load.source import InputSource

# Lines of the second input of a kind begin here: more than any file has.
PART = 1 << 40
Repeats = Literal["none", "same", "first", "last"]


@dataclass
class Input:
    """A file, as one kind of rows.

    Attributes:
        part: counts the inputs of a kind.
        repeats: what several rows about one id mean.
        stamp: how the file was when it was opened.
    """

    kind: FileKind
    source: InputSource
    check: Check
    stamp: tuple[int, ...]
    part: int = 0
    repeats: Repeats = "none"
    inserted: int = 0
    updated: int = 0
    rejected: int = 0
    merged: int = 0

    @property
    def rows(self) -> int:
        """How many rows of its kind were read."""
        return self.check.rows - self.check.repeated - self.check.nothing - self.merged


@dataclass
class Inputs:
    """All that one load reads.

    Attributes:
        derived: whether amounts of invoices are what their lines add up to.
        unscaled: whether the server works out minor units of lines by their invoices' currency.
        mapped: whether lines know their currency.
        whole: whether an invoice is loaded with all of its lines or not at all: its amount, or the
            ids of its lines, would be others without those that were rejected.
    """

    files: list[Input]
    derived: bool = False
    unscaled: bool = False
    mapped: bool = False
    whole: bool = False
    rounding: str | None = None
    notes: list[str] = field(default_factory=list)

    def of(self, kind: FileKind) -> list[Input]:
        """Return the inputs of a kind."""
        return [input_ for input_ in self.files if input_.kind.name == kind.name]


def make_input(
    source: InputSource,
    kind: FileKind,
    problems: Problems,
    reading: RowReading | None = None,
    repeats: Repeats = "none",
) -> Input:
    """Return a file as an input of its kind."""
    part = reading.offset // PART if reading is not None else 0
    check = Check(source, kind, problems, reading)
    return Input(kind, source, check, stamp_of(source.path), part, repeats)


def open_inputs(
    paths: Dictionary[str, str | Path | None], problems: Problems, encoding: str | None
) -> Inputs:
    """Open files whose columns are named as ours are."""
    inputs = []
    for kind in KINDS:
        given = paths[kind.name]
        if given is not None:
            source = open_source(Path(given), kind, Layout(encoding=encoding))
            inputs.append(make_input(source, kind, problems))
    if not inputs:
        message = "there is nothing to load: name at least one file. Run: invoicing load --help"
        raise UsageError(message)
    return Inputs(inputs)


def refuse_as_rejects(inputs: Inputs, rejects: Path | None) -> None:
    """Refuse to write the rejects over a file to load.

    Raises:
        UsageError: they would replace it.
    """
    for input_ in inputs.files:
        if rejects is not None and rejects.exists() and rejects.samefile(input_.source.path):
            message = f"cannot write the rejects to {rejects}: it is a file to load"
            raise UsageError(message)


def stamp_of(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written to."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def refuse_changed(input_: Input) -> None:
    """Refuse a file that was written to meanwhile: its lines are no longer those checked."""
    try:
        changed = stamp_of(input_.source.path) != input_.stamp
    except OSError:
        changed = True
    if changed:
        raise InputFileError(input_.source.path, "it changed while it was being read")
