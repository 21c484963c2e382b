"""A fresh database for each test, on every PostgreSQL this machine has.

`INVOICING_TEST_URLS` (space-separated URLs of a superuser) names running servers to use instead of
starting our own.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from invoicing.db import Database, parse_url
from invoicing.db.migrations import upgrade
from invoicing.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.engine import URL

TEMPLATE = "invoicing_test_template"


def server_names() -> list[str]:
    """Name the servers to test on."""
    return os.environ.get("INVOICING_TEST_URLS", "").split()


@pytest.fixture(scope="session", params=server_names())
def server_url(request: pytest.FixtureRequest) -> URL:
    """Return a superuser's URL of a server; each test that needs one runs on each server."""
    return parse_url(request.param)


async def execute(url: URL, *statements: str) -> None:
    """Run `statements`, each by itself, outside a transaction."""
    connection = await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def template(server_url: URL) -> Iterator[str]:
    """Make the migrated database that every test's own is cloned from."""
    name = f"{TEMPLATE}_{uuid4().hex[:8]}"

    async def make() -> None:
        await execute(server_url, f"CREATE DATABASE {name}")
        async with Database(server_url.set(database=name), Settings()) as database:
            await upgrade(database)

    asyncio.run(make())
    yield name
    asyncio.run(execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def empty_database_url(server_url: URL) -> AsyncIterator[URL]:
    """Yield the URL of a database in which no migration has run."""
    name = f"test_{uuid4().hex[:12]}"
    await execute(server_url, f"CREATE DATABASE {name}")
    yield server_url.set(database=name)
    await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def migrated_database_url(server_url: URL, template: str) -> AsyncIterator[URL]:
    """Yield the URL of a fresh database at the newest migration."""
    name = f"test_{uuid4().hex[:12]}"
    await execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield server_url.set(database=name)
    await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(migrated_database_url: URL) -> AsyncIterator[Database]:
    """Yield a fresh database at the newest migration."""
    async with Database(migrated_database_url, Settings()) as database:
        yield database
