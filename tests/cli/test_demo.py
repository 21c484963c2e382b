"""`invoicing demo`: from nothing to a dashboard and a report, and again at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pytest

from invoicing.toolkit.postgres import Server
from tests.cli.here import run_apart
from tests.postgres.conftest import discard

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

# What belongs to a report itself; anything else that loads would come from outside.
OUTSIDE = ('src="http', 'href="http', "url(http", "@import", "<script")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "a home"
    yield home
    discard(home)


def demo(home: Path) -> subprocess.CompletedProcess[str]:
    nowhere = "postgresql://a:top-secret@127.0.0.1:1/b"
    named = {"INVOICING_HOME": str(home), "DATABASE_URL": nowhere}
    return run_apart(os.environ | named, "demo")


def test_the_demo_goes_from_nothing_to_a_report_whatever_the_environment_names(home: Path) -> None:
    first = demo(home)
    assert first.returncode == 0, first.stderr
    assert "PostgreSQL created" in first.stdout
    assert "the last 10 invoices, newest first" in first.stdout
    report = home / "reports" / "dashboard.html"
    assert f"Report:    {report}" in first.stdout
    page = report.read_text()
    assert page.count("<img") >= 3
    assert "Invoices that do not add up" in page
    assert "Look at another account" not in page, "what needs a click has no place in a report"
    for text in (*OUTSIDE, "top-secret", "Traceback"):
        assert text not in page
    pid = Server(home / "postgres").status().pid
    assert psutil.pid_exists(pid)
    again = demo(home)
    assert again.returncode == 0, again.stderr
    assert f"PostgreSQL runs already (pid {pid})" in again.stdout
