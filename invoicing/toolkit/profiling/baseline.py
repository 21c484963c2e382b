"""A baseline: the findings that an old code base begins with, so that new ones stand out.

An entry names the place by file, function and the text of the line, not by the line's number: what
is added above it does not disturb it, and what changes the line is looked at anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from invoicing.files import write_whole
from invoicing.toolkit.profiling.errors import QueryBaselineError, QueryBaselineVersionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.profiling.findings.finding import Finding

VERSION = 1


class BaselineEntry(NamedTuple):
    """What makes two findings the same, whenever they are found.

    Attributes:
        path: the file, from the project's root; as it is outside of it.
        function: the qualified name of the function that the line stands in.
        source: the text of the line.
        slug: the kind of finding.
        relationship: `Model.attribute`, for a finding of one; else empty.
    """

    path: str
    function: str
    source: str
    slug: str
    relationship: str

    def __str__(self) -> str:
        of = f" of {self.relationship}" if self.relationship else ""
        return f"{self.path or '(no line of your own)'}: {self.slug}{of} in {self.function}"


@dataclass(frozen=True)
class Baseline:
    """The findings that are known.

    Attributes:
        path: the file they stand in.
        entries: the findings.
    """

    path: Path
    entries: frozenset[BaselineEntry]

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read a baseline.

        Raises:
            QueryBaselineError: the file is not there, or is no baseline.
            QueryBaselineVersionError: another version of this package wrote it.
        """
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            version = held["version"]
            rows = held["findings"] if version == VERSION else []
            entries = frozenset(map(_entry, rows))
        except FileNotFoundError:
            raise QueryBaselineError(str(path), "there is no such file") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise QueryBaselineError(str(path), f"{type(error).__name__}: {error}") from None
        if version != VERSION:
            raise QueryBaselineVersionError(str(path), version, VERSION)
        return cls(path, entries)

    def stale(self, met: Iterable[BaselineEntry]) -> list[BaselineEntry]:
        """Return the entries that were not found any more."""
        return sorted(self.entries.difference(met))


def _entry(row: dict[str, str]) -> BaselineEntry:
    entry = BaselineEntry(*(row[name] for name in BaselineEntry._fields))
    if not all(isinstance(part, str) for part in entry):
        raise TypeError(f"an entry holds something else than text: {row}")
    return entry


def write_baseline(path: Path, entries: Iterable[BaselineEntry]) -> None:
    """Write a baseline of these findings, sorted, so that two of them can be compared by diff."""
    rows = [entry._asdict() for entry in sorted(set(entries))]
    write_whole(json.dumps({"version": VERSION, "findings": rows}, indent=1) + "\n", path)


def entry_of(finding: Finding, root: Path) -> BaselineEntry:
    """Return what a baseline says of a finding."""
    caller = finding.caller
    if caller is None:
        return BaselineEntry("", "", "", finding.slug, finding.relationship or "")
    path = Path(caller.file)
    inside = path.is_relative_to(root)
    name = path.relative_to(root).as_posix() if inside else path.as_posix()
    relationship = finding.relationship or ""
    return BaselineEntry(name, caller.function, caller.source, finding.slug, relationship)
