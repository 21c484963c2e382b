"""What only some versions of PostgreSQL know: a test of it runs on no other, and is not skipped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.db import parse_url
from tests.conftest import server_names
from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def version_of(url: URL) -> int:
    async with connected(url) as connection:
        return connection.get_server_version().major


def _knows_18(name: str) -> bool:
    return (int(name) if name.isdigit() else asyncio.run(version_of(parse_url(name)))) >= 18


since_18 = pytest.mark.parametrize(
    "server_url", [name for name in server_names() if _knows_18(name)], indirect=True
)
