"""A database for a page: empty, on the newest server, for what is shown is one server's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import fresh_database, server_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.engine import URL


@pytest.fixture(scope="session")
def newest_server(servers: Callable[[str], URL]) -> URL:
    """Return the URL of the newest server."""
    return servers(server_names()[0])


@pytest.fixture
async def docs_database_url(newest_server: URL) -> AsyncIterator[URL]:
    """Yield the URL of an empty database."""
    async with fresh_database(newest_server) as url:
        yield url
