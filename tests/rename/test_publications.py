"""What a publication sends on: the table, and the tables in which a rename keeps its progress."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.conftest import execute
from tests.rename.bills import make_bills, objections, published, renaming, verified
from tests.rename.faults import connected, own_database, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server

SLUGS = {"publication", "publication-columns"}


@pytest.fixture
async def url(watched_server: Server) -> URL:
    return await make_bills(await own_database(watched_server))


@asynccontextmanager
async def read_by_a_slot(url: URL) -> AsyncIterator[None]:
    """Keep a slot that publications are read by; a server has few."""
    slot = f"reads_{url.database}"
    await execute(url, f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    yield
    await execute(url, f"SELECT pg_drop_replication_slot('{slot}')")


@pytest.mark.parametrize("strategy", ["columns", "view"])
@pytest.mark.parametrize(
    "published",
    ["FOR ALL TABLES", "FOR ALL TABLES WITH (publish = 'insert')"],
)
async def test_a_publication_of_all_tables_is_refused_with_the_steps(
    url: URL, strategy: str, published: str
) -> None:
    await execute(url, f"CREATE PUBLICATION everything {published}")
    async with renaming(url, strategy=strategy) as rename, read_by_a_slot(url):
        refusals = {refusal.slug: refusal for refusal in (await rename.plan()).refusals}
        message = refusals["published-state"].message
        assert "CREATE TABLE IF NOT EXISTS invoicing_rename.rename (" in message.replace('"', "")
        assert "--accept published-state" in message
        assert "CREATE PUBLICATION everything FOR TABLE" in message


async def test_a_publication_of_the_states_schema_is_refused(url: URL) -> None:
    async with connected(url) as connection:
        if connection.get_server_version().major < 15:
            pytest.skip("PostgreSQL 15 brought it")
        await connection.execute(
            "CREATE SCHEMA invoicing_rename;"
            "CREATE PUBLICATION state FOR TABLES IN SCHEMA invoicing_rename"
        )
    async with renaming(url) as rename:
        assert (await rename.plan()).refusals == []
        async with read_by_a_slot(url):
            found = {refusal.slug for refusal in (await rename.plan()).refusals}
            assert found == {"published-state"}


async def test_a_publication_of_another_table_is_no_objection(url: URL) -> None:
    await execute(url, "CREATE TABLE other (id int)", "CREATE PUBLICATION p FOR TABLE other")
    async with renaming(url) as rename:
        assert (await rename.plan()).refusals == []


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_a_published_table_is_refused_while_a_slot_may_read_it(
    url: URL, strategy: str
) -> None:
    await execute(url, "CREATE PUBLICATION p FOR TABLE bill")
    slot = f"others_{url.database}"
    accept = frozenset({"logical-slot"} if strategy == "view" else ())
    async with renaming(url, strategy=strategy, accept=accept) as rename:
        (noted,) = [found for found in (await rename.plan()).findings if found.slug in SLUGS]
        assert noted.verdict == "noted"
        assert "no logical replication slot" in noted.message
        # Its plugin reads no publication.
        await execute(url, f"SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')")
        assert (await rename.plan()).refusals == []
        await verified(rename)
        await execute(url, f"SELECT pg_drop_replication_slot('{slot}')")
        async with read_by_a_slot(url):
            assert "publication" in await objections(rename)
            await rename.rollback()
            assert {found.slug for found in (await rename.plan()).refusals} == {"publication"}


async def test_a_published_table_whose_rows_cannot_be_updated_is_refused(url: URL) -> None:
    await execute(
        url,
        "ALTER TABLE bill DROP CONSTRAINT bill_pkey",
        "CREATE PUBLICATION p FOR TABLE bill",
    )
    async with renaming(url, accept=frozenset({"publication"})) as rename:
        (refusal,) = (await rename.plan()).refusals
        assert refusal.slug == "no-replica-identity"
        (statement,) = re.findall(r"Run: (.+?)\.(?: |$)", refusal.message)
        await execute(url, statement)
        await verified(rename)


async def test_a_subscriber_goes_on_after_the_steps_of_the_plan(
    watched_url: URL, other_url: URL
) -> None:
    url, name = watched_url, f"sub_{watched_url.database}"
    subscribe = await published(url, "everything", "ALL TABLES", name)
    accept = frozenset({"publication", "published-state"})
    async with renaming(url) as asking, renaming(url, accept=accept) as rename:
        (advice,) = [
            refusal
            for refusal in (await asking.plan()).refusals
            if refusal.slug == "published-state"
        ]
        steps = re.search(r"Run on each subscriber: (.*); without ALTER", advice.message)
        await execute(other_url, steps[1], "ALTER TABLE bill ADD amount_cents bigint")
        await execute(other_url, subscribe)
        try:
            await verified(rename)
            await execute(url, "INSERT INTO bill (id, amount_cents) VALUES (2001, 7)")
            async with connected(other_url) as client:
                await until(lambda: client.fetchval("SELECT 1 FROM bill WHERE id = 2001"))
                row = await client.fetchrow("SELECT amt, amount_cents FROM bill WHERE id = 7")
                assert tuple(row) == (70, 70)
        finally:
            await execute(other_url, f"DROP SUBSCRIPTION {name}")
