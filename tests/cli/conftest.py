"""What several tests of the command line share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.cli.rename_line import ROWS, CommandLine
from tests.conftest import execute, newest_server_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

server_url = newest_server_url


@pytest.fixture
def invoicing(empty_database_url: URL) -> CommandLine:
    """Return the command line, on a database with one table of `ROWS` rows."""
    make = (
        "CREATE TABLE invoice (id bigint PRIMARY KEY, amt bigint NOT NULL)",
        f"INSERT INTO invoice SELECT n, n * 100 FROM generate_series(1, {ROWS}) AS n",
        "CREATE INDEX ix_invoice_amt ON invoice (amt)",
        "ANALYZE invoice",
    )
    asyncio.run(execute(empty_database_url, *make))
    return CommandLine(empty_database_url)
