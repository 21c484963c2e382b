"""Files to load, written beside each other, and what the database holds afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoicing.db import Database

ACCOUNTS = "id,name,plan\nA-1,Aurora Optics,team\nA-2,Brandt,free\n"
INVOICES = (
    "id,account_id,amount_cents,currency,status,issued_at,created_at\n"
    "I-1,A-1,1500,EUR,paid,2026-08-03,2026-08-01T09:30:00Z\n"
    "I-2,A-2,900,JPY,open,2026-10-05T10:00:00+02:00,2026-10-01\n"
)
LINES = "id,invoice_id,description,total_cents\n1,I-1,Seats,1000\n2,I-1,,500\n3,I-2,Disk,900\n"


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    """Return a function that writes the three files, the given ones in place of the good ones."""

    def write(**contents: str | bytes | None) -> dict[str, Path]:
        written = {}
        default = {"accounts": ACCOUNTS, "invoices": INVOICES, "lines": LINES}
        for kind, content in (default | contents).items():
            if content is not None:
                data = content.encode() if isinstance(content, str) else content
                written[kind] = tmp_path / f"{kind}.csv"
                written[kind].write_bytes(data)
        return written

    return write


async def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.read_only() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the three tables, xmin too: it moves when a row is written again."""
    return {
        table: await rows(database, f"SELECT *, xmin::text FROM {table} ORDER BY id")
        for table in ("account", "invoice", "invoice_line")
    }
