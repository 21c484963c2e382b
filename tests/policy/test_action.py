"""The action for GitHub: its steps as a runner would run them, the installation aside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policy.project import write
from tests.policy.snippets import BAD

ACTION = Path(__file__).parents[2] / "action.yml"


@pytest.fixture
def steps() -> dict[str, dict[str, Any]]:
    """Return the action's steps by their names."""
    return {step["name"]: step for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("", 1, "::error file=app/models.py,line=4,"),
        ("app/base.py --strict", 0, "1 file clean"),
        ("nowhere", 2, "nowhere"),
        ("$(touch-nothing) ;exit", 2, "$(touch-nothing)"),
    ],
)
def test_it_ends_as_the_command_does_and_runs_no_argument(
    steps: dict[str, dict[str, Any]], tmp_path: Path, arguments: str, code: int, said: str
) -> None:
    write(tmp_path, BAD["lazy-raise"]["no lazy"])
    programs = tmp_path / "temporary" / "invoicing-policy"
    programs.mkdir(parents=True)
    (programs / "bin").symlink_to(Path(sys.executable).parent)
    run = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", steps["Check"]["run"]],
        cwd=tmp_path,
        env=os.environ | {"RUNNER_TEMP": str(programs.parent), "ARGUMENTS": arguments},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, said in run.stdout + run.stderr) == (code, True), run


def test_it_installs_the_light_core_from_its_own_folder(steps: dict[str, dict[str, Any]]) -> None:
    *_, install = steps["Install"]["run"].strip().splitlines()
    assert install.endswith('-m pip install --quiet "$GITHUB_ACTION_PATH"')
