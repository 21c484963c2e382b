"""In daily work: a change alone, an editor's text, a code scanner."""

from __future__ import annotations

import io
import json
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.policy.project import write
from tests.policy.snippets import BAD
from tests.policy.test_gate import policy

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = BAD["lazy-raise"]["no lazy"]
MODELS = "app/models.py"


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a finding in its first commit, below a folder of its own."""
    project = tmp_path / "service"
    write(project, BROKEN)
    git(tmp_path, "init", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "switch", "-c", "branch")
    return project


def append(path: Path, line: str) -> None:
    path.write_text(path.read_text() + line)


def test_only_findings_on_changed_lines_are_reported(repository: Path) -> None:
    def found() -> int:
        run = policy(repository, "check", "--diff-base", "main")
        assert run.returncode == bool(run.stdout.count("[lazy-raise]"))
        return run.stdout.count("[lazy-raise]")

    assert found() == 0
    append(repository / MODELS, "    c: Mapped['C'] = relationship()\n")
    assert found() == 1  # not committed
    git(repository, "commit", "-am", "second")
    assert found() == 1
    (repository / "app/new name.py").write_text((repository / MODELS).read_text())
    assert found() == 3  # not even added
    git(repository, "switch", "-f", "main")
    append(repository / "app/base.py", "x = 1\n")
    git(repository, "commit", "-am", "meanwhile")
    git(repository, "switch", "branch")
    assert found() == 3


def test_a_commit_that_is_not_there_is_refused(repository: Path, tmp_path: Path) -> None:
    run = policy(repository, "check", "--diff-base", "nowhere")
    assert (run.returncode, "cannot compare with nowhere" in run.stderr) == (2, True)
    away = tmp_path.parent / f"{tmp_path.name}-away"
    write(away, BROKEN)
    run = policy(away, "check", "--diff-base", "main")
    assert (run.returncode, "not a git repository" in " ".join(run.stderr.split())) == (2, True)


def test_an_editors_text_is_checked_as_the_file_it_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, BROKEN)
    text = BROKEN[MODELS].encode()
    for name, content, count in (
        (MODELS, b"x = 1\n", 0),
        (MODELS, text, 1),
        ("app/unsaved.py", text, 1),
        ("app/unsaved.py", b"def f(:\n", 0),
    ):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        run = policy(tmp_path, "check", "--stdin-filename", name)
        assert run.stdout.count(f"{name}:4:22: [lazy-raise]") == count
        assert run.returncode == (2 if b"(:" in content else count)
    assert policy(tmp_path, "check", "--stdin-filename", MODELS, "--fix").returncode == 2


def test_of_files_that_were_not_checked_nothing_is_said_to_be_fixed(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    assert policy(tmp_path, "check", "--write-baseline", "old.json").returncode == 0
    run = policy(tmp_path, "check", "app/base.py", "--baseline", "old.json")
    assert (run.returncode, "are fixed" in run.stderr) == (0, False)
    (tmp_path / MODELS).write_text("x = 1\n")
    assert (
        "1 findings of old.json are fixed"
        in policy(tmp_path, "check", "app", "--baseline", "old.json").stderr
    )


def test_sarif_has_its_schema_and_says_what_was_not_checked(tmp_path: Path) -> None:
    write(tmp_path, BROKEN | {"app/a b.py": "def f(:\n"})
    cells = [{"cell_type": "code", "source": "import psycopg2"}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    run = policy(tmp_path, "check", "--format", "sarif")
    sarif = json.loads(run.stdout)
    assert sarif["$schema"].endswith("sarif-2.1.0.json")
    (ran,) = sarif["runs"]
    (invocation,) = ran["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    place = notification["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "app/a%20b.py"}, "region": {"startLine": 1}}
    named = [
        location["fullyQualifiedName"]
        for result in ran["results"]
        for location in result["locations"][0].get("logicalLocations", ())
    ]
    assert (named, run.returncode) == (["n.ipynb[1]"], 2)
