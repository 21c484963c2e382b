"""`invoicing report`: pages that need nothing, of one account or many, and of a rename."""

from __future__ import annotations

import json
import os
import re
from html import unescape
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from invoicing.db import Database
from invoicing.money import format_money
from invoicing.sample import load_sample
from invoicing.services import (
    get_account_with_invoices,
    list_accounts,
    monthly_totals,
    status_breakdown,
)
from invoicing.settings import Settings
from invoicing.toolkit.rename import Rename, Target
from tests.cli.here import run_apart
from tests.conftest import execute

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from sqlalchemy.engine import URL

SECRET = "pass%40word-of-the-test"
UNKNOWN = UUID(int=0)


def report(url: URL, *arguments: str) -> subprocess.CompletedProcess[str]:
    return invoicing(url, "report", *arguments)


def invoicing(url: URL, *arguments: str) -> subprocess.CompletedProcess[str]:
    address = url.render_as_string(hide_password=False)
    # A password that the server does not ask for, and that is still secret.
    secret = address.replace("@", f":{SECRET}@", 1)
    return run_apart(os.environ | {"DATABASE_URL": secret}, *arguments)


def needs_nothing(page: str) -> bool:
    """Tell whether a page loads nothing from anywhere else."""
    loads = re.findall(r"""(?:src|href)=["']?([^"' >]+)|url\(([^)]+)\)|@import""", page)
    outside = [
        link for pair in loads for link in pair if link and not link.startswith(("data:", "#"))
    ]
    return not outside and "<script" not in page and SECRET not in page


@pytest.fixture
async def accounts(migrated_database_url: URL) -> list[UUID]:
    """Return the ids of three accounts with invoices."""
    async with Database(migrated_database_url, Settings()) as database:
        await load_sample(database, accounts=3, invoices=90)
        async with database.read_only() as session:
            return [account.id for account in await list_accounts(session)]


async def secrets_of(url: URL, account_id: UUID) -> set[str]:
    """Return what tells of an account: its name, its ids, and its sums."""
    async with Database(url, Settings()) as database, database.read_only() as session:
        account = await get_account_with_invoices(session, account_id)
        totals = await monthly_totals(session, account_id=account_id)
        statuses = await status_breakdown(session, account_id=account_id)
    amounts = {(total.billed_cents, total.currency) for total in totals}
    amounts |= {(status.amount_cents, status.currency) for status in [*statuses, *account.invoices]}
    return {
        account.name,
        str(account.id),
        *(str(invoice.id) for invoice in account.invoices),
        *(format_money(*amount) for amount in amounts if amount[0]),
    }


async def test_a_page_of_one_account_shows_no_other_and_nothing_for_developers(
    migrated_database_url: URL, accounts: list[UUID], tmp_path: Path
) -> None:
    own, *others = [await secrets_of(migrated_database_url, account) for account in accounts]
    run = report(migrated_database_url, "dashboard", accounts[0], "--out", tmp_path / "page.html")
    assert run.returncode == 0, run.stderr
    page = unescape((tmp_path / "page.html").read_text())
    assert sum(secret in page for secret in own) > 12
    assert [secret for secret in set().union(*others) - own if secret in page] == []
    for word in ("database", "statement", "session", "postgres", "Int64", "await", "import", "SQL"):
        assert word not in page
    assert "of all accounts" not in page
    assert "largest accounts" not in page


def test_an_account_without_invoices_has_a_page(migrated_database_url: URL, tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("id,name,plan\nE3,New customer,basic\n")
    assert invoicing(migrated_database_url, "load", tmp_path / "accounts.csv").returncode == 0
    run = report(migrated_database_url, "dashboard", "E3", "--out", tmp_path / "page.html")
    assert run.returncode == 0, run.stderr
    assert "New customer (basic plan)" in unescape((tmp_path / "page.html").read_text())


async def test_a_page_counts_no_invoice_after_its_day(
    migrated_database_url: URL, tmp_path: Path
) -> None:
    """Months and ageing of one page are of the same invoices."""
    (tmp_path / "accounts.csv").write_text("id,name,plan\nE1,Acme,basic\n")
    (tmp_path / "invoices.csv").write_text(
        "id,account_id,status,amount_cents,currency,issued_at\n"
        "I1,E1,open,111,EUR,2026-06-30T23:59:59Z\nI2,E1,open,555,EUR,2026-07-01T00:00:00Z\n"
    )
    loaded = invoicing(
        migrated_database_url, "load", tmp_path / "accounts.csv", "--invoices",
        tmp_path / "invoices.csv",
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    out = tmp_path / "page.html"
    run = report(migrated_database_url, "dashboard", "E1", "--out", out, "--as-of", "2026-06-30")
    assert run.returncode == 0, run.stderr
    page = unescape(out.read_text())
    assert "Jul 2026" not in page
    assert "2026-07-01" not in page.partition("Since")[2]


def test_an_ambiguous_name_is_listed_and_an_empty_one_refused(
    migrated_database_url: URL, accounts: list[UUID], tmp_path: Path
) -> None:
    listed = json.loads(invoicing(migrated_database_url, "accounts", "--json").stdout)
    letter = min(set.intersection(*({*account["name"].lower()} - {" "} for account in listed)))
    for command in (["report", "dashboard"], ["dashboard"]):
        out = ["--out", tmp_path / "page.html"] if command[0] == "report" else []
        run = invoicing(migrated_database_url, *command, letter, *out)
        assert run.returncode == 2
        assert all(str(account_id) in run.stderr for account_id in accounts)
        assert run.stderr.count("\n") == 1
        run = invoicing(migrated_database_url, *command, "", *out)
        assert (run.returncode, "name is empty" in run.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_pages_of_many_accounts_need_nothing(
    migrated_database_url: URL, accounts: list[UUID], tmp_path: Path
) -> None:
    (tmp_path / "ids").write_text("\n".join(map(str, accounts[1:])), encoding="utf-8-sig")
    asked = [accounts[0], "--from-file", tmp_path / "ids", "--as-of", "2026-06-30"]
    run = report(migrated_database_url, "dashboard", *asked, "--out", tmp_path / "pages")
    assert run.returncode == 0, run.stderr
    pages = {path.stem: path.read_text() for path in (tmp_path / "pages").iterdir()}
    assert set(pages) == set(map(str, accounts))
    for account_id, page in pages.items():
        assert needs_nothing(page)
        assert f"account {account_id}" in page
        assert "In&nbsp;[" not in page
        assert re.search(r"text-align: right[^>]*>[\d,.]+ [A-Z]{3}<", page)
    titles = {
        re.search(r"<title>(.+): An account at a glance</title>", page)[1]
        for page in pages.values()
    }
    assert len(titles) == len(accounts)
    assert SECRET not in run.stdout + run.stderr


def test_an_account_that_is_not_there_does_not_stop_the_others(
    migrated_database_url: URL, accounts: list[UUID], tmp_path: Path
) -> None:
    asked = [accounts[0], UNKNOWN, "no such name"]
    run = report(migrated_database_url, "dashboard", *asked, "--out", tmp_path / "pages")
    assert run.returncode == 1
    assert [path.stem for path in (tmp_path / "pages").iterdir()] == [str(accounts[0])]
    assert "1 of 3 written" in run.stdout
    assert f"no account has the id {UNKNOWN}" in run.stderr
    assert "no such name: " in run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the accounts"),
        ([UNKNOWN, "--all"], "one of these"),
        ([UNKNOWN, "--from-file", "ids"], "line 2: 'no id'"),
        ([UNKNOWN, "--as-of", "tomorrow"], "write it as 2026-06-30"),
        ([UNKNOWN], f"no account has the id {UNKNOWN}"),
        (["no-such-name"], "no account's name contains 'no-such-name'"),
    ],
)
def test_mistakes_are_named_before_a_kernel_is_started(
    migrated_database_url: URL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids").write_text(f"{UNKNOWN}\nno id\n")
    run = report(migrated_database_url, "dashboard", *arguments, "--out", "page.html")
    assert run.returncode == (1 if said.startswith("no account") else 2)
    assert said in run.stderr
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("what", "out"), [("loading", "pages"), ("rename bill amt cents", "ids/page.html")]
)
def test_where_nothing_can_be_written_nothing_is_begun(
    migrated_database_url: URL, tmp_path: Path, what: str, out: str
) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "ids").write_text("")
    run = report(migrated_database_url, *what.split(), "--out", tmp_path / out)
    assert run.returncode == 2
    assert run.stderr.startswith(f"invoicing: cannot write {tmp_path / out}: ")
    assert run.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["ids", "pages"]


async def test_the_record_of_a_rename_is_a_page_and_json(
    empty_database_url: URL, tmp_path: Path
) -> None:
    await execute(
        empty_database_url,
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint NOT NULL)",
        "INSERT INTO bill VALUES (1, 100)",
    )
    asked = ["rename", "bill", "amt", "cents", "--json", "--out", tmp_path / "page.html"]
    run = report(empty_database_url, *asked)
    assert (run.returncode, "no phase has run yet" in run.stderr) == (2, True)
    async with Database(empty_database_url, Settings()) as database:
        await Rename(database, Target("bill", "amt", "cents")).expand()
    run = report(empty_database_url, *asked)
    assert run.returncode == 0, run.stderr
    assert [load["phase"] for load in json.loads(run.stdout)["runs"]] == ["expand"]
    assert needs_nothing((tmp_path / "page.html").read_text())
    assert SECRET not in run.stdout + run.stderr
