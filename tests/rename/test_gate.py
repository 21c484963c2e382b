"""The gate stays closed while anything still uses the old column, and says what (trap 10)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.errors import UsageError
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from invoicing.toolkit.rename.errors import ContractRefusedError
from tests.conftest import execute
from tests.rename.bills import CONFIRM, objections, published, renaming, verified, verified_rename
from tests.rename.faults import an_owner, connected, idle_transaction, until
from tests.rename.state import gate_opens

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

UNUSED = "unused-accept"


async def test_an_old_style_write_closes_the_gate_until_it_was_quiet_again(url: URL) -> None:
    async with verified_rename(url) as rename:
        assert await objections(rename) == {}
        await execute(url, "UPDATE bill SET amt = 7 WHERE id = 1")
        assert "1 write named the old column" in (await objections(rename))["old-writes"]
        with pytest.raises(ContractRefusedError):
            await execute(url, "INSERT INTO bill (id, amt) VALUES (2001, 7)")
            await rename.contract(confirm=CONFIRM)
        await execute(url, "UPDATE bill SET amount_cents = 8 WHERE id = 1")
        assert await objections(rename) == {}, "new code may write"


async def test_a_write_while_the_contract_waits_for_its_lock_closes_the_gate(url: URL) -> None:
    async with renaming(url, lock_timeout=1, lock_attempts=10) as rename:

        async def is_contracting() -> bool:
            return (await rename.status()).phase is Phase.CONTRACTING

        await verified(rename)
        async with idle_transaction(url, "SELECT FROM bill"), connected(url) as client:
            contracting = asyncio.create_task(rename.contract(confirm=CONFIRM))
            await until(is_contracting)
            await client.execute("UPDATE bill SET amt = 7 WHERE id = 1")
        with pytest.raises(ContractRefusedError, match="while the contract waited for its lock"):
            await contracting
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)
        assert (await rename.status()).phase is Phase.CONTRACTED


async def test_triggers_that_were_switched_off_are_named_and_put_on_again(url: URL) -> None:
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


async def test_a_statement_that_reads_the_old_name_closes_the_gate(watched_url: URL) -> None:
    reads = ["SELECT amt FROM bill", "SELECT AMT FROM Bill WHERE ID = 1"]
    async with renaming(watched_url) as rename:
        await execute(watched_url, *reads)
        await verified(rename)
        assert await objections(rename) == {}, "what ran before the gate was asked is over"
        for read in reads:
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


async def test_an_account_that_may_not_see_others_statements_is_named_the_grant(
    watched_url: URL,
) -> None:
    async with (
        an_owner(watched_url, "bill") as owner,
        renaming(owner) as rename,
    ):
        await verified(rename)
        assert "GRANT pg_read_all_stats" in (await objections(rename))["statement"]
        await execute(watched_url, f"GRANT pg_read_all_stats TO {owner.username}")
        await gate_opens(rename)


async def test_a_subscriber_keeps_both_columns_equal_and_the_gate_closed(
    watched_url: URL, other_url: URL
) -> None:
    slot = f"slot_{watched_url.database}"
    subscribe = await published(other_url, "bills", "TABLE bill", slot)
    async with renaming(watched_url) as rename, connected(watched_url) as client:
        await verified(rename)
        await client.execute(subscribe)
        try:
            before = (await rename.status()).old_writes
            await execute(other_url, "UPDATE bill SET amt = 7 WHERE id = 1")
            await execute(other_url, "INSERT INTO bill VALUES (2001, 8, '')")
            await until(lambda: client.fetchval("SELECT 1 FROM bill WHERE id = 2001"))
            rows = await client.fetch("SELECT amt, amount_cents FROM bill WHERE id IN (1, 2001)")
            assert sorted(map(tuple, rows)) == [(7, 7), (8, 8)]
            assert (await rename.status()).old_writes == before + 2
            assert slot in (await objections(rename))["subscription"]
        finally:
            await client.execute(f"DROP SUBSCRIPTION {slot}")


async def names(rename: Rename) -> set[str]:
    return {objection.name for objection in (await rename.gate()).objections}


async def test_a_join_with_a_column_of_that_name_in_another_table_is_no_old_code(
    watched_url: URL,
) -> None:
    await execute(watched_url, "CREATE TABLE payment (id bigint, amt bigint)")
    join = "SELECT p.amt FROM bill AS b JOIN payment AS p ON p.id = b.id"
    async with renaming(watched_url) as rename, connected(watched_url) as client:
        await verified(rename)
        assert await objections(rename) == {}
        await execute(watched_url, join)
        assert await objections(rename) == {}
        running = asyncio.create_task(client.execute(f"{join}, pg_sleep(20)"))
        await seen_running(watched_url, "p.amt")
        assert await objections(rename) == {}
        await end(watched_url, running)


@pytest.mark.parametrize("column", ["name", "a"])
async def test_the_tools_own_catalog_queries_are_no_old_code(watched_url: URL, column: str) -> None:
    await execute(
        watched_url,
        f"CREATE TABLE t (id int PRIMARY KEY, {column} text NOT NULL, CHECK ({column} <> ''))",
        f"CREATE INDEX ON t ({column})",
        "INSERT INTO t SELECT n, 'v' FROM generate_series(1, 50) AS n",
    )
    async with Database(watched_url, Settings()) as database:
        rename = Rename(database, Target("t", column, "b"), Options(quiet=0.2))
        await verified(rename)
        for _ in range(2):
            assert await objections(rename) == {}


async def seen_running(url: URL, text: str) -> None:
    """Return once another session runs a statement with `text` in it."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND strpos(query, $1) > 0"
        " AND pid <> pg_backend_pid()"
    )
    async with connected(url) as watcher:
        await until(lambda: watcher.fetchval(query, text))


async def end(url: URL, running: asyncio.Task[str]) -> None:
    """Cancel what sleeps on the server."""
    await execute(
        url,
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        " AND pid <> pg_backend_pid() AND datname = current_database()",
    )
    await asyncio.gather(running, return_exceptions=True)


async def test_a_running_statement_is_accepted_by_its_own_name(url: URL) -> None:
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        running = asyncio.create_task(client.execute("SELECT amt FROM bill, pg_sleep(30)"))
        await seen_running(url, "amt")
        (name,) = await names(rename)
        assert name.startswith("running:")
        async with renaming(url, accept=frozenset({name})) as accepting:
            assert (await accepting.gate()).open
        await end(url, running)


async def test_a_text_that_the_server_cut_off_is_no_clean_one(url: URL) -> None:
    long = "SELECT amt" + ", 1" * 600 + " FROM bill, pg_sleep(30)"
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        running = asyncio.create_task(client.execute(long))
        await seen_running(url, "amt")
        assert "track_activity_query_size" in (await objections(rename))["running"]
        await end(url, running)


async def test_a_statement_is_accepted_by_its_queryid(watched_url: URL) -> None:
    async with verified_rename(watched_url) as rename:
        assert await names(rename) == set()
        for read in ("SELECT amt FROM bill", "SELECT sum(amt) FROM bill"):
            await execute(watched_url, read)
        found = await names(rename)
        assert len(found) == 2
        accepted, other = sorted(found)
        await execute(watched_url, "SELECT amt FROM bill", "SELECT sum(amt) FROM bill")
        async with renaming(watched_url, accept=frozenset({accepted})) as accepting:
            assert await names(accepting) == {other}


async def test_old_writes_are_accepted_and_the_record_says_by_whom(url: URL) -> None:
    accept = frozenset({"old-writes"})
    async with renaming(url) as rename, renaming(url, accept=accept) as accepting:
        await verified(rename)
        assert await names(rename) == set()
        await execute(url, "UPDATE bill SET amt = amt")
        report = await accepting.gate()
        assert report.open
        assert [finding.name for finding in report.accepted] == ["old-writes"]
        (line,) = (await rename.status()).accepted
        assert "1 write named the old column" in line
        assert " as postgres, " in line
        await execute(url, "UPDATE bill SET amt = amt")
        await accepting.contract(confirm=CONFIRM)
        assert len((await rename.status()).accepted) == 2


async def test_a_function_is_accepted_by_its_signature_or_its_kind(url: URL) -> None:
    body = "'SELECT sum(amt) FROM bill'"
    await execute(url, f"CREATE FUNCTION f(int, text) RETURNS numeric LANGUAGE sql AS {body}")
    async with verified_rename(url) as rename:
        assert await names(rename) == {"function:public.f(integer,text)"}
    for accepted in ("function", "function:public.f(integer,text)"):
        async with renaming(url, accept=frozenset({accepted})) as accepting:
            assert (await accepting.gate()).open, accepted


async def test_accepting_what_does_not_exist_is_an_error_that_lists_what_does(url: URL) -> None:
    async with renaming(url) as rename:
        await verified(rename)
    for accepted in ("nonsense", "function:gone()", "statement:4711", "rows"):
        async with renaming(url, accept=frozenset({accepted})) as rename:
            with pytest.raises(UsageError, match="there is no such finding"):
                await rename.gate()
                pytest.fail(accepted)


async def test_a_kind_of_which_there_is_nothing_is_said_to_accept_nothing(url: URL) -> None:
    kinds = {"domain", "update-trigger", "old-writes", "running"}
    async with renaming(url, accept=frozenset(kinds)) as rename:
        plan = [each.subject for each in (await rename.plan()).findings if each.slug == UNUSED]
        assert plan == ["--accept domain", "--accept update-trigger"]
        assert [note.partition(":")[0] for note in await rename.expand()] == plan
        await verified(rename)
        await rename.gate()
        await execute(url, "UPDATE bill SET amt = amt")
        noted = [each.subject for each in (await rename.gate()).unseen if each.slug == UNUSED]
        assert noted == ["--accept running"]


async def test_what_would_lose_values_is_never_accepted(url: URL) -> None:
    accept = frozenset({"old-writes", "statement", "running", "subscription", "function"})
    async with verified_rename(url, accept=accept) as rename:
        await execute(
            url,
            "ALTER TABLE bill DISABLE TRIGGER USER",
            "UPDATE bill SET amt = 1 WHERE id = 1",
        )
        found = (await rename.gate()).objections
        assert {objection.slug for objection in found} == {"rows", "triggers"}
        assert {objection.name for objection in found} == {""}
