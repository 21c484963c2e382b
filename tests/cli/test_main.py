"""The command line as a whole: a tour that starts at once, one look and feel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.text import Text
from typer.core import TyperGroup
from typer.testing import CliRunner

from invoicing import __version__
from invoicing.cli.main import VERBS, app, verb
from invoicing.toolkit.rename import Options
from invoicing.toolkit.rename.model import TAKEN
from tests.cli.here import run_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTED = """
import json, sys
from invoicing.cli.main import main
try:
    main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def commands() -> Iterator[tuple[str, object]]:
    for name in VERBS:
        found = verb(name)
        if isinstance(found, TyperGroup):
            yield from ((f"{name} {child}", sub) for child, sub in found.commands.items())
        else:
            yield name, found


def words(text: str) -> str:
    return " ".join(text.replace("\f", "").split())


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_announced_as_it_calls_itself(name: str) -> None:
    own = words(verb(name).help.split("\n\n")[0])
    assert own == VERBS[name][2]


COMMANDS = dict(commands())


@pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=COMMANDS)
def test_each_command_shows_how_it_is_run(name: str, command: object) -> None:
    assert re.search(rf"Example: .*\binvoicing {name}\b", words(command.help))


@pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=COMMANDS)
def test_no_word_of_a_help_text_is_taken_for_a_style(name: str, command: object) -> None:
    options = (getattr(option, "help", None) for option in command.params)
    for raw in filter(None, (command.help, command.epilog, *options)):
        assert Text.from_markup(raw).plain == raw.replace(r"\[", "["), name


# What throttle sets is another run's, and has no default.
@pytest.mark.parametrize("name", sorted(set(TAKEN) - {"throttle"}))
def test_a_rename_command_offers_the_options_that_it_takes_with_their_defaults(name: str) -> None:
    command = COMMANDS["retype run" if name == "run" else f"rename {name}"]
    offered = {option.name: option.default for option in command.params}
    usual = asdict(Options()) | {"accept": None}
    assert {option: usual[option] for option in TAKEN[name]} == {
        option: default for option, default in offered.items() if option in usual
    }


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["nothing-of-the-kind"]])
def test_the_list_needs_none_of_the_verbs(arguments: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LISTED, *arguments], capture_output=True, text=True, check=True
    )
    imported = json.loads(run.stderr.splitlines()[-1])
    assert not {"sqlalchemy", "alembic", "numpy", "pandas"} & set(imported)


def test_a_mistyped_verb_is_recognised() -> None:
    run = CliRunner().invoke(app, ["dashbord"])
    assert run.exit_code == 2
    assert "Did you mean 'dashboard'?" in run.output


def test_the_version_is_shown() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"{__version__}\n"


@pytest.mark.parametrize(
    ("line", "offered"),
    [("invoicing re", ["report", "rename", "retype"]), ("invoicing rename ba", ["backfill"])],
)
def test_the_shell_completes_verbs(line: str, offered: list[str]) -> None:
    asked = {
        "_INVOICING_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    run = subprocess.run(
        [Path(sys.executable).with_name("invoicing")],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == offered


@pytest.mark.parametrize("setting", [{}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_a_pipe_and_no_color_get_no_colour(setting: dict[str, str], tmp_path: Path) -> None:
    run = run_apart(os.environ | setting, "doctor", cwd=tmp_path)
    assert "Python" in run.stdout
    assert "\x1b[3" not in run.stdout + run.stderr


def test_a_grammar_is_compiled_when_an_iri_is_checked() -> None:
    code = (
        "from invoicing.cli.late import postpone_grammar; postpone_grammar(); import sys, nbformat;"
        "import jsonschema; early = 'lark' in sys.modules;"
        "check = jsonschema.Draft7Validator.FORMAT_CHECKER.conforms;"
        "print(early, check('http://a.de/x', 'iri'), check('no iri', 'iri'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True", "False"]
