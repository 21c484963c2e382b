"""A foreign table that leads back works from the first phase to the last; its twin's does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.toolkit.rename.errors import ContractRefusedError
from tests.rename.faults import connected
from tests.rename.twin import OURS, TWIN, make_twins, renaming

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.model import Strategy

MADE = (
    "CREATE TABLE thing (id bigint PRIMARY KEY, amt bigint)",
    "INSERT INTO thing SELECT n, n FROM generate_series(1, 60) AS n",
    (
        "CREATE FOREIGN TABLE back (id bigint, amt bigint) SERVER back"
        " OPTIONS (schema_name '{schema}', table_name 'thing', updatable 'false')"
    ),
)


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    """Return a database with twins, and a server that leads to this very database."""
    url = empty_database_url
    options = {"host": url.query.get("host", url.host), "port": url.port, "dbname": url.database}
    said = ", ".join(f"{name} '{value}'" for name, value in options.items() if value)
    async with connected(url) as connection:
        await connection.execute(
            "CREATE EXTENSION postgres_fdw SCHEMA public;"
            f"CREATE SERVER back FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({said});"
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER back OPTIONS (user '{url.username}'"
            f", password '{url.password or ''}')"
        )
    await make_twins(url, MADE)
    return url


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_it_is_asked_for_by_its_old_name_until_its_option_is_set(
    url: URL, strategy: Strategy
) -> None:
    async with connected(url) as client, renaming(url, strategy=strategy) as rename:
        # What PostgreSQL's own rename does to it.
        await client.execute(f'ALTER TABLE "{TWIN}".thing RENAME amt TO cents')
        with pytest.raises(asyncpg.UndefinedColumnError):
            await client.fetchval(f'SELECT sum(amt) FROM "{TWIN}".back')

        def total() -> object:
            return client.fetchval(f'SELECT sum(amt)::int FROM "{OURS}".back')

        await rename.expand()
        await rename.backfill()
        assert await total() == 1830
        await rename.verify()
        with pytest.raises(ContractRefusedError, match="foreign-table"):
            await rename.contract(confirm="thing.amt")
        [said] = [f for f in (await rename.plan()).findings if f.slug == "foreign-table"]
        advice = said.message.partition("After the backfill: ")[2].partition(". Or, ")[0]
        await client.execute(advice)
        assert await total() == 1830
        await rename.contract(confirm="thing.amt")
        assert await total() == 1830


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_one_of_another_server_is_accepted(url: URL, strategy: Strategy) -> None:
    accept = frozenset({"foreign-table"})
    async with renaming(url, strategy=strategy, accept=accept) as rename:
        await rename.expand()
        await rename.backfill()
        await rename.verify()
        await rename.contract(confirm="thing.amt")
