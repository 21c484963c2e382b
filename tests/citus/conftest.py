"""Units on a cluster: `INVOICING_TEST_CITUS_URL` names the coordinator's database.

Tests of other rooms run here again, on the `database` of this file: a distributed schema.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from invoicing.db import Database, parse_url
from invoicing.db.migrations import upgrade
from invoicing.db.url import quoted
from invoicing.settings import Settings
from invoicing.units import distribute
from tests.conftest import execute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

VARIABLE = "INVOICING_TEST_CITUS_URL"


@pytest.fixture
def cluster_url() -> URL:
    """Return the URL of a superuser on the coordinator."""
    if not os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} names no coordinator of a Citus cluster")
    return parse_url(os.environ[VARIABLE])


@asynccontextmanager
async def schema(url: URL) -> AsyncIterator[Database]:
    """Yield a new schema, empty, of a name that needs quotes; it is dropped at the end."""
    name = f'Unit "{uuid4().hex[:8]}"'
    await execute(url, f"CREATE SCHEMA {quoted(name)}")
    try:
        async with Database(url, Settings(INVOICING_SCHEMA=name)) as database:
            yield database
    finally:
        await execute(url, f"DROP SCHEMA {quoted(name)} CASCADE")


@asynccontextmanager
async def unit(url: URL) -> AsyncIterator[Database]:
    """Yield a migrated schema that is distributed."""
    async with schema(url) as database:
        await upgrade(database)
        await distribute(database)
        yield database


@pytest.fixture
async def database(cluster_url: URL) -> AsyncIterator[Database]:
    """Yield a migrated unit, in place of the database of other rooms."""
    async with unit(cluster_url) as database:
        yield database
