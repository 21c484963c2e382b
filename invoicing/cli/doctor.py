"""`invoicing doctor`: is everything here that the other commands need, and what to run if not."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from invoicing.cli.db import database_facts
from invoicing.cli.output import console, echo_json
from invoicing.settings import Settings
from invoicing.toolkit.policy import check, root_of
from invoicing.toolkit.postgres import home_folder
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer()

OLDEST = (3, 11)
# A sample of 20,000 invoices and its log take less.
ENOUGH_DISK = 1_000_000_000


class Health(StrEnum):
    """How something is."""

    GOOD = "ok"
    ODD = "look"
    BAD = "missing"


_STYLES = {Health.GOOD: "green", Health.ODD: "yellow", Health.BAD: "red"}


class Diagnosis(NamedTuple):
    """How one thing is, and what to run if it is not as it should be."""

    subject: str
    health: Health
    fact: str
    run: str = ""


@app.command()
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check Python, packages, database, migrations, disk and rules; say what to run.

    Nothing is started or changed. Exit code 1 if anything is missing.

    Example: invoicing doctor
    """
    found = list(_diagnoses(Settings.read()))
    if as_json:
        echo_json(json.dumps([diagnosis._asdict() for diagnosis in found], indent=2))
    else:
        table = Table("", "", "", "run", box=None, pad_edge=False)
        for diagnosis in found:
            style = _STYLES[diagnosis.health]
            table.add_row(
                diagnosis.subject, Text(diagnosis.health, style), diagnosis.fact, diagnosis.run
            )
        console.print(table)
    if any(diagnosis.health is Health.BAD for diagnosis in found):
        raise typer.Exit(1)


def _diagnoses(settings: Settings) -> Iterator[Diagnosis]:
    yield _python()
    yield _packages()
    yield from _extras()
    yield from _database(settings)
    yield _disk(home_folder(settings))
    yield _rules()


def _python() -> Diagnosis:
    fits = sys.version_info >= OLDEST
    run = "" if fits else "make PYTHON=/path/to/python3.11 setup"
    return Diagnosis("Python", _health(fits), sys.version.split()[0], run)


def _packages() -> Diagnosis:
    wanted = [
        re.split(r"[\s;<>=!~\[(]", require, maxsplit=1)[0]
        for require in requires("invoicing") or ()
        if "extra ==" not in require
    ]
    missing = [name for name in wanted if not _is_installed(name)]
    fact = f"{', '.join(missing)} missing" if missing else f"{len(wanted)} of {len(wanted)}"
    return Diagnosis("packages", _health(not missing), fact, "make setup" if missing else "")


def _extras() -> Iterator[Diagnosis]:
    """Name each extra of which a package is missing: some commands need it."""
    by_extra: dict[str, list[str]] = {}
    for require in requires("invoicing") or ():
        found = re.search(r"extra == ['\"](\w+)['\"]", require)
        if found is not None and not require.startswith("invoicing["):
            name = re.split(r"[\s;<>=!~\[(]", require, maxsplit=1)[0]
            by_extra.setdefault(found[1], []).append(name)
    for extra, names in by_extra.items():
        missing = [name for name in names if not _is_installed(name)]
        if missing:
            fact = f"{', '.join(missing)} missing"
            run = f"pip install 'invoicing[{extra}]'"
            yield Diagnosis(f"extra {extra}", Health.ODD, fact, run)


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _database(settings: Settings) -> Iterator[Diagnosis]:
    facts = asyncio.run(database_facts(settings))
    source = str(facts["source"])
    if not facts["running"]:
        if source == "embedded":
            # Whoever needs it starts it.
            yield Diagnosis("database", Health.ODD, "embedded, not running", "invoicing db start")
        else:
            fact = f"{facts['url']}: {facts.get('reason', 'no answer')}"
            yield Diagnosis("database", Health.BAD, fact, "invoicing db status")
        return
    yield Diagnosis("database", Health.GOOD, f"PostgreSQL {facts['version']}, {source}")
    current, newest = facts["revision"], facts["newest_revision"]
    if current == newest:
        yield Diagnosis("migrations", Health.GOOD, str(current))
    else:
        fact = f"{current or 'none'}, the newest is {newest}"
        yield Diagnosis("migrations", Health.ODD, fact, "invoicing db upgrade")


def _disk(home: Path) -> Diagnosis:
    there = next(parent for parent in (home, *home.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    fact = f"{free / 1e9:,.1f} GB free for {home}"
    return Diagnosis("disk", Health.GOOD if free > ENOUGH_DISK else Health.ODD, fact)


def _rules() -> Diagnosis:
    root = root_of(Path())
    if not (root / "pyproject.toml").is_file():
        return Diagnosis("rules", Health.GOOD, "no project here")
    report = check([root], root=root)
    found = len(report.findings) + len(report.problems)
    fact = (
        f"{plural(found, 'finding')} in {plural(report.files, 'file')}"
        if found
        else f"{plural(report.files, 'file')} clean"
    )
    return Diagnosis(
        "rules",
        Health.ODD if found else Health.GOOD,
        fact,
        "invoicing policy check" if found else "",
    )


def _health(good: bool) -> Health:
    return Health.GOOD if good else Health.BAD
