"""What was asked for and is not checked is said, and the command ends with 2."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy import check
from tests.policy.project import BASE, write
from tests.policy.snippets import BAD
from tests.policy.test_gate import policy

if TYPE_CHECKING:
    from collections.abc import Callable

BROKEN = BAD["lazy-raise"]["no lazy"]


def dangling(folder: Path) -> None:
    (folder / "app/link.py").symlink_to("nowhere")


def circular(folder: Path) -> None:
    (folder / "app/link.py").symlink_to("link.py")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "app/pipe.py")


def binary(folder: Path) -> None:
    (folder / "app/bytes.py").write_bytes(b"\xff\xfe\0")


@pytest.mark.parametrize(
    ("make", "name", "why"),
    [
        (dangling, "app/link.py", "it is a symbolic link to nothing"),
        (circular, "app/link.py", "it is a symbolic link to nothing"),
        (fifo, "app/pipe.py", "it is no regular file"),
        (binary, "app/bytes.py", "invalid or missing encoding declaration"),
    ],
)
def test_what_cannot_be_read_is_said_below_a_folder_and_by_its_name(
    make: Callable[[Path], None], name: str, why: str, tmp_path: Path
) -> None:
    write(tmp_path, BROKEN)
    make(tmp_path)
    for path, findings in ((".", 1), ("app", 1), (name, 0)):
        run = policy(tmp_path, "check", path)
        assert run.stdout.count("[lazy-raise]") == findings
        assert f"{name}:1: not checked: " in run.stdout
        assert why in run.stdout
        assert (run.returncode, "Traceback" in run.stderr) == (2, False)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("empty", "empty:1: not checked: no Python file or notebook is below it"),
        ("tests", "tests:1: not checked: the settings exclude all that is below it (1)"),
        ("data", "data:1: not checked: no Python file or notebook is below it"),
    ],
)
def test_a_folder_with_nothing_to_check_is_said(path: str, said: str, tmp_path: Path) -> None:
    write(tmp_path, BROKEN | {"tests/test_x.py": "", "data/rows.csv": ""})
    (tmp_path / "empty").mkdir()
    run = policy(tmp_path, "check", path)
    assert (said in run.stdout, run.returncode) == (True, 2)
    assert policy(tmp_path, "check", "app", path, "--ignore", "lazy-raise").returncode == 2


def test_a_pattern_that_nothing_expanded_is_refused(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    run = policy(tmp_path, "check", "app/*.pyx")
    assert (run.returncode, "A pattern is not expanded" in run.stderr) == (2, True)


def test_a_folder_that_may_not_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, BROKEN | {"app/secret/models.py": "x = 1\n"})
    scandir = os.scandir

    def refusing(path: str) -> object:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    report = check([tmp_path / "app"], root=tmp_path)
    assert [str(problem) for problem in report.problems] == [
        "app/secret:1: not checked: Permission denied"
    ]
    assert len(report.findings) == 1


def test_a_file_that_goes_away_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, BROKEN | {"app/gone.py": "x = 1\n"})
    read = Path.read_bytes

    def going(path: Path) -> bytes:
        if path.name == "gone.py":
            path.unlink()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", going)
    report = check([tmp_path], root=tmp_path)
    assert [str(problem) for problem in report.problems] == [
        "app/gone.py:1: not checked: No such file or directory"
    ]
    assert len(report.findings) == 1


MODEL = """
from {base} import Base
from sqlalchemy.orm import relationship
class A(Base):
    __tablename__ = "a"
    b = relationship("B")
"""


@pytest.mark.parametrize("base", ["app.base", "base", ".base"])
@pytest.mark.parametrize("below", ["", "src/"])
def test_a_folder_is_the_same_project_by_whatever_path_it_is_checked(
    base: str, below: str, tmp_path: Path
) -> None:
    for name, text in {"base": BASE, "models": MODEL.format(base=base)}.items():
        path = tmp_path / below / "app" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    whole = policy(tmp_path, "check", ".").stdout
    assert whole.count("[base-and-timestamps] A ") == whole.count("[lazy-raise]") == 1
    assert policy(tmp_path, "check", f"{below}app").stdout == whole
    assert policy(tmp_path, "check", str(tmp_path / below / "app")).stdout == whole
    inside = policy(tmp_path / below / "app", "check", ".").stdout
    assert inside == whole.replace(f"{below}app/models", "models")
    away = policy(Path("/"), "check", str(tmp_path / below / "app")).stdout
    assert away.count("[base-and-timestamps] A ") == away.count("[lazy-raise]") == 1


def test_a_second_project_is_checked_as_well(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, BROKEN)
    run = policy(tmp_path, "check", "one", "two")
    assert run.stdout.count("[lazy-raise]") == 2
    (tmp_path / "link").symlink_to(tmp_path / "two")
    assert policy(tmp_path / "one", "check", "../link").stdout.count("[lazy-raise]") == 1


def test_a_setting_that_names_nothing_is_said(tmp_path: Path) -> None:
    settings = '[tool.invoicing.policy]\nmodels = ["app/modles/*", "app/models.py"]\n'
    write(tmp_path, BROKEN | {"pyproject.toml": settings})
    note = 'note: models: no file matches "app/modles/*" of [tool.invoicing.policy]'
    assert " ".join(policy(tmp_path, "check").stderr.split()).count(note) == 1
    assert "note:" not in policy(tmp_path, "check", "app/models.py").stderr


CODE = {"cell_type": "code"}
NOTEBOOKS = {
    "empty": ("", "a.ipynb:1: not checked: it is no notebook: Expecting value"),
    "no text": (b"\xff\xfe", "it is no notebook: 'utf-8' codec can't decode"),
    "null": ("null", "it is no notebook: it holds no object"),
    "a list": ("[]", "it is no notebook: it holds no object"),
    "no cells": ("{}", "it is no notebook: cells is no list"),
    "cells of another kind": ('{"cells": 3}', "it is no notebook: cells is no list"),
    "a cell of another kind": ('{"cells": [3]}', "one of its cells is no object"),
    "a source of another kind": (
        json.dumps({"cells": [CODE | {"source": 3}]}),
        "the source of a cell is no list",
    ),
    "lines of another kind": (
        json.dumps({"cells": [CODE | {"source": [3]}]}),
        "the source of a cell is no text",
    ),
    "nested too deeply": ("[" * 100_000, "it is no notebook: "),
    "one cell": (
        json.dumps({"cells": [CODE | {"source": "x = 1"}, CODE | {"source": "y = ("}]}),
        "a.ipynb[2]:1: not checked: syntax error",
    ),
}


@pytest.mark.parametrize("label", NOTEBOOKS)
def test_a_malformed_notebook_is_said(label: str, tmp_path: Path) -> None:
    content, why = NOTEBOOKS[label]
    write(tmp_path, BROKEN)
    (tmp_path / "a.ipynb").write_bytes(content if isinstance(content, bytes) else content.encode())
    run = policy(tmp_path, "check")
    assert why in run.stdout
    assert "the gate itself failed" not in run.stdout
    assert (run.returncode, run.stdout.count("[lazy-raise]")) == (2, 1)


def test_what_is_not_checked_is_said_whatever_else_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    dangling(tmp_path)
    for options in (["--diff"], ["--write-baseline", "old.json"], ["--format", "github"]):
        run = policy(tmp_path, "check", *options)
        assert "app/link.py" in run.stdout + run.stderr
        assert run.returncode == 2


def test_a_virtual_environment_is_left_out_whatever_it_is_called(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    package = tmp_path / ".venv-other/lib/python3.13/site-packages/theirs"
    package.mkdir(parents=True)
    (tmp_path / ".venv-other/pyvenv.cfg").write_text("home = /usr/bin\n")
    (package / "models.py").write_text((tmp_path / "app/models.py").read_text())
    run = policy(tmp_path, "check", ".")
    assert run.stdout.count("[lazy-raise]") == 1
    # By its own name it is what was asked for.
    assert "[lazy-raise]" in policy(tmp_path, "check", ".venv-other").stdout


def test_a_proof_without_a_server_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"migrations/versions/one.py": "revision = '1'\ndown_revision = None\n"})
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'a'\nversion = '1'\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://of:secret@127.0.0.1:1/nowhere")
    run = policy(tmp_path, "check", "--database", "migrations")
    assert run.returncode == 2, run.stderr
    assert "cannot connect to postgresql://of:***@127.0.0.1:1" in run.stderr
    assert "secret" not in run.stdout + run.stderr


def test_a_file_that_is_too_large_is_said_to_be_and_an_editors_text_of_it_is_read(
    tmp_path: Path,
) -> None:
    large = tmp_path / "a.py"
    large.touch()
    os.truncate(large, 20_000_001)
    (problem,) = check([large], root=tmp_path).problems
    assert "larger than 20 MB" in problem.message
    assert check([large], root=tmp_path, texts={"a.py": b"x = 1\n"}).problems == []
