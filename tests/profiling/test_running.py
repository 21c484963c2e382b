"""What of a program is not recorded is said: "No findings." is not all that is known of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.profiling.python_programs import python_program
from invoicing.toolkit.profiling.running import run_program

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "shell", "name"),
    [
        ([sys.executable, "-u", "jobs/nightly.py", "--all"], False, "nightly.py"),
        (["python3.13", "-m", "jobs.nightly"], False, "jobs.nightly"),
        ([b"/usr/bin/python3", b"-c", b"pass"], False, "python3"),
        ("cd jobs && python nightly.py", True, "nightly.py"),
        (["./nightly"], False, "nightly"),
        ("./nightly --all", True, "nightly"),
        (["git", "log", "python"], False, None),
        (["./other"], False, None),
        ([], False, None),
    ],
)
def test_a_command_that_starts_python_is_known(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: object,
    shell: bool,
    name: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    for script, interpreter in {"nightly": "/usr/bin/env python3", "other": "/bin/sh"}.items():
        (tmp_path / script).write_text(f"#!{interpreter}\n")
        (tmp_path / script).chmod(0o755)
    assert python_program(arguments, shell=shell) == name


def test_programs_that_are_started_and_drivers_alone_are_said_to_be_missing(
    tmp_path: Path,
) -> None:
    program = tmp_path / "report.py"
    program.write_text(
        "import subprocess, sys, sqlite3\n"
        "sqlite3.connect(':memory:').execute('SELECT 1')\n"
        "for arguments in ([sys.executable, '-c', 'pass'], ['true']):\n"
        "    subprocess.run(args=arguments, check=True)\n"
    )
    run = run_program(str(program))
    assert run.exit_code == 0
    started, unseen = run.not_recorded
    assert started.startswith("1 Python program was started (python")
    assert unseen.startswith("No statement of SQLAlchemy was seen")
    program.write_text(
        "from sqlalchemy import create_engine\n"
        "with create_engine('sqlite://').connect() as connection:\n"
        "    connection.exec_driver_sql('SELECT 1')\n"
    )
    assert run_program(str(program)).not_recorded == ()
