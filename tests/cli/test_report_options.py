"""`invoicing report` with parameters, data beside the pages, a list of them, and for insiders."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING

import pytest

from tests.cli.here import run_here
from tests.cli.test_report import UNKNOWN, accounts, needs_nothing, report
from tests.conftest import newest_server_url

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy.engine import URL

server_url = newest_server_url
__all__ = ["accounts", "server_url"]


def test_pages_with_parameters_data_and_a_list(
    migrated_database_url: URL, accounts: list[UUID], tmp_path: Path
) -> None:
    options = ["--as-of", "2026-06-30", "--index", "--csv", "-p", "status=open", "--jobs", "1"]
    asked = [*accounts, *options]
    run = report(migrated_database_url, "dashboard", *asked, "--out", tmp_path / "pages")
    assert run.returncode == 0, run.stderr
    index = (tmp_path / "pages" / "index.html").read_text()
    assert "http" not in index
    for account_id in accounts:
        assert f'href="{account_id}.html"' in index
        assert f'href="{account_id}.csv"' in index
        with (tmp_path / "pages" / f"{account_id}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["status"] for row in rows} <= {"open"}
        page = (tmp_path / "pages" / f"{account_id}.html").read_text()
        assert "Headline figures" not in page, "what a page for a customer does not have"
        assert '<img alt="' in page


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nothing=1", "its parameters are: account, as_of, currency, months, status"),
        ("months=many", "a number for a number"),
        ("months", "Write NAME=VALUE"),
        ("account=x", "name the accounts as arguments"),
        ("status=lost", "is not one of draft, open, paid, void"),
    ],
)
def test_parameters_that_do_not_fit_are_named_before_a_kernel_is_started(
    migrated_database_url: URL, tmp_path: Path, given: str, said: str
) -> None:
    out = tmp_path / "page.html"
    address = migrated_database_url.render_as_string(hide_password=False)
    asked = ["report", "dashboard", str(UNKNOWN), "--out", str(out), "-p", given]
    run = run_here(os.environ | {"DATABASE_URL": address}, *asked)
    assert (run.returncode, said in run.stderr) == (2, True), run.stderr
    assert not out.exists()


def test_an_internal_page_has_what_a_customer_does_not_see(
    migrated_database_url: URL, accounts: list[UUID], tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    asked = ["dashboard", accounts[0], "--internal", "--as-of", "2026-06-30", "--out", out]
    run = report(migrated_database_url, *asked)
    assert run.returncode == 0, run.stderr
    page = out.read_text()
    assert needs_nothing(page)
    assert "Headline figures" in page
    assert "Days sales outstanding" in page
    assert "account_page" not in page, "no code"
