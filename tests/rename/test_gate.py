"""The gate stays closed while anything still uses the old column, and says what (trap 10)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from invoicing.errors import ContractRefusedError
from invoicing.postgres import find_installations
from invoicing.rename import Phase
from tests.conftest import UNSAFE, execute, throw_away_server
from tests.rename.bills import CONFIRM, make_bills, renaming, verified
from tests.rename.faults import connected, idle_transaction
from tests.rename.state import gate_opens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

    from invoicing.postgres import Server
    from invoicing.rename import Rename

ONE_A_MAJOR = {installation.major: installation for installation in find_installations()}
WATCHED = UNSAFE | {"shared_preload_libraries": "pg_stat_statements", "wal_level": "logical"}


@pytest.fixture(scope="module", params=ONE_A_MAJOR.values(), ids=map(str, ONE_A_MAJOR))
def watched_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Yield a server that keeps statistics of statements, and can replicate a table."""
    with throw_away_server(request.param, WATCHED) as server:
        yield server


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    return await make_bills(empty_database_url)


@pytest.fixture
async def watched_url(watched_server: Server) -> URL:
    """Return a database with `pg_stat_statements`."""
    url = watched_server.url(f"test_{uuid4().hex[:12]}")
    await execute(watched_server.url(), f"CREATE DATABASE {url.database}")
    await execute(url, "CREATE EXTENSION pg_stat_statements")
    return await make_bills(url)


async def objections(rename: Rename) -> dict[str, str]:
    return {one.slug: f"{one.subject}: {one.message}" for one in (await rename.gate()).objections}


async def test_an_old_style_write_closes_the_gate_until_it_was_quiet_again(url: URL) -> None:
    async with renaming(url) as rename:
        await verified(rename)
        assert await objections(rename) == {}
        await execute(url, "UPDATE bill SET amt = 7 WHERE id = 1")
        assert "1 writes named the old column" in (await objections(rename))["old-writes"]
        with pytest.raises(ContractRefusedError):
            await execute(url, "INSERT INTO bill (id, amt) VALUES (2001, 7)")
            await rename.contract(confirm=CONFIRM)
        await execute(url, "UPDATE bill SET amount_cents = 8 WHERE id = 1")
        assert await objections(rename) == {}, "new code may write"


async def test_a_write_while_the_contract_waits_for_its_lock_closes_the_gate(url: URL) -> None:
    async with renaming(url, lock_timeout=1, lock_attempts=10) as rename:
        await verified(rename)
        async with idle_transaction(url, "SELECT FROM bill"), connected(url) as client:
            contracting = asyncio.create_task(rename.contract(confirm=CONFIRM))
            async with asyncio.timeout(20):
                while (await rename.status()).phase is not Phase.CONTRACTING:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await client.execute("UPDATE bill SET amt = 7 WHERE id = 1")
        with pytest.raises(ContractRefusedError, match="while the contract waited for its lock"):
            await contracting
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)
        assert (await rename.status()).phase is Phase.CONTRACTED


async def test_triggers_that_somebody_switched_off_are_named_and_put_on_again(url: URL) -> None:
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        await client.execute("ALTER TABLE bill DISABLE TRIGGER USER")
        await client.execute("INSERT INTO bill (id, amt, amount_cents) VALUES (2001, 7, 7)")
        found = await objections(rename)
        assert "invoicing rename expand bill amt amount_cents" in found["triggers"]
        await rename.expand()
        assert (await rename.status()).phase is Phase.EXPANDED
        await client.execute("UPDATE bill SET amt = 8 WHERE id = 2001")
        assert await client.fetchval("SELECT amount_cents FROM bill WHERE id = 2001") == 8
        await verified(rename)
        await gate_opens(rename)


@pytest.mark.parametrize("read", ["SELECT amt FROM bill", "SELECT AMT FROM Bill WHERE ID = 1"])
async def test_a_statement_that_reads_the_old_name_closes_the_gate(
    watched_url: URL, read: str
) -> None:
    async with renaming(watched_url) as rename:
        await execute(watched_url, read)
        await verified(rename)
        assert await objections(rename) == {}, "what ran before the gate was asked is over"
        await execute(watched_url, read)
        assert read.split(" WHERE", maxsplit=1)[0] in (await objections(rename))["statement"]
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)


async def test_statistics_that_were_reset_meanwhile_hide_no_statement(watched_url: URL) -> None:
    async with renaming(watched_url) as rename:
        await execute(watched_url, *["SELECT amt FROM bill"] * 5)
        await verified(rename)
        assert await objections(rename) == {}
        await execute(watched_url, "SELECT pg_stat_statements_reset()", "SELECT amt FROM bill")
        assert "ran 1 times" in (await objections(rename))["statement"]


async def test_an_account_that_may_not_see_others_statements_is_told(watched_url: URL) -> None:
    name = f"owner_{watched_url.database}"
    await execute(
        watched_url,
        f"CREATE ROLE {name} LOGIN",
        f"GRANT CREATE ON DATABASE {watched_url.database} TO {name}",
        f"GRANT CREATE ON SCHEMA public TO {name}",
        f"ALTER TABLE bill OWNER TO {name}",
    )
    async with renaming(watched_url.set(username=name)) as rename:
        await verified(rename)
        assert "GRANT pg_read_all_stats" in (await objections(rename))["statement"]
        await execute(watched_url, f"GRANT pg_read_all_stats TO {name}")
        await gate_opens(rename)


async def test_a_subscriber_keeps_both_columns_equal_and_the_gate_closed(
    watched_server: Server, watched_url: URL
) -> None:
    there = watched_server.url(f"{watched_url.database}_publisher")
    slot = f"slot_{watched_url.database}"
    source = there.set(drivername="postgresql").render_as_string(hide_password=False)
    await execute(watched_server.url(), f"CREATE DATABASE {there.database}")
    await make_bills(there)
    await execute(
        there,
        "CREATE PUBLICATION bills FOR TABLE bill",
        f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')",
    )
    async with renaming(watched_url) as rename, connected(watched_url) as client:
        await verified(rename)
        await client.execute(
            f"CREATE SUBSCRIPTION {slot} CONNECTION '{source}' PUBLICATION bills"
            " WITH (create_slot = false, copy_data = false)"
        )
        try:
            before = (await rename.status()).old_writes
            await execute(there, "UPDATE bill SET amt = 7 WHERE id = 1")
            await execute(there, "INSERT INTO bill VALUES (2001, 8, '')")
            async with asyncio.timeout(30):
                while not await client.fetchval("SELECT 1 FROM bill WHERE id=2001"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            rows = await client.fetch("SELECT amt, amount_cents FROM bill WHERE id IN (1, 2001)")
            assert sorted(map(tuple, rows)) == [(7, 7), (8, 8)]
            assert (await rename.status()).old_writes == before + 2
            assert slot in (await objections(rename))["subscription"]
        finally:
            await client.execute(f"DROP SUBSCRIPTION {slot}")
