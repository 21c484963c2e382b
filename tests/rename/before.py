"""Invoices as they were before the rename: with `amt` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.sample import load_sample
from invoicing.settings import Settings
from tests.conftest import execute
from tests.rename.faults import own_sample

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server

# What names itself after the column has to be as old as the column: since 18 NOT NULL does.
_NOT_NULL = """
DO $$ BEGIN
    ALTER TABLE invoice RENAME CONSTRAINT invoice_amount_cents_not_null TO invoice_amt_not_null;
EXCEPTION WHEN undefined_object THEN NULL;
END $$
"""


async def take_back_the_name(url: URL) -> None:
    """Give the amounts of a migrated database their old name."""
    await execute(url, "ALTER TABLE invoice RENAME amount_cents TO amt", _NOT_NULL)


async def load_before(url: URL, *, accounts: int = 20, invoices: int) -> URL:
    """Load invoices into a migrated database, give the amounts their old name; return its URL."""
    async with Database(url, Settings()) as database:
        await load_sample(database, accounts=accounts, invoices=invoices)
    await take_back_the_name(url)
    return url


def before_the_rename(*, accounts: int = 20, invoices: int) -> object:
    """Return the fixture `url`: a database as it was before the rename, with `amt` alone."""

    @pytest.fixture
    async def url(migrated_database_url: URL) -> URL:
        return await load_before(migrated_database_url, accounts=accounts, invoices=invoices)

    return url


async def own_sample_before(server: Server, invoices: int) -> URL:
    """Return the URL of a new database of `server` with so many invoices."""
    url = await own_sample(server, invoices)
    await take_back_the_name(url)
    return url
