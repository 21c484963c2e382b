"""The instant way: a view in the table's place, which PostgreSQL itself takes writes through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from invoicing.toolkit.rename.errors import ConfirmationError, RenameBlockedError, RenamePhaseError
from tests.conftest import execute
from tests.rename.bills import CONFIRM, make_bills, renaming, verified, verified_rename
from tests.rename.faults import connected, idle_transaction, until
from tests.rename.state import gate_opens
from tests.rename.whole import RICH, contracted, everything

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

VIEW = {"strategy": "view", "quiet": 0.1}
ROWS = 1_000


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    return await make_bills(empty_database_url, ROWS)


@pytest.fixture
async def clerk(url: URL) -> AsyncIterator[str]:
    """Yield an account that may log in and nothing else."""
    name = f"clerk_{uuid4().hex[:8]}"
    await execute(url, f"CREATE ROLE {name} LOGIN")
    yield name
    await execute(url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


async def test_after_the_rollback_everything_is_as_at_the_start(url: URL, clerk: str) -> None:
    await execute(
        url,
        RICH,
        f"GRANT SELECT, INSERT ON bill TO {clerk} WITH GRANT OPTION",
        f"GRANT UPDATE (amt, note) ON bill TO {clerk}",
    )
    before = await everything(url)
    async with verified_rename(url, **VIEW) as rename:
        assert await everything(url) != before
        await rename.rollback()
        assert (await rename.status()).phase is Phase.NONE
    assert await everything(url) == before


async def test_after_the_contract_only_the_name_is_another(url: URL, clerk: str) -> None:
    await execute(url, RICH, f"GRANT UPDATE (amt) ON bill TO {clerk}")
    before = await everything(url)
    async with renaming(url, **VIEW) as rename, connected(url) as client:
        file = await client.fetchval("SELECT pg_relation_filepath('bill')")
        await verified(rename)
        await contracted(rename)
        assert (await rename.status()).phase is Phase.CONTRACTED
        assert await client.fetchval("SELECT pg_relation_filepath('bill')") == file
        assert await client.fetchval("SELECT amt FROM report WHERE id = 7") == 70
        # The expected state is made by PostgreSQL itself: its own RENAME, and our names' rule.
        await client.execute("DROP SCHEMA invoicing_rename CASCADE")
    after = await everything(url)
    expected = [(kind, said.replace("amt", "amount_cents")) for kind, said in before]
    assert sorted(after) == sorted(expected)


@pytest.mark.parametrize("name", ["amt", "amount_cents"])
async def test_either_name_takes_every_kind_of_write(url: URL, name: str) -> None:
    await execute(url, RICH)
    other = {"amt": "amount_cents", "amount_cents": "amt"}[name]
    upsert = f"ON CONFLICT (id) DO UPDATE SET {name} = excluded.{name} + 1"
    statements = {
        f"INSERT INTO bill (id, {name}) VALUES (2001, 7)": 7,
        f"UPDATE bill SET {name} = {name} + 1 WHERE id = 2001": 8,
        f"INSERT INTO bill (id, {name}) VALUES (2001, 9) {upsert}": 10,
        f"INSERT INTO bill AS b (id, {name}) VALUES (2001, 9) {upsert}": 10,
        f"WITH w AS (UPDATE bill SET {name} = {other} * 2 WHERE id = 2001 RETURNING 1)"
        " SELECT * FROM w": 20,
    }
    async with renaming(url, **VIEW) as rename, connected(url) as client:
        await rename.expand()
        for statement, expected in statements.items():
            await client.execute(statement)
            read = f"SELECT {name}, {other} FROM bill WHERE id = 2001 FOR UPDATE"
            assert tuple(await client.fetchrow(read)) == (expected, expected), statement
        await client.execute("INSERT INTO bill (id) VALUES (2002)")
        left_out = "SELECT amt, amount_cents, note, number, place, twice FROM bill WHERE id = 2002"
        assert tuple(await client.fetchrow(left_out)) == (5, 5, "none", 1004, 1004, 4004)
        # Code that counts columns finds them where they were.
        await client.execute("INSERT INTO bill VALUES (2003, 6, 'positional')")
        await client.execute("UPDATE bill SET note = DEFAULT WHERE id = 1")
        assert await client.fetchval("SELECT note FROM bill WHERE id = 1") == "none"
        await client.execute("DELETE FROM bill WHERE id > 2000")
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await client.execute("INSERT INTO payment VALUES (2001, 1)")
        with pytest.raises(asyncpg.CheckViolationError):
            await client.execute(f"UPDATE bill SET {name} = -1 WHERE id = 1")


async def test_a_prepared_statement_lives_through_both_swaps(url: URL) -> None:
    async with renaming(url, **VIEW) as rename, connected(url) as client:
        read = await client.prepare("SELECT note FROM bill WHERE id = $1")
        write = await client.prepare("UPDATE bill SET note = $1 WHERE id = $2 RETURNING note")
        old = await client.prepare("UPDATE bill SET amt = amt + $1 WHERE id = 1 RETURNING amt")
        assert await old.fetchval(1) == 11
        await rename.expand()
        assert await read.fetchval(1) == "note"
        assert await write.fetchval("other", 1) == "other"
        assert await old.fetchval(1) == 12
        await rename.backfill()
        await rename.verify()
        await contracted(rename)
        assert await read.fetchval(1) == "other"
        assert await write.fetchval("third", 1) == "third"


async def test_privileges_are_the_tables_and_what_is_granted_meanwhile_stays(
    url: URL, clerk: str
) -> None:
    await execute(
        url,
        f"GRANT SELECT (id, amt), UPDATE (amt), INSERT ON bill TO {clerk}",
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {clerk}",
    )
    there = url.set(username=clerk)
    async with renaming(url, **VIEW) as rename:
        await rename.expand()
        await execute(
            there,
            "SELECT id, amt, amount_cents FROM bill",
            "UPDATE bill SET amount_cents = 7 WHERE id = 1",
            "INSERT INTO bill VALUES (2001, 7)",
        )
        for denied in ("SELECT note FROM bill", "DELETE FROM bill", "SELECT note FROM bill_base"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connected(there) as client:
                    await client.execute(denied)
        await execute(
            url,
            f"GRANT SELECT (note), DELETE ON bill TO {clerk}",
            f"REVOKE INSERT ON bill FROM {clerk}",
            "COMMENT ON COLUMN bill.note IS 'said meanwhile'",
        )
        await rename.backfill()
        await rename.verify()
        await contracted(rename)
    async with connected(there) as client:
        await client.execute("SELECT id, amount_cents, note FROM bill")
        await client.execute("UPDATE bill SET amount_cents = 7 WHERE id = 1")
        await client.execute("DELETE FROM bill WHERE amount_cents = 7")
        for denied in ("INSERT INTO bill VALUES (3001, 7)", "TRUNCATE bill"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await client.execute(denied)
        comment = "SELECT col_description('bill'::regclass, 3)"
        assert await client.fetchval(comment) == "said meanwhile"


async def test_row_security_hides_the_same_rows_through_the_view(url: URL, clerk: str) -> None:
    await execute(
        url,
        "ALTER TABLE bill ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY small ON bill USING (amt <= 100)",
        f"GRANT SELECT, UPDATE ON bill TO {clerk}",
    )
    async with renaming(url, **VIEW) as rename, connected(url.set(username=clerk)) as client:
        for step in (rename.expand, rename.backfill, rename.verify, lambda: contracted(rename)):
            await step()
            assert await client.fetchval("SELECT count(*) FROM bill") == 10
            assert await client.execute("UPDATE bill SET note = ''") == "UPDATE 10"


async def test_the_status_tells_it_from_any_connection(url: URL) -> None:
    async with renaming(url, **VIEW) as rename, renaming(url) as anybody:
        await execute(url, "ANALYZE bill")
        before = await anybody.status()
        await rename.expand()
        status = await anybody.status()
        assert (status.strategy, status.phase, status.old_writes) == ("view", Phase.EXPANDED, 0)
        assert (status.table_bytes, status.index_bytes) == (before.table_bytes, before.index_bytes)
        assert (status.rows_total, status.rows_left) == (ROWS, 0)
        await execute(url, "UPDATE bill SET amt = 7 WHERE id = 1")
        await execute(url, "UPDATE bill SET amount_cents = 7 WHERE id = 1")
        assert (await anybody.status()).old_writes == 1
        # A later phase goes on with what was begun, whatever way it is asked by.
        report = await anybody.backfill()
        assert (report.completed, report.rows_updated) == (True, 0)
        verified = await anybody.verify()
        assert (verified.rows, verified.equal, verified.not_null) == (ROWS, ROWS, True)
        assert (await anybody.status()).phase is Phase.VERIFIED


async def test_a_rename_begun_by_columns_is_not_gone_on_with_by_a_view(url: URL) -> None:
    async with renaming(url) as columns, renaming(url, **VIEW) as rename:
        await columns.expand()
        with pytest.raises(RenamePhaseError, match="begun with a second column"):
            await rename.backfill()


async def test_a_lock_held_by_another_session_is_named_and_nothing_has_changed(url: URL) -> None:
    before = await everything(url)
    async with renaming(url, **VIEW) as rename:
        async with idle_transaction(url, "LOCK TABLE bill IN ACCESS SHARE MODE") as pid:
            with pytest.raises(RenameBlockedError) as caught:
                await rename.expand()
            assert [blocker.pid for blocker in caught.value.blockers] == [pid]
        await rename.rollback()
        assert await everything(url) == before
        await verified(rename)
        async with idle_transaction(url, "SELECT FROM bill") as pid:
            await gate_opens(rename)
            with pytest.raises(RenameBlockedError) as caught:
                await rename.contract(confirm=CONFIRM)
            assert [blocker.pid for blocker in caught.value.blockers] == [pid]
        await contracted(rename)


async def test_a_column_added_while_the_swap_waits_is_in_the_view(url: URL) -> None:
    async with renaming(url, **VIEW, lock_timeout=2, lock_attempts=10) as rename:
        async with connected(url) as client:
            await client.execute("BEGIN; ALTER TABLE bill ADD late int DEFAULT 3")
            expanding = asyncio.create_task(rename.expand())
            waits = (
                "SELECT count(*) FROM pg_locks WHERE relation = 'bill'::regclass AND NOT granted"
            )
            async with connected(url) as watcher:
                await until(lambda: watcher.fetchval(waits))
            await client.execute("COMMIT")
            await expanding
        async with connected(url) as client:
            assert await client.fetchval("SELECT late FROM bill WHERE id = 1") == 3


async def test_long_and_quoted_names_go_there_and_back(empty_database_url: URL) -> None:
    url, table = empty_database_url, 'Rechnung "ü" ' + "x" * 49
    quoted = table.replace('"', '""')
    await execute(
        url,
        f'CREATE SCHEMA "Sub"; CREATE TABLE "Sub"."{quoted}"'
        ' (id bigint PRIMARY KEY, "Bet räg" bigint)',
    )
    target = Target(table, "Bet räg", 'be"trag', schema="Sub")
    async with Database(url, Settings()) as database, connected(url) as client:
        rename = Rename(database, target, Options(**VIEW))
        await verified(rename)
        await client.execute(f'INSERT INTO "Sub"."{quoted}" (id, "be""trag") VALUES (1, 7)')
        await gate_opens(rename)
        await rename.contract(confirm=f"{table}.Bet räg")
        names = "SELECT array_agg(relname) FROM pg_class WHERE relnamespace='\"Sub\"'::regnamespace"
        assert table in await client.fetchval(names + " AND relkind = 'r'")


async def test_without_its_name_nothing_is_contracted_and_an_empty_table_needs_none(
    url: URL,
) -> None:
    async with verified_rename(url, **VIEW) as rename:
        with pytest.raises(ConfirmationError, match="takes away the old name"):
            await rename.contract()
        await rename.rollback()
        await execute(url, "DELETE FROM bill")
        await verified(rename)
        await rename.contract()
        assert (await rename.status()).phase is Phase.CONTRACTED


async def test_after_the_contract_the_way_back_is_as_quick(url: URL) -> None:
    async with renaming(url, **VIEW) as rename, connected(url) as client:
        await verified(rename)
        await contracted(rename)
        await rename.restore()
        await client.execute("UPDATE bill SET amt = 7 WHERE id = 1")
        assert await client.fetchval("SELECT amount_cents FROM bill WHERE id = 1") == 7
        back = rename.reversed()
        await gate_opens(back)
        await back.contract(confirm="bill.amount_cents")
        assert await client.fetchval("SELECT amt FROM bill WHERE id = 1") == 7
