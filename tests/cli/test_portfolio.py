"""`invoicing portfolio`, on a database of the newest server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from tests.cli.rename_line import CommandLine
from tests.conftest import execute

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

ACCOUNT = "INSERT INTO account (id, name, plan) VALUES (gen_random_uuid(), 'A', 'team')"
INVOICE = (
    "INSERT INTO invoice (id, account_id, amount_cents, currency)"
    " SELECT gen_random_uuid(), id, 5, 'EUR' FROM account"
)


def test_the_roll_up_from_build_to_drop(migrated_database_url: URL) -> None:
    """Each command says what it did, and what to run where it can do nothing."""
    invoicing = CommandLine(migrated_database_url)
    refused = invoicing("portfolio", "fold")
    assert refused.returncode == 1
    assert "has not been built" in refused.stderr
    assert "invoicing portfolio build" in refused.stderr
    assert invoicing("portfolio", "build").returncode == 0
    asyncio.run(execute(migrated_database_url, ACCOUNT, INVOICE))
    status = json.loads(invoicing("portfolio", "status", "--json").stdout)
    assert (status["usable"], status["unfolded"]) == (True, 1)
    assert "Folded 1 changes" in invoicing("portfolio", "fold").stdout
    assert "All 2 totals" in invoicing("portfolio", "check").stdout
    own = "SET invoicing.rollup = 'on'"
    asyncio.run(execute(migrated_database_url, own, "DELETE FROM invoice_day_total"))
    wrong = invoicing("portfolio", "check")
    assert wrong.returncode == 1
    assert "invoice_day_total" in wrong.stdout
    assert "1 row of totals is not" in wrong.stdout
    assert invoicing("portfolio", "drop").returncode == 0
    assert "no: it has not been built" in invoicing("portfolio", "status").stdout
