"""In daily work: a change alone, an editor's text, a code scanner."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from invoicing.toolkit.policy import FORMATS, check, on_changed_lines
from invoicing.toolkit.policy.baseline import write_baseline
from tests.policy.project import write
from tests.policy.snippets import BAD
from tests.policy.test_gate import policy

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


@pytest.mark.parametrize(
    "setting", ["color.diff=always", "color.ui=always", "diff.noprefix=true", "diff.context=9"]
)
def test_a_persons_settings_of_git_hide_nothing(repository: Path, setting: str) -> None:
    git(repository, "config", *setting.split("="))
    append(repository / MODELS, "    c: Mapped['C'] = relationship()\n")
    found = check([repository], root=repository, select=["lazy-raise"]).findings
    assert len(list(on_changed_lines(repository, "main", found))) == 1


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
    assert (run.returncode, "fixed since" in run.stderr) == (0, False)
    (tmp_path / MODELS).write_text("x = 1\n")
    assert (
        "fixed since old.json: 1 finding"
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


NAMES = ["a'b", 'a"b', "a\\b", "a\tb", "a\nb", "a[1]", "é", os.fsdecode(b"caf\xe9"), " a ", "+++ b"]


def test_a_file_is_known_by_its_name_whatever_is_in_it(repository: Path) -> None:
    folder = repository / "app"
    text = (repository / MODELS).read_text()
    for name in NAMES:
        folder.joinpath(f"{name}.py").write_text("x = 1\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "second")
    for name in NAMES:
        # No header, and no end of a line that git knows.
        looks_like_headers = "x = '\x0c@@ -1 +9 @@'\n++ b/other\n"
        folder.joinpath(f"{name}.py").write_text(text + looks_like_headers)
    found = check([repository], root=repository, select=["lazy-raise"]).findings
    changed = list(on_changed_lines(repository, "HEAD", found))
    assert {finding.path for finding in changed} == {f"app/{name}.py" for name in NAMES}


def test_a_moved_file_has_only_the_lines_that_changed(repository: Path) -> None:
    git(repository, "mv", MODELS, "app/moved.py")
    append(repository / "app/moved.py", "    c: Mapped['C'] = relationship()\n")
    git(repository, "commit", "-am", "second")
    run = policy(repository, "check", "--diff-base", "main")
    assert run.stdout.count("[lazy-raise]") == 1


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_names_a_file_that_is_not_utf_8(form: str, tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    name = os.fsdecode(b"caf\xe9.py")
    (tmp_path / MODELS).rename(tmp_path / "app" / name)
    (tmp_path / os.fsdecode(b"broken\xe9.py")).write_text("(")
    run = policy(tmp_path, "check", "--format", form)
    assert (run.returncode, "Traceback" in run.stderr) == (2, False)
    expected = {"sarif": "caf%E9.py", "json": "caf\\udce9.py"}.get(form, "caf\\udce9.py")
    assert expected in run.stdout
    for more in (("--diff", "--unsafe-fixes"), ("--write-baseline", "b.json")):
        run = policy(tmp_path, "check", *more)
        assert (run.returncode, "Traceback" in run.stderr) == (2, False)
    run = policy(tmp_path, "check", "--baseline", "b.json")
    assert "[lazy-raise]" not in run.stdout


def test_a_suppression_of_a_rule_that_is_not_there_is_said(tmp_path: Path) -> None:
    text = BROKEN[MODELS] + "x = 1  # policy: allow lazy-rise -- typo\n"
    write(tmp_path, BROKEN | {MODELS: text})
    messages = [
        f"{finding.message}; {finding.fix}"
        for finding in check([tmp_path], root=tmp_path, select=["unused-suppression"]).findings
    ]
    assert messages == ["there is no rule lazy-rise; write lazy-raise"]


@pytest.mark.parametrize("text", ["{}", '""', "null", '[{"path": "a"}]', "[1]"])
def test_what_is_no_baseline_is_refused(text: str, tmp_path: Path) -> None:
    write(tmp_path, BROKEN | {"known.json": text})
    run = policy(tmp_path, "check", "--baseline", "known.json")
    assert (run.returncode, "cannot read the baseline known.json" in run.stderr) == (2, True)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux has a folder without files")
def test_a_baseline_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    run = policy(tmp_path, "check", "--write-baseline", "/proc/x.json")
    assert (run.returncode, "cannot write /proc/x.json" in run.stderr) == (2, True)


def test_a_baseline_stays_where_there_is_no_room_for_a_new_one(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    known = tmp_path / "known.json"
    write_baseline(known, [])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    write(tmp_path, BROKEN)
    findings = check([tmp_path], root=tmp_path).findings
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, limits[1]))
    try:
        with pytest.raises(OSError, match=r"known\.json"):
            write_baseline(known, findings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert json.loads(known.read_text()) == []
    assert not list(tmp_path.glob(".known*"))


def test_a_link_to_nothing_is_shown_by_its_own_path(tmp_path: Path) -> None:
    (tmp_path / "ln.py").symlink_to("/nowhere/else.py")
    (problem,) = check([tmp_path / "ln.py"]).problems
    assert problem.path in {"ln.py", str(tmp_path / "ln.py")}
