"""The gate of the instant way: what it sees, what it cannot, and what it refuses for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.rename import Phase
from invoicing.toolkit.rename.errors import ContractRefusedError, RenameRefusedError
from tests.conftest import execute
from tests.rename.bills import CONFIRM, make_bills, objections, renaming, verified, verified_rename
from tests.rename.faults import connected, until
from tests.rename.state import gate_opens

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


VIEW = {"strategy": "view", "quiet": 0.2}


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    return await make_bills(empty_database_url, 100)


OLD_STYLE = [
    "UPDATE bill SET amt = 7 WHERE id = 1",
    "INSERT INTO bill (id, AMT) VALUES (2001, 7)",
    "INSERT INTO bill (id, amount_cents) VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET amt = 7",
    "WITH w AS (UPDATE bill SET amt = 7 RETURNING id) SELECT * FROM w",
    "DO $$ BEGIN UPDATE bill SET amt = 7; END $$",
]


async def test_a_write_by_the_old_name_closes_the_gate(url: URL) -> None:
    async with verified_rename(url, **VIEW) as rename:
        assert await objections(rename) == {}
        await execute(url, "UPDATE bill SET amount_cents = 8 WHERE id = 1")
        assert await objections(rename) == {}, "new code may write"
        for statement in OLD_STYLE:
            await execute(url, statement)
            assert "named the old column" in (await objections(rename))["old-writes"]
            await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)


async def test_what_no_statistics_show_is_said(url: URL) -> None:
    async with verified_rename(url, **VIEW) as rename:
        (unseen,) = (await rename.gate()).unseen
        assert "writes are counted, reads are not" in unseen.message


async def test_a_read_by_the_old_name_closes_the_gate_where_it_is_seen(watched_url: URL) -> None:
    async with verified_rename(watched_url, **VIEW) as rename:
        assert (await rename.gate()).unseen == []
        assert await objections(rename) == {}
        await execute(watched_url, "SELECT amt FROM bill WHERE id = 1")
        assert "SELECT amt FROM bill" in (await objections(rename))["statement"]
        await gate_opens(rename)


RAN = [
    "COPY bill FROM STDIN",
    "TRUNCATE bill",
    "SELECT ctid FROM bill",
    "SELECT xmin, id FROM bill",
    "SELECT id, note FROM bill GROUP BY id",
]


async def test_the_plan_refuses_for_a_statement_that_no_view_takes(watched_url: URL) -> None:
    forget = "SELECT pg_stat_statements_reset()"
    await execute(watched_url, forget, "COPY (SELECT FROM bill) TO STDOUT")
    await execute(watched_url, "SELECT id, max(amt) FROM bill GROUP BY id")
    await execute(watched_url, "SELECT bill.tableoid, bill.relname FROM pg_class AS bill")
    async with renaming(watched_url, **VIEW) as rename, connected(watched_url) as client:
        assert (await rename.plan()).refusals == []
        for statement in RAN:
            if "STDIN" in statement:
                await client.copy_records_to_table("bill", records=[(3001, 1, "copied")])
            else:
                await client.execute(statement)
            (refusal,) = (await rename.plan()).refusals
            assert refusal.slug == "view-statement", statement
            await client.execute(forget)


async def test_a_function_that_names_the_old_column_closes_the_gate_until_it_does_not(
    url: URL,
) -> None:
    make = (
        "CREATE OR REPLACE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT sum({}) FROM bill'"
    )
    await execute(url, make.format("amt"))
    async with verified_rename(url, **VIEW) as rename:
        assert "f()" in (await objections(rename))["function"]
        await execute(url, make.format("amount_cents"))
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)
        await execute(url, "SELECT f()")


ON_THE_VIEW = {
    "rule _RETURN on view public.v": "CREATE VIEW v AS SELECT id FROM bill",
    "function public.f(public.bill)": "CREATE FUNCTION f(bill) RETURNS int LANGUAGE sql"
    " AS 'SELECT 1'",
    "trigger t on view public.bill": "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER t INSTEAD OF DELETE ON bill FOR EACH ROW EXECUTE FUNCTION g()",
    "rule r on view public.bill": "CREATE RULE r AS ON DELETE TO bill DO ALSO NOTIFY x",
}


async def test_what_was_made_on_the_view_is_named_and_not_dropped(url: URL) -> None:
    async with verified_rename(url, **VIEW) as rename:
        await execute(url, *ON_THE_VIEW.values())
        named = [str(objection) for objection in (await rename.gate()).objections]
        assert sorted(objection.partition(": ")[0] for objection in named) == sorted(ON_THE_VIEW)
        assert sorted((await rename.status()).notes) == sorted(named)
        with pytest.raises(ContractRefusedError, match="Nothing was dropped"):
            await rename.contract(confirm=CONFIRM)
        with pytest.raises(RenameRefusedError, match=r"trigger t on view public\.bill"):
            await rename.rollback()


@pytest.mark.parametrize(
    ("harm", "slug"),
    [
        ("ALTER TABLE bill_base DISABLE TRIGGER USER", "triggers"),
        ("DROP VIEW bill", "view-missing"),
    ],
)
async def test_what_was_taken_away_is_put_back_by_another_expand(
    url: URL, harm: str, slug: str
) -> None:
    async with verified_rename(url, **VIEW) as rename:
        await execute(url, harm)
        assert "expand" in (await objections(rename))[slug]
        await verified(rename)
        assert (await rename.status()).phase is Phase.VERIFIED
        await execute(url, "UPDATE bill SET amt = 7 WHERE id = 1")
        assert (await rename.status()).old_writes == 1
        await rename.rollback()
        await execute(url, "UPDATE bill SET amt = 7 WHERE id = 1")


async def test_a_client_that_came_by_another_way_is_not_the_one_that_gives_way(url: URL) -> None:
    await execute(url, "CREATE VIEW report AS SELECT id FROM bill")
    waits = "SELECT count(*) FROM pg_locks WHERE relation = 'bill_base'::regclass AND NOT granted"
    async with verified_rename(url, **VIEW, lock_timeout=2, lock_attempts=10) as rename:
        await gate_opens(rename)
        async with connected(url) as client, connected(url) as watcher:
            # It has the table behind the view, and will want the view that the contract has.
            await client.execute("BEGIN; SELECT FROM report")
            contracting = asyncio.create_task(rename.contract(confirm=CONFIRM))
            await until(lambda: watcher.fetchval(waits))
            assert await client.fetchval("SELECT count(amt) FROM bill") == 100
            await client.execute("COMMIT")
        await contracting
        assert (await rename.status()).phase is Phase.CONTRACTED
