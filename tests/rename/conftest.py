"""A server that a test may kill, lag behind, or fill: shared by the tests of one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.postgres import find_installations
from tests.conftest import UNSAFE, execute, throw_away_server
from tests.rename.bills import make_bills
from tests.rename.faults import own_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server

ONE_A_MAJOR = {installation.major: installation for installation in find_installations()}
# What is acknowledged has to be there after a kill; only the machine itself may not stop.
KILLABLE = UNSAFE | {
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_prepared_transactions": "5",
}
WATCHED = UNSAFE | {"shared_preload_libraries": "pg_stat_statements", "wal_level": "logical"}


each_major = pytest.fixture(scope="module", params=ONE_A_MAJOR.values(), ids=map(str, ONE_A_MAJOR))


@each_major
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Yield a server that a test may kill."""
    with throw_away_server(request.param, KILLABLE) as server:
        yield server


@each_major
def watched_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Yield a server that keeps statistics of statements, and can replicate a table."""
    with throw_away_server(request.param, WATCHED) as server:
        yield server


@pytest.fixture
def bare_url(empty_database_url: URL) -> URL:
    """Return the URL of a database in which a test makes a table of its own."""
    return empty_database_url


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    """Return the URL of a database with bills."""
    return await make_bills(empty_database_url)


@pytest.fixture
async def watched_url(watched_server: Server) -> URL:
    """Return the URL of a database with bills and with `pg_stat_statements`."""
    url = await own_database(watched_server)
    await execute(url, "CREATE EXTENSION pg_stat_statements")
    return await make_bills(url)


@pytest.fixture
async def other_url(watched_server: Server, watched_url: URL) -> URL:
    """Return the URL of another database there, with the same bills."""
    url = watched_server.url(f"{watched_url.database}_other")
    await execute(watched_server.url(), f"CREATE DATABASE {url.database}")
    return await make_bills(url)
