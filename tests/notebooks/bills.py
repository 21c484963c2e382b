"""A table of bills to rename a column of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import execute

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def create_bills(url: URL, rows: int) -> None:
    await execute(
        url,
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint NOT NULL)",
        f"INSERT INTO bill SELECT n, n FROM generate_series(1, {rows}) AS n",
        "ANALYZE bill",
    )
