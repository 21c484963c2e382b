"""The gate as a whole: files of all kinds, settings, formats, baseline, fixes, exit codes."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from invoicing.cli.main import main
from invoicing.toolkit.policy import FORMATS, all_rules, assert_clean, check, fix
from invoicing.toolkit.policy.errors import PolicyPathError, PolicySettingsError, UnknownRuleError
from tests.policy.project import findings_of, report_of, write
from tests.policy.snippets import BAD, GOOD, OPTIONS

ROOT = Path(__file__).parents[2]
BROKEN = BAD["lazy-raise"]["no lazy"]


def test_this_project_holds_itself_to_it() -> None:
    assert_clean(ROOT / "invoicing", ROOT / "migrations", ROOT / "notebooks")


def policy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command here: a process of its own would import everything again."""
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(folder),
        patch.object(sys, "argv", ["invoicing", "policy", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return subprocess.CompletedProcess(arguments, ended.value.code, out.getvalue(), err.getvalue())


def test_the_command_is_a_program(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    program = [Path(sys.executable).parent / "invoicing", "policy", "check", "app"]
    run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    here = policy(tmp_path, "check", "app")
    assert (run.returncode, run.stdout) == (here.returncode, here.stdout)
    assert run.returncode == 1


def test_the_command_line_ends_with_0_1_or_2(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    run = policy(tmp_path, "check", "app")
    assert run.returncode == 1
    assert run.stdout.splitlines()[0].startswith("app/models.py:4:22: [lazy-raise] ")
    assert run.stdout.splitlines()[-1] == "1 finding in 3 files"
    assert policy(tmp_path, "check", "app", "--ignore", "lazy-raise").returncode == 0
    wrong = {
        ("check", "nowhere"): "cannot check nowhere: no such file or folder",
        ("check", "--select", "lazy-rase"): "Did you mean lazy-raise?",
        ("check", "--format", "xml"): "expected one of: text, json, github, sarif",
        ("check", "--explain", "nothing"): "unknown rule 'nothing'",
    }
    for arguments, said in wrong.items():
        run = policy(tmp_path, *arguments)
        assert (run.returncode, said in " ".join(run.stderr.split())) == (2, True), arguments
        assert "Traceback" not in run.stderr
    explained = policy(tmp_path, "check", "--explain", "lazy-raise")
    assert "Not:" in explained.stdout
    assert "single-joined" in policy(tmp_path, "rules").stdout


def test_files_that_cannot_be_read_are_said_and_the_others_checked(tmp_path: Path) -> None:
    write(tmp_path, BROKEN | {"app/wrong.py": "def f(:\n", "app/deep.py": "x = " + "(" * 300})
    (tmp_path / "app/latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nx = '\xe9'\n")
    (tmp_path / "app/bytes.py").write_bytes(b"x = '\xe9'\n")
    (tmp_path / "app/bom.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    (tmp_path / "app/null.py").write_bytes(b"x = 1\0\n")
    (tmp_path / "app/long.py").write_text("x = " + "1" * 10_000 + "\n")
    (tmp_path / "app/nested.py").write_text("x = " + "-" * 50_000 + "1\n")
    report = check([tmp_path / "app"], root=tmp_path, processes=1)
    assert [finding.rule for finding in report.findings] == ["lazy-raise"]
    problems = {problem.path: problem for problem in report.problems}
    assert {"app/wrong.py", "app/deep.py", "app/bytes.py", "app/null.py"} <= set(problems)
    assert not {"app/latin.py", "app/bom.py"} & set(problems)
    assert problems["app/wrong.py"].message.startswith("syntax error")
    assert str(problems["app/wrong.py"]).startswith("app/wrong.py:1: not checked: ")
    unread = len(problems)
    summary = f"1 finding in {report.files - unread} files, {unread} not checked"
    assert FORMATS["text"](report, all_rules()).endswith(f"\n{summary}")


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_said(tmp_path: Path) -> None:
    write(tmp_path, {"app/secret.py": "x = 1\n"})
    (tmp_path / "app/secret.py").chmod(0)
    report = check([tmp_path], root=tmp_path)
    assert ["Permission" in problem.message for problem in report.problems] == [True]


def test_symbolic_links_out_of_the_tree_are_not_followed(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    write(outside, BROKEN)
    write(project, {})
    (project / "app/link.py").symlink_to(outside / "app/models.py")
    (project / "app/folder").symlink_to(outside / "app")
    (project / "app/loop").symlink_to(project / "app")
    report = check([project], root=project)
    assert (report.findings, report.files) == ([], 2)


def test_the_checked_code_is_not_run(tmp_path: Path) -> None:
    files = {"app/evil.py": "import pathlib\npathlib.Path('ran').touch()\nraise SystemExit\n"}
    report = report_of(tmp_path, files)
    assert report.problems == []
    assert not (tmp_path / "ran").exists()
    assert "app.evil" not in sys.modules


def test_a_notebooks_code_cells_are_checked(tmp_path: Path) -> None:
    write(tmp_path, {"app/models.py": "", "notebooks/.keep": ""})
    cells = [
        {"cell_type": "markdown", "source": ["import nothing"]},
        {"cell_type": "code", "source": ["%load_ext x\n", "from sqlalchemy.orm import Session"]},
        {"cell_type": "code", "source": ["!ls\n", "session = Session(engine)\n", "await f()"]},
    ]
    path = tmp_path / "notebooks/a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    (finding,) = check([path], root=tmp_path).findings
    assert (finding.path, finding.line, finding.rule) == ("notebooks/a.ipynb[2]", 2, "async-only")


def test_settings_say_where_things_are(tmp_path: Path) -> None:
    files = BAD["base-and-timestamps"]["without the mixin"]
    assert len(findings_of(tmp_path, files, "base-and-timestamps")) == 1
    settings = '[tool.invoicing.policy]\nmixin = ""\n'
    assert findings_of(tmp_path, files | {"pyproject.toml": settings}, "base-and-timestamps") == []
    ignored = '[tool.invoicing.policy]\nignore = ["base-and-timestamps"]\n'
    assert not report_of(tmp_path, files | {"pyproject.toml": ignored}).findings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.invoicing.policy]\nmixn = 'x'\n", "did you mean mixin"),
        ("[tool.invoicing.policy]\nmixin = 3\n", "mixin .* is not a string"),
        ("[tool.invoicing.policy\n", "cannot use"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PolicySettingsError, match=said):
        report_of(tmp_path, {"pyproject.toml": text})


def test_paths_and_rules_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyPathError):
        check([tmp_path / "nowhere"])
    with pytest.raises(UnknownRuleError, match="Expected one of: async-only"):
        check([tmp_path], select=["x"])


def test_each_format_tells_the_same(tmp_path: Path) -> None:
    report = report_of(tmp_path, BROKEN)
    shown = {name: show(report, all_rules()) for name, show in FORMATS.items()}
    (plain,) = json.loads(shown["json"])["findings"]
    assert (plain["path"], plain["line"], plain["rule"]) == ("app/models.py", 4, "lazy-raise")
    assert shown["github"].startswith(
        "::error file=app/models.py,line=4,col=22,title=lazy-raise::relationship A.b has no lazy=;"
    )
    odd = replace(report, findings=[replace(report.findings[0], path="a, b/c:d%.py")])
    assert FORMATS["github"](odd, all_rules()).startswith("::error file=a%2C b/c%3Ad%25.py,line=4,")
    sarif = json.loads(shown["sarif"])
    assert sarif["version"] == "2.1.0"
    (run,) = sarif["runs"]
    (result,) = run["results"]
    assert result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 4, "startColumn": 22}


def test_a_baseline_lets_old_findings_be_and_new_ones_stand_out(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    assert policy(tmp_path, "check", "app", "--write-baseline", "old.json").returncode == 0
    assert policy(tmp_path, "check", "app", "--baseline", "old.json").returncode == 0
    models = tmp_path / "app/models.py"
    models.write_text("\n\n" + models.read_text() + "    c = relationship()\n")
    run = policy(tmp_path, "check", "app", "--baseline", "old.json")
    assert run.returncode == 1
    assert run.stdout.count("[lazy-raise]") == 1
    assert "A.c" in run.stdout
    (tmp_path / "old.json").write_text("{}x")
    run = policy(tmp_path, "check", "app", "--baseline", "old.json")
    assert run.returncode == 2
    assert "--write-baseline" in run.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("b = relationship()", 'b = relationship(lazy="raise")'),
        ('b = relationship("B")', 'b = relationship("B", lazy="raise")'),
        ("b = relationship(lazy='select')", 'b = relationship(lazy="raise")'),
        ('é = relationship("É", lazy="joined")', 'é = relationship("É", lazy="raise")'),
        (
            'b: Mapped["B"] = relationship(\n        back_populates="a",\n    )',
            'b: Mapped["B"] = relationship(lazy="raise", \n        back_populates="a",\n    )',
        ),
    ],
)
def test_an_unsafe_fix_is_made_where_it_is_asked_for(
    before: str, after: str, tmp_path: Path
) -> None:
    head = "from app.base import Base, Mapped, relationship\nclass A(Base):\n    "
    report = report_of(tmp_path, {"app/models.py": f"{head}{before}\n"}, select=["lazy-raise"])
    assert fix(tmp_path, report.findings) == (0, [])
    assert (tmp_path / "app/models.py").read_text() == f"{head}{before}\n"
    assert fix(tmp_path, report.findings, unsafe=True) == (1, ["app/models.py"])
    assert (tmp_path / "app/models.py").read_text() == f"{head}{after}\n"
    assert check([tmp_path], root=tmp_path, select=["lazy-raise"]).findings == []


def test_loaders_are_swapped_where_the_other_is_there(tmp_path: Path) -> None:
    files = BAD["collection-selectin"]["chained"]
    report = report_of(tmp_path, files, select=["collection-selectin"])
    assert fix(tmp_path, report.findings)[0] == 1
    text = (tmp_path / "app/services.py").read_text()
    assert text == OPTIONS + "q = joinedload(Invoice.account).selectinload(Account.invoices)\n"
    ast.parse(text)


def test_what_is_not_safe_is_left(tmp_path: Path) -> None:
    for name in ("by a constant", "by an expansion", "by a partial", "a backref by name"):
        report = report_of(tmp_path, BAD["lazy-raise"][name], select=["lazy-raise"])
        assert fix(tmp_path, report.findings, unsafe=True) == (0, []), name


def test_two_processes_say_the_same_as_one(tmp_path: Path) -> None:
    write(tmp_path, GOOD["base-and-timestamps"]["by inheritance across files"] | BROKEN)
    alone = check([tmp_path], root=tmp_path, processes=1)
    split = check([tmp_path], root=tmp_path, processes=2)
    assert (alone.findings, alone.files) == (split.findings, split.files)
    assert alone.findings


def test_assert_clean_lists_what_it_found(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    with pytest.raises(AssertionError, match=r"1 finding:\napp/models.py:4:22"):
        assert_clean(tmp_path)


def test_the_environment_of_alembic_makes_its_own_engine(tmp_path: Path) -> None:
    makes = "from sqlalchemy.ext.asyncio import create_async_engine\ncreate_async_engine(1)\n"
    env = f"from alembic import context\n{makes}"
    found = findings_of(tmp_path, {"alembic/env.py": env, "app/env.py": makes}, "async-only")
    assert [finding.path for finding in found] == ["app/env.py"]
