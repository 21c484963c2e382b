"""`invoicing doctor`: what is missing is said, with the command that fixes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

NOWHERE = "postgresql://someone:top-secret@127.0.0.1:1/nothing"


def doctor(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [Path(sys.executable).parent / "invoicing", "doctor", *arguments],
        cwd=folder,
        env=kept | {"INVOICING_HOME": str(folder / "home")} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def diagnoses(run: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str, str]]:
    return {
        load["subject"]: (load["health"], load["fact"], load["run"])
        for load in json.loads(run.stdout)
    }


def test_a_good_database_is_said_to_be_good(tmp_path: Path, migrated_database_url: URL) -> None:
    url = migrated_database_url.render_as_string(hide_password=False)
    run = doctor(tmp_path, "--json", DATABASE_URL=url)
    assert run.returncode == 0, run.stderr
    found = diagnoses(run)
    assert {name: diagnosis[0] for name, diagnosis in found.items()} == dict.fromkeys(
        ("Python", "packages", "database", "migrations", "disk", "rules"), "ok"
    )
    assert found["database"][1].startswith("PostgreSQL 1")


def test_what_is_not_as_it_should_be_names_the_command(
    tmp_path: Path, empty_database_url: URL
) -> None:
    url = empty_database_url.render_as_string(hide_password=False)
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "a.py").write_text("import psycopg2\n")
    run = doctor(tmp_path, "--json", DATABASE_URL=url)
    assert run.returncode == 0
    found = diagnoses(run)
    health, fact, command = found["migrations"]
    assert (health, command) == ("look", "invoicing db upgrade")
    assert fact.startswith("none, the newest is ")
    assert found["rules"] == ("look", "1 finding in 1 file", "invoicing policy check")


def test_a_database_that_is_not_there_ends_with_1_and_shows_no_password(tmp_path: Path) -> None:
    run = doctor(tmp_path, DATABASE_URL=NOWHERE)
    assert run.returncode == 1
    assert "missing" in run.stdout
    assert "invoicing db status" in run.stdout
    assert "top-secret" not in run.stdout + run.stderr


def test_nothing_is_started(tmp_path: Path) -> None:
    run = doctor(tmp_path)
    assert run.returncode == 0
    assert "embedded, not running" in run.stdout
    assert "invoicing db start" in run.stdout
    assert not (tmp_path / "home").exists()
