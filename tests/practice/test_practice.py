"""A practice database is made once, found again, and goes away with all that is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from invoicing.db.databases import quoted_name
from invoicing.errors import StatementFailedError
from invoicing.practice import drop_practice, open_practice, try_under_traffic
from invoicing.practice.database import _UNFINISHED
from tests.conftest import execute

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def practice_url(server_url: URL) -> URL:
    return server_url.set(database=f'practice "{uuid4().hex[:6]}')


async def test_a_practice_database_has_the_old_name_and_is_found_as_it_was_left(
    server_url: URL,
) -> None:
    url = practice_url(server_url)
    database = await open_practice(url, invoices=200)
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(amt) FROM invoice")) == 200
        await session.execute(text("UPDATE invoice SET amt = 7"))
    await database.dispose()
    again = await open_practice(url, invoices=5_000)
    async with again.read_only() as session:
        found = await session.execute(text("SELECT DISTINCT amt, count(*) OVER () FROM invoice"))
        assert found.all() == [(7, 200)]
    await drop_practice(again)
    with pytest.raises(Exception, match="does not exist"):
        await execute(url, "SELECT 1")


async def test_one_whose_making_was_interrupted_is_made_anew(server_url: URL) -> None:
    url = practice_url(server_url)
    made = await open_practice(url, invoices=10)
    await made.dispose()
    unfinished = f"COMMENT ON DATABASE {quoted_name(url)} IS '{_UNFINISHED}'"
    await execute(url, unfinished, "ALTER TABLE invoice RENAME amt TO amount_cents")
    again = await open_practice(url, invoices=20)
    async with again.read_only() as session:
        assert await session.scalar(text("SELECT count(amt) FROM invoice")) == 20
    await drop_practice(again)


async def test_who_may_not_create_databases_learns_it(server_url: URL) -> None:
    clerk = f"clerk_{uuid4().hex[:6]}"
    await execute(server_url, f"CREATE ROLE {clerk} LOGIN")
    try:
        with pytest.raises(StatementFailedError, match="permission denied"):
            await open_practice(practice_url(server_url).set(username=clerk), invoices=1)
    finally:
        await execute(server_url, f"DROP ROLE {clerk}")


async def test_a_trial_says_what_failed_and_leaves_no_database(server_url: URL) -> None:
    url = server_url.set(database=f"trial_{uuid4().hex[:6]}")
    trial = await try_under_traffic(url, ["ALTER TABLE invoice RENAME amt TO amount_cents"])
    assert trial.figures.failed > 0
    assert trial.sqlstates == ["42703"]
    assert trial.ledger.intact
    with pytest.raises(Exception, match="does not exist"):
        await execute(url, "SELECT 1")
