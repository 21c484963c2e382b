"""A limit on transactions that a database or a role has set ends no rename, nor its script."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Phase, Rename, Target
from tests.conftest import execute, fresh_database
from tests.migrations.loans import SUM, TABLE, columns, fetch, total
from tests.migrations.project import OPTIONS, make_project, psql, write_script
from tests.migrations.test_tenants import upgrade
from tests.rename.faults import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy import URL, Connection


UNTIL_WAITED_FOR = """
DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'loan'::regclass AND NOT granted) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    PERFORM pg_sleep(0.08);
END $$
"""


@pytest.fixture
async def loans(newest_server_url: URL) -> AsyncIterator[URL]:
    """Yield a database on a server that knows the limit."""
    async with fresh_database(newest_server_url) as url:
        if await fetch(url, "SELECT current_setting('server_version_num')::int") < 170000:
            pytest.skip("no server here knows transaction_timeout")
        await execute(url, *TABLE)
        yield url


@contextmanager
def busy(url: URL) -> Iterator[None]:
    """Write to the table until a rename has waited for it for longer than a transaction may last.

    A small table's phases are over too soon, on a fast machine, for any limit to end them.
    """
    holds = threading.Event()

    async def hold() -> None:
        client = await connect(url)
        try:
            async with client.transaction():
                await client.execute("LOCK TABLE loan IN ROW EXCLUSIVE MODE")
                holds.set()
                await client.execute(UNTIL_WAITED_FOR, timeout=60)
        finally:
            await client.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert holds.wait(30)
    yield
    thread.join(60)
    assert not thread.is_alive()


def hasty(url: URL) -> URL:
    """Return the URL of sessions whose transactions last no longer than a statement or two."""
    return url.update_query_dict({"options": "-c transaction_timeout=40"})


async def test_every_phase_lasts_as_long_as_it_has_to(loans: URL) -> None:
    async with Database(hasty(loans), Settings()) as database:
        rename = Rename(database, Target("loan", "fee", "fee_cents"), OPTIONS)
        assert not (await rename.plan()).refusals
        assert (await rename.status()).phase is Phase.NONE
        with busy(loans):
            await rename.expand()
        await rename.backfill()
        await rename.verify()
        assert (await rename.counts()).rows
        assert (await rename.status()).phase is Phase.VERIFIED
        await rename.contract(confirm="loan.fee")
    assert await total(loans, "fee_cents") == SUM


async def test_a_connection_of_the_dashboards_is_not_too_hasty_for_a_status(loans: URL) -> None:
    async with Database(loans, Settings(pool_size=1)) as database:
        async with database.read_only() as session:
            await session.execute(text("SET transaction_timeout = '1ms'"))
        await Rename(database, Target("loan", "fee", "fee_cents"), OPTIONS).status()


async def test_a_migration_renames_all_the_same(
    loans: URL, newest_server_url: URL, tmp_path: Path
) -> None:
    limit = f"ALTER DATABASE {loans.database} SET transaction_timeout"

    def hurry(connection: Connection) -> None:
        """Limit the rename's own connections; the migration's is the project's."""
        connection.execute(text(f"{limit} = '40ms'"))
        connection.commit()

    with busy(loans):
        await upgrade(make_project(tmp_path / "project"), loans, hurry)
    await execute(newest_server_url, f"{limit} = 0")
    assert "fee" not in await columns(loans)


async def test_a_script_renames_all_the_same(loans: URL, tmp_path: Path) -> None:
    begin = "operations.begin_script(context.get_context())"
    script = write_script(make_project(tmp_path / "project", begin=begin), "001:003")
    assert script.index("transaction_timeout") < script.index("BEGIN;")
    with busy(loans):
        ran = psql(loans, script, PGOPTIONS="-c transaction_timeout=40")
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert await total(loans, "fee_cents") == SUM
