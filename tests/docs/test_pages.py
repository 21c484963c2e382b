"""Every command and block of the docs is run, and shows what it prints.

`INVOICING_UPDATE_README=1` writes what they print into the pages instead.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.core import TyperGroup

from invoicing.cli.main import VERBS, verb
from tests.docs.story import BLOCK, Story, commands_of

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "notebooks" / "docs"
PAGES = sorted(DOCS.glob("*.md"))
STORIES = [page for page in PAGES if BLOCK.search(page.read_text())]
EVERY = [ROOT / "README.md", ROOT / "notebooks" / "README.md", *PAGES]
# Shown, and not run from a page: the test that runs it, or why none can.
ELSEWHERE = {
    "make demo": "tests/cli/test_demo.py runs what it does",
    "make test": "it is what runs this test",
    "make lab": "tests/browser starts it",
    "make clean": "it would remove what runs this test",
    "make notebooks": "tests/notebooks runs them all",
    "make bench": "takes an hour; its parts are tests of their own",
    "make lock": "asks the package index",
    "conda env create": "asks conda's channels",
    "alembic": "tests/migrations runs it",
    "INVOICING_UPDATE_PICTURES=1": "tests/browser, which it calls",
    "export DATABASE_URL": "the tests have a database of their own",
    "pip install": "asks the package index",
    "psql": "tests/cli/test_db.py runs it",
    **dict.fromkeys(("cd ", "url=", "sed ", "cat "), "a page of its own runs it"),
}


@pytest.fixture
def no_bytecode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let a story's own modules be found, and forgotten after it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.broad
@pytest.mark.parametrize("page", STORIES, ids=lambda page: page.stem)
@pytest.mark.usefixtures("no_bytecode")
async def test_a_page_shows_what_happens(
    page: Path, tmp_path: Path, docs_database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = docs_database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", address)
    current = await Story(page, tmp_path, docs_database_url).run()
    assert kept(page, current) == current


def kept(page: Path, current: str) -> str:
    """Return what the page says, once it says what is current if that was asked for."""
    if os.environ.get("INVOICING_UPDATE_README"):
        page.write_text(current)
    return page.read_text()


def shown_commands() -> list[tuple[str, str]]:
    """Return each command that a page shows, wherever it stands in it."""
    found = []
    for page in EVERY:
        text = page.read_text()
        lines = [
            command.line
            for block in BLOCK.finditer(text)
            if block[1] == "console"
            for command in commands_of(block[3])
        ]
        lines += re.findall(
            r"^    ((?:invoicing|make|alembic|conda|export) .*)$", text, re.MULTILINE
        )
        lines += re.findall(r"`((?:invoicing|make|alembic|conda|pip|psql) [^`]+)`", text)
        found += [(page.name, " ".join(line.partition("#")[0].split())) for line in lines]
    return sorted(set(found))


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_a_command_that_is_shown_is_understood(page: str, line: str) -> None:
    if any(line.startswith(known) for known in ELSEWHERE) or line.startswith("pytest "):
        return
    program, *words = shlex.split(line.partition(" | ")[0].partition(" 2>")[0])
    assert program == "invoicing", line
    name, *rest = words
    assert name in VERBS or name.startswith("--"), line
    if name not in VERBS:
        return
    command = verb(name)
    if name == "retype" and rest and rest[0] not in command.commands:
        rest.insert(0, "run")  # the verb that is left out
    if isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, line
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for param in command.params for option in param.opts}
    known |= {option for param in command.params for option in param.secondary_opts} | {"--help"}
    if name == "db" and "psql" in line:
        return  # the rest is psql's own
    given = {word.split("=")[0] for word in rest if word.startswith("--") and word != "--"}
    assert given <= known, line


@pytest.mark.parametrize("page", EVERY, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_page_can_be_found_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    linked = {page.name for page in PAGES if f"notebooks/docs/{page.name}" in readme}
    beyond = {
        other
        for page in PAGES
        if page.name in linked
        for other in re.findall(r"\]\(([\w-]+\.md)\)", page.read_text())
    }
    assert linked | beyond >= {page.name for page in PAGES}
