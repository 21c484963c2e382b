"""`invoicing dashboard` and `invoicing accounts`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from rich.console import Console

from invoicing.cli import dashboard as dashboards
from invoicing.db import Database
from invoicing.models import InvoiceStatus
from invoicing.schemas.dashboard import AccountDashboard, InvoiceSummary
from invoicing.settings import Settings
from tests.cli.here import run_here
from tests.factories import create_account, create_invoice

if TYPE_CHECKING:
    import subprocess

    from sqlalchemy.engine import URL

    from invoicing.models import Account


class MoreOfAnInvoice(InvoiceSummary):
    updated_at: datetime


def run(url: URL | str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    address = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    wide = os.environ | {"DATABASE_URL": address, "COLUMNS": "100"}
    return run_here(wide | environment, *arguments, stdin=StringIO())


@pytest.fixture
async def account(migrated_database_url: URL) -> Account:
    account = create_account(name="Aurora [bold]Optics")
    create_invoice(account, currency="JPY", line_cents=[1500, 34], amount_cents=2000)
    create_invoice(account, status=InvoiceStatus.DRAFT, issued_at=None, line_cents=[123456])
    database = Database(migrated_database_url, Settings())
    async with database, database.transaction() as session:
        session.add_all([account, create_account(name="Zeta")])
    return account


def test_a_field_that_is_added_to_the_schema_is_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboards, "InvoiceSummary", MoreOfAnInvoice)
    invoice = MoreOfAnInvoice(
        id=uuid4(),
        amount_cents=5,
        currency="EUR",
        status=InvoiceStatus.OPEN,
        issued_at=None,
        created_at=datetime(2026, 8, 1, tzinfo=UTC),
        lines_total_cents=5,
        updated_at=datetime(2026, 8, 3, tzinfo=UTC),
    )
    account = AccountDashboard(id=uuid4(), name="Aurora", plan="team", invoices=[invoice])
    console = Console(file=StringIO(), width=200)
    console.print(dashboards.dashboard_table(account))
    shown = console.file.getvalue()
    assert "Updated at" in shown
    assert "2026-08-03" in shown


def test_a_dashboard_shows_money_with_its_currency_and_what_does_not_add_up(
    migrated_database_url: URL, account: Account
) -> None:
    shown = run(migrated_database_url, "dashboard", str(account.id))
    assert shown.returncode == 0, shown.stderr
    assert "Aurora [bold]Optics" in shown.stdout
    (yen,) = [line for line in shown.stdout.splitlines() if "JPY" in line]
    assert [cell.strip() for cell in yen.split("│")[4:7]] == ["2,000 JPY", "1,534 JPY", "-466 JPY"]
    (draft,) = [line for line in shown.stdout.splitlines() if "draft" in line]
    assert [cell.strip() for cell in draft.split("│")[2:7]] == [
        "",
        "draft",
        "1,234.56 EUR",
        "1,234.56 EUR",
        "",
    ]


def test_json_is_the_whole_dashboard(migrated_database_url: URL, account: Account) -> None:
    shown = run(migrated_database_url, "dashboard", str(account.id), "--json")
    dashboard = json.loads(shown.stdout)
    assert dashboard["name"] == account.name
    assert {i["id"] for i in dashboard["invoices"]} == {str(i.id) for i in account.invoices}


def test_accounts_are_searched_and_counted(migrated_database_url: URL, account: Account) -> None:
    found = json.loads(
        run(migrated_database_url, "accounts", "--search", "OPTICS", "--json").stdout
    )
    assert found == [{"id": str(account.id), "name": account.name, "plan": "team", "invoices": 2}]
    shown = run(migrated_database_url, "accounts", "--limit", "1").stdout
    assert "1 of 2 accounts" in shown
    assert "--limit" in shown


def test_mistakes_are_one_line_and_an_exit_code(migrated_database_url: URL) -> None:
    unknown = run(migrated_database_url, "dashboard", str(uuid4()))
    assert unknown.returncode == 1
    assert unknown.stderr.count("\n") == 1
    assert "Run: invoicing accounts" in unknown.stderr
    assert run(migrated_database_url, "dashboard", "17").returncode == 1


def test_a_database_without_our_tables_says_what_to_run(empty_database_url: URL) -> None:
    shown = run(empty_database_url, "accounts")
    assert shown.returncode == 1
    assert "Run: invoicing db upgrade" in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_no_password_is_shown_when_no_server_answers() -> None:
    shown = run("postgresql://reader:top-secret@127.0.0.1:1/none", "accounts")
    assert shown.returncode == 1
    assert "reader:***@127.0.0.1:1" in shown.stderr
    assert "top-secret" not in shown.stderr + shown.stdout


def test_a_setting_that_cannot_be_used_is_named_without_its_value() -> None:
    shown = run("", "accounts", INVOICING_POOL_SIZE="s3cret")
    assert shown.returncode == 2
    assert "INVOICING_POOL_SIZE" in shown.stderr
    assert "s3cret" not in shown.stderr


COMMANDS = ("dashboard", "accounts", "demo", "notebooks", "sample", "load", "db start", "db psql")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    group, _, verb = command.partition(" ")
    arguments = [group, verb, "--help"] if verb else [group, "--help"]
    if command == "db psql":  # whose options are psql's own
        arguments = ["db", "--help"]
    shown = run("", *arguments)
    assert shown.returncode == 0
    assert "Example: invoicing" in shown.stdout or command == "db psql"
