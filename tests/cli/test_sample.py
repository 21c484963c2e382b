from __future__ import annotations

import json
import os
import pty
from typing import TYPE_CHECKING, TextIO

import pytest

from tests.cli.here import run_here

if TYPE_CHECKING:
    import subprocess

    from sqlalchemy.engine import URL


def invoicing(
    url: URL, *arguments: str, stdin: TextIO | None = None
) -> subprocess.CompletedProcess[str]:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return run_here(
        os.environ | {"DATABASE_URL": address, "COLUMNS": "120"}, *arguments, stdin=stdin
    )


def test_a_log_gets_plain_lines_and_the_counts(migrated_database_url: URL) -> None:
    done = invoicing(migrated_database_url, "sample", "--accounts", "20", "--invoices", "3000")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Sending rows: ")
    assert "a second" in lines[0]
    assert any(line.startswith("Building indexes and foreign keys: 0 of ") for line in lines)
    assert "3,000" in done.stdout
    assert "rows a second, with indexes and foreign keys" in done.stdout


def test_json_holds_the_counts_and_the_rate(migrated_database_url: URL) -> None:
    done = invoicing(
        migrated_database_url, "sample", "--accounts=5", "--invoices=70", "--seed=3", "--json"
    )
    found = json.loads(done.stdout)
    assert (found["accounts"], found["invoices"], found["seed"]) == (5, 70, 3)
    assert found["lines"] > 70
    assert found["rows_per_second"] > 0


def test_tables_with_rows_are_refused_in_one_line(migrated_database_url: URL) -> None:
    arguments = ("sample", "--accounts=5", "--invoices=70")
    assert invoicing(migrated_database_url, *arguments).returncode == 0
    again = invoicing(migrated_database_url, *arguments)
    assert again.returncode == 1
    assert again.stdout == ""
    assert len(again.stderr.splitlines()) == 1
    assert "70 in invoice" in again.stderr
    assert invoicing(migrated_database_url, *arguments, "--replace").returncode == 0


def test_at_a_terminal_replace_asks_before_it_deletes(migrated_database_url: URL) -> None:
    arguments = ("sample", "--accounts=5", "--invoices=70", "--replace")
    outer, inner = pty.openpty()
    with os.fdopen(inner) as terminal, os.fdopen(outer, "wb", buffering=0) as typed:
        typed.write(b"n\n")
        asked = invoicing(migrated_database_url, *arguments, stdin=terminal)
        assert "Delete all accounts, invoices and lines in" in asked.stderr
        assert asked.returncode == 1
        assert invoicing(migrated_database_url, *arguments, "--yes", stdin=terminal).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--accounts=0", "--invoices=1"),
        ("--accounts=1", "--invoices=-1"),
        ("--accounts=1", "--invoices=1", "--seed=-1"),
        ("--accounts=1",),
        ("--accounts=many", "--invoices=1"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_ends_with_2(
    migrated_database_url: URL, arguments: tuple[str, ...]
) -> None:
    assert invoicing(migrated_database_url, "sample", *arguments).returncode == 2


def test_a_database_without_tables_says_what_to_run(empty_database_url: URL) -> None:
    done = invoicing(empty_database_url, "sample", "--accounts=1", "--invoices=1")
    assert done.returncode == 1
    assert "invoicing db upgrade" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_help_has_an_example(empty_database_url: URL) -> None:
    done = invoicing(empty_database_url, "sample", "--help")
    assert "Example: invoicing sample --accounts 200 --invoices 20000" in done.stdout
