"""A small table of one's own to rename a column of: generic, and quick to make."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from tests.conftest import execute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

TARGET = Target("bill", "amt", "amount_cents")
CONFIRM = "bill.amt"


async def make_bills(url: URL, rows: int = 1_000) -> URL:
    """Make the table with `amt` = 10 x `id`; return its database's URL."""
    await execute(
        url,
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint NOT NULL, note text)",
        f"INSERT INTO bill SELECT n, n * 10, 'note' FROM generate_series(1, {rows}) AS n",
    )
    return url


@asynccontextmanager
async def renaming(url: URL, table: str = "bill", **options: Any) -> AsyncIterator[Rename]:
    """Yield the rename of `amt`, in small batches and without patience."""
    chosen = {"batch_size": 100, "quiet": 0.2, "lock_timeout": 0.2, "lock_attempts": 3} | options
    async with Database(url, Settings()) as database:
        yield Rename(database, replace(TARGET, table=table), Options(**chosen))


async def verified(rename: Rename) -> None:
    """Walk to where the contract may come: both columns filled, NOT NULL, and equal."""
    await rename.expand()
    assert (await rename.backfill()).completed
    report = await rename.verify()
    assert report.ok, report


@asynccontextmanager
async def verified_rename(url: URL, **options: Any) -> AsyncIterator[Rename]:
    """Yield it where the contract may come."""
    async with renaming(url, **options) as rename:
        await verified(rename)
        yield rename


async def objections(rename: Rename) -> dict[str, str]:
    """Return what the gate has against the contract, by slug."""
    return {
        objection.slug: f"{objection.subject}: {objection.message}"
        for objection in (await rename.gate()).objections
    }


async def published(url: URL, publication: str, tables: str, slot: str) -> str:
    """Publish tables of a database from now on; return what makes a subscriber of another."""
    await execute(
        url,
        f"CREATE PUBLICATION {publication} FOR {tables}",
        f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')",
    )
    source = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return (
        f"CREATE SUBSCRIPTION {slot} CONNECTION '{source}' PUBLICATION {publication}"
        " WITH (create_slot = false, copy_data = false)"
    )
