"""A database whose roll-up is built, on the newest server unless a test asks for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.rollup import build_rollup
from tests.conftest import newest_server_url

if TYPE_CHECKING:
    from invoicing.db import Database

server_url = newest_server_url


@pytest.fixture
async def rolled_up(database: Database) -> Database:
    """Return an empty database with the roll-up built."""
    await build_rollup(database)
    return database
