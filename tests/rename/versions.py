"""What only some versions of PostgreSQL know: a test of it runs on no other, and is not skipped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.db import parse_url
from tests.conftest import server_names
from tests.rename.faults import connected

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.engine import URL


async def version_of(url: URL) -> int:
    async with connected(url) as connection:
        return connection.get_server_version().major


def _knows_18(name: str) -> bool:
    return (int(name) if name.isdigit() else asyncio.run(version_of(parse_url(name)))) >= 18


since_18 = pytest.mark.parametrize(
    "server_url", [name for name in server_names() if _knows_18(name)], indirect=True
)


def on_newest(
    name: str, cases: Collection[str], *, on_all: Collection[str] = ()
) -> pytest.MarkDecorator:
    """Run each case on the newest server, and `on_all` where the catalog or the DDL differ."""
    newest, *others = server_names()
    pairs = [(newest, case) for case in cases]
    pairs += [(server, case) for server in others for case in cases if case in on_all]
    return pytest.mark.parametrize(("server_url", name), pairs, indirect=["server_url"])
