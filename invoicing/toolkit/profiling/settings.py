"""What a project says of the profiler: which kinds fail, which warn, from which size on.

    [tool.invoicing.profile]                 # pyproject.toml
    fail_on = ["n-plus-one"]
    warn_on = ["over-fetch", "missing-limit"]
    baseline = "queries-baseline.json"
    every_test = true
    thresholds = { many = 20 }

In setup.cfg, tox.ini or pytest.ini the section is `[invoicing:profile]`, lists are separated by
commas or lines, and thresholds are written `many=20`.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from invoicing.errors import UsageError
from invoicing.toolkit.profiling.errors import ProfileSettingsError, UnknownFindingError
from invoicing.toolkit.profiling.findings.registry import SLUGS
from invoicing.toolkit.profiling.findings.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from invoicing.toolkit.profiling.findings.finding import Finding

ALL = "all"
INI_SECTION = "invoicing:profile"
INI_FILES = ("pytest.ini", "tox.ini", "setup.cfg")
_LISTS = ("fail_on", "warn_on", "allow")
_KEYS = (*_LISTS, "thresholds", "baseline", "every_test")
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True)
class ProfileSettings:
    """The settings of a project.

    Attributes:
        root: the folder they were read in; paths begin from it.
        fail_on: slugs that fail a test or a program.
        warn_on: slugs that are only reported.
        allow: slugs that are left out.
        thresholds: from which size on something is a finding.
        baseline: the file of the findings that are known.
        every_test: whether every test runs under the profiler, with or without a marker.
    """

    root: Path
    fail_on: frozenset[str] = frozenset(SLUGS)
    warn_on: frozenset[str] = frozenset()
    allow: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    baseline: Path | None = None
    every_test: bool = False

    def failing(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those of kinds that fail."""
        return [finding for finding in findings if finding.slug in self.fail_on]

    def warning(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those of kinds that are only reported."""
        return [finding for finding in findings if finding.slug in self.warn_on]


def read_settings(root: Path) -> ProfileSettings:
    """Read the settings of the project at `root`; without any, every kind fails.

    Raises:
        ProfileSettingsError: something in them is invalid.
    """
    for name, table in _tables(root):
        if table is not None:
            return _settings(root, name, table)
    return ProfileSettings(root)


def _tables(root: Path) -> Iterable[tuple[str, dict[str, Any] | None]]:
    project = root / "pyproject.toml"
    if project.is_file():
        try:
            held = tomllib.loads(project.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise ProfileSettingsError(str(project), str(error)) from None
        table = held.get("tool", {}).get("invoicing", {}).get("profile")
        if table is not None and not isinstance(table, dict):
            raise ProfileSettingsError(str(project), "[tool.invoicing.profile] is no table")
        yield str(project), table
    for name in INI_FILES:
        path = root / name
        if not path.is_file():
            continue
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, ValueError) as error:
            raise ProfileSettingsError(str(path), str(error).partition("\n")[0]) from None
        found = parser.has_section(INI_SECTION)
        yield str(path), dict(parser.items(INI_SECTION)) if found else None


def _settings(root: Path, file: str, table: dict[str, Any]) -> ProfileSettings:
    for key in table:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, 1)
            meant = f". Did you mean {near[0]}?" if near else ""
            reason = f"unknown setting {key!r}{meant} Expected one of: {', '.join(_KEYS)}"
            raise ProfileSettingsError(file, reason)
    try:
        lists = {key: _slugs(key, table[key]) for key in _LISTS if key in table}
        baseline = _text("baseline", table.get("baseline"))
        fail_on, warn_on = _levels(lists.get("fail_on"), lists.get("warn_on", ()))
        return ProfileSettings(
            root,
            fail_on,
            warn_on,
            tuple(lists.get("allow", ())),
            _thresholds(table.get("thresholds", {})),
            root / baseline if baseline else None,
            _switch(table.get("every_test", False)),
        )
    except UsageError as error:
        raise ProfileSettingsError(file, str(error)) from None


def _levels(
    fail_on: tuple[str, ...] | None, warn_on: tuple[str, ...]
) -> tuple[frozenset[str], frozenset[str]]:
    warning = frozenset(SLUGS if ALL in warn_on else warn_on)
    if fail_on is None or ALL in fail_on:
        return frozenset(SLUGS) - warning, warning
    failing = frozenset(fail_on)
    if ALL in warn_on:
        return failing, warning - failing
    both = ", ".join(sorted(failing & warning))
    if both:
        raise UsageError(f"fail_on and warn_on both name {both}; a kind does one of them")
    return failing, warning


def _slugs(key: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part for part in re.split(r"[,\s]+", value) if part]
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise UsageError(f'{key} is no list of kinds. Write for example {key} = ["n-plus-one"]')
    for slug in value:
        if slug not in SLUGS and not (slug == ALL and key != "allow"):
            raise UnknownFindingError(slug, SLUGS)
    return tuple(value)


def _thresholds(value: object) -> Thresholds:
    if isinstance(value, str):
        return Thresholds.parse([part for part in re.split(r"[,\s]+", value) if part])
    if not isinstance(value, dict):
        raise UsageError("thresholds is no table. Write for example thresholds = { many = 20 }")
    for name, number in value.items():
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise UsageError(f"the threshold {name} is no number: {number!r}")
    return Thresholds(**value)


def _text(key: str, value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise UsageError(f"{key} is no path: {value!r}")
    return value


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise UsageError(f"every_test is true or false, not {value!r}")
