"""What a rename falls into that only adds, fills and drops: each trap, and that it is passed.

Traps are numbered as in the design. The cached plans (11) are in `test_live_traffic`, what depends
on the column (3) has tests of its own, and the naive ways that fall into them are in
`test_naive_ways`.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from invoicing.toolkit.rename.connection.pool import Pool
from invoicing.toolkit.rename.errors import RenameBlockedError
from tests.conftest import execute
from tests.rename.before import load_before
from tests.rename.bills import make_bills, renaming, verified
from tests.rename.faults import an_owner, connected, idle_transaction, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.connection.pool import Connection

ROWS = 1_000
OLD, NEW = "amt", "amount_cents"
CHECK_VIOLATION = "23514"
NOT_FILLED = "55000"


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    return await make_bills(empty_database_url, ROWS)


async def pair(connection: Connection, number: int) -> tuple[int, int]:
    """Return a bill's amount by its old and by its new name."""
    return tuple(
        await connection.fetchrow("SELECT amt, amount_cents FROM bill WHERE id=$1", number)
    )


# 1. Both NOT NULL, and each version of the code knows one of them.


@pytest.mark.parametrize("name", [OLD, NEW])
async def test_either_code_inserts_while_both_columns_are_not_null(url: URL, name: str) -> None:
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        both = await client.fetchval(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'bill'::regclass AND attnotnull"
            " AND attname IN ('amt', 'amount_cents')"
        )
        assert both == 2
        await client.execute(f"INSERT INTO bill (id, {name}) VALUES (2001, 7)")
        await client.copy_records_to_table("bill", records=[(2002, 8)], columns=["id", name])
        assert await pair(client, 2001) == (7, 7)
        assert await pair(client, 2002) == (8, 8)
        with pytest.raises(asyncpg.NotNullViolationError):
            await client.execute("INSERT INTO bill (id) VALUES (2003)")


# 2. Whoever writes one side wins over the other; two values are an error.

UPSERT = (
    "INSERT INTO bill (id, {name}) VALUES (1, 7)"
    " ON CONFLICT (id) DO UPDATE SET {name} = excluded.{name} + 1"
)
WRITES = {
    "the old name wins": ("UPDATE bill SET amt = 7 WHERE id = 1", 7),
    "the new name wins": ("UPDATE bill SET amount_cents = 7 WHERE id = 1", 7),
    "both to one value": ("UPDATE bill SET amt = 7, amount_cents = 7 WHERE id = 1", 7),
    "both to two values": ("UPDATE bill SET amt = 7, amount_cents = 8 WHERE id = 1", None),
    "neither": ("UPDATE bill SET note = 'x' WHERE id = 1", 10),
    "upsert by the old name": (UPSERT.format(name=OLD), 8),
    "upsert by the new name": (UPSERT.format(name=NEW), 8),
    "computed by the old name": ("UPDATE bill SET amt = amt + 1 WHERE id = 1", 11),
    "an insert of two values": ("INSERT INTO bill VALUES (2001, 7, '', 8)", None),
}


@pytest.mark.parametrize("filled", [False, True], ids=["before the backfill", "after it"])
async def test_a_write_by_one_name_wins_and_two_values_are_an_error(url: URL, filled: bool) -> None:
    async with renaming(url) as rename, connected(url) as client:
        await rename.expand()
        if filled:
            await rename.backfill()
        for what, (statement, value) in WRITES.items():
            transaction = client.transaction()
            await transaction.start()
            if value is None:
                with pytest.raises(asyncpg.PostgresError) as raised:
                    await client.execute(statement)
                assert raised.value.sqlstate == CHECK_VIOLATION, what
                assert "were given two values" in str(raised.value)
            else:
                await client.execute(statement)
                assert await pair(client, 1) == (value, value), what
            await transaction.rollback()


async def test_new_code_that_computes_from_a_row_not_filled_is_refused(url: URL) -> None:
    add = "UPDATE bill SET amount_cents = amount_cents + 1 WHERE id = 1"
    async with renaming(url) as rename, connected(url) as client:
        await rename.expand()
        with pytest.raises(asyncpg.PostgresError) as raised:
            await client.execute(add)
        assert raised.value.sqlstate == NOT_FILLED
        assert "after the backfill" in raised.value.hint
        await rename.backfill()
        await client.execute(add)
        assert await pair(client, 1) == (11, 11)


# 5. NOT NULL is never proved by reading the table while everybody waits.


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the rename's connections run, and what the server says of it at DEBUG1."""
    heard: list[str] = []
    plain = Pool.connection

    @asynccontextmanager
    async def listening(self: Pool) -> AsyncIterator[Connection]:
        async with plain(self) as connection:
            await connection.execute("SET client_min_messages = debug1")
            connection.add_log_listener(lambda _, message: heard.append(message.message))
            connection.add_query_logger(lambda record: heard.append(record.query))
            yield connection

    monkeypatch.setattr(Pool, "connection", listening)
    return heard


async def test_not_null_is_proved_by_a_scan_that_no_client_waits_for(
    url: URL, spied: list[str]
) -> None:
    async with renaming(url) as rename:
        await rename.expand()
        await rename.backfill()
        spied.clear()
        assert (await rename.verify()).not_null
    # A query is logged after it ran, so after what was said of it.
    scanned = [spied[n + 1] for n, said in enumerate(spied) if said.startswith("verifying table")]
    assert all("VALIDATE CONSTRAINT" in query for query in scanned), scanned
    # What adds it has committed, and let its lock go, before the scan begins.
    [added] = [n for n, said in enumerate(spied) if re.match("ALTER.* NOT VALID", said)]
    [validated] = [n for n, said in enumerate(spied) if re.match("ALTER.* VALIDATE", said)]
    assert "COMMIT;" in spied[added:validated]
    proved = [n for n, said in enumerate(spied) if "sufficient to prove" in said]
    assert scanned or proved, spied


# 6. A batch is a transaction of its own, with its progress in it.


async def test_each_batch_is_a_transaction_of_its_own(url: URL) -> None:
    async with renaming(url, stripes=2) as rename, connected(url) as client:
        await rename.expand()
        report = await rename.backfill()
        assert report.batches >= ROWS / 200
        transactions = await client.fetchval("SELECT count(DISTINCT xmin::text) FROM bill")
        assert transactions == report.batches


async def test_no_transaction_stays_open_between_two_batches(url: URL) -> None:
    states: set[str] = set()
    begun = asyncio.Event()
    async with renaming(url, pause=0.05) as rename, connected(url) as watcher:
        await rename.expand()
        filling = asyncio.create_task(rename.backfill(progress=lambda _: begun.set()))
        await begun.wait()
        while not filling.done():
            rows = await watcher.fetch(
                "SELECT state FROM pg_stat_activity WHERE application_name = 'invoicing rename'"
                " AND datname = current_database()"
            )
            states |= {row["state"] for row in rows}
            await asyncio.sleep(0.01)
        assert (await filling).completed
    assert "idle" in states
    assert "idle in transaction" not in states


async def test_rows_whose_progress_cannot_be_written_are_not_kept_either(url: URL) -> None:
    async with renaming(url, stripes=1) as rename, connected(url) as client:
        await rename.expand()
        await client.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE EXCEPTION ''no progress''; END';"
            "CREATE TRIGGER fail BEFORE UPDATE ON invoicing_rename.range FOR EACH ROW"
            " WHEN (NEW.first_page > 0) EXECUTE FUNCTION fail();"
            "ALTER TABLE invoicing_rename.range ENABLE ALWAYS TRIGGER fail"
        )
        with pytest.raises(Exception, match="no progress"):
            await rename.backfill()
        filled = await client.fetchval("SELECT count(amount_cents) FROM bill")
        noted = await client.fetchval("SELECT sum(rows_updated) FROM invoicing_rename.range")
        assert 0 < filled == noted < ROWS
        await client.execute("DROP FUNCTION fail() CASCADE")
        assert (await rename.backfill()).rows_updated == ROWS - filled


# 7. No page is read again and again to find what is left.


async def test_a_backfill_reads_each_row_a_bounded_number_of_times(
    empty_database_url: URL,
) -> None:
    url = await make_bills(empty_database_url, rows := 10_000)
    stripes = 4
    async with renaming(url, stripes=stripes) as rename, connected(url) as client:
        await rename.expand()
        report = await rename.backfill()
        assert report.batches >= rows / 200

        async def all_read() -> int | None:
            await client.execute("SELECT pg_stat_clear_snapshot()")
            return await client.fetchval(
                "SELECT seq_tup_read FROM pg_stat_all_tables WHERE relid = 'bill'::regclass"
                f" AND seq_tup_read >= {rows}"
            )

        # A backend hands in its counts when it ends.
        read = await until(all_read)
    # Once for each stripe, and once to count them. New versions of rows are met again.
    assert read <= rows * (stripes + 1) * 2


# 8. Anybody can read how far it has come.


async def test_an_account_without_any_right_reads_the_status(url: URL) -> None:
    async with renaming(url) as rename:
        await rename.expand()
        await rename.backfill()
    await execute(url, f"CREATE ROLE reader_{url.database} LOGIN")
    try:
        async with renaming(url.set(username=f"reader_{url.database}")) as rename:
            status = await rename.status()
    finally:
        await execute(url, f"DROP ROLE reader_{url.database}")
    assert status.phase is Phase.BACKFILLED
    assert status.rows_done == ROWS


# 9. Replicated writes, and those of a restore, fire no ordinary trigger.


@pytest.mark.parametrize("name", [OLD, NEW])
async def test_a_session_that_switches_triggers_off_does_not_slip_past(url: URL, name: str) -> None:
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        await client.execute("SET session_replication_role = replica")
        await client.execute(f"INSERT INTO bill (id, {name}) VALUES (2001, 7)")
        await client.execute(f"UPDATE bill SET {name} = 8 WHERE id = 1")
        assert await pair(client, 2001) == (7, 7)
        assert await pair(client, 1) == (8, 8)


# What the backfill writes is not news of the row.


@pytest.mark.parametrize("superuser", [True, False], ids=["superuser", "owner"])
async def test_a_backfill_does_not_move_updated_at(
    migrated_database_url: URL, superuser: bool
) -> None:
    url = await load_before(migrated_database_url, invoices=200)
    query = "SELECT md5(string_agg(updated_at::text, ',' ORDER BY id)) FROM invoice"
    async with connected(url) as client, an_owner(url, "invoice") as owner:
        before = await client.fetchval(query)
        async with Database(url if superuser else owner, Settings()) as database:
            rename = Rename(database, Target("invoice", "amt", "amount_cents"), Options())
            await rename.expand()
            assert (await rename.backfill()).rows_updated == 200
        assert await client.fetchval(query) == before
        await client.execute("UPDATE invoice SET amount_cents = amount_cents + 1")
        assert await client.fetchval(query) != before


# 4. Whoever blocks is named, and no client waits behind us for long (see also test_troubles).


async def test_a_batch_gives_way_to_a_locked_table_and_names_who_locked_it(url: URL) -> None:
    async with renaming(url) as rename:
        await rename.expand()
        waits: list[str | None] = []
        async with (
            idle_transaction(url, "LOCK TABLE bill IN SHARE MODE") as pid,
            asyncio.timeout(60),
        ):
            with pytest.raises(RenameBlockedError) as raised:
                await rename.backfill(progress=lambda progress: waits.append(progress.waiting))
        assert [blocker.pid for blocker in raised.value.blockers] == [pid]
        assert "forgotten console" in str(raised.value)
        assert "SHARE MODE" in str(raised.value)
        assert any("table is locked" in wait for wait in waits if wait)
        assert (await rename.backfill()).completed


async def test_a_row_that_a_client_keeps_locked_is_left_for_the_end_and_its_locker_named(
    url: URL,
) -> None:
    async with renaming(url, lock_timeout=0.1) as rename, connected(url) as client:
        await rename.expand()
        # A batch waits half of that for a row.
        await execute(url, f"ALTER DATABASE {url.database} SET deadlock_timeout = '40ms'")
        async with (
            idle_transaction(url, "SELECT FROM bill WHERE id = 1 FOR UPDATE") as pid,
            asyncio.timeout(60),
        ):
            with pytest.raises(RenameBlockedError) as raised:
                await rename.backfill()
            assert [blocker.pid for blocker in raised.value.blockers] == [pid]
            assert await client.fetchval("SELECT count(amount_cents) FROM bill") == ROWS - 1
        assert (await rename.backfill()).rows_updated == 1
