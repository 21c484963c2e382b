from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from iso4217 import Currency
from sqlalchemy import text

from invoicing.db import Database
from invoicing.errors import SchemaMissingError, StatementFailedError, UsageError
from invoicing.sample import SAMPLE_AS_OF, SampleProgress, load_sample
from invoicing.sample.errors import TablesNotEmptyError
from invoicing.settings import Settings
from tests.cli.here import MAIN
from tests.conftest import execute
from tests.pgbouncer import pgbouncer
from tests.sample.catalog import describe, rows_of, run
from tests.sample.rows import sample_bytes, split_rows

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def read(database: Database, statement: str) -> list[tuple[object, ...]]:
    async with database.read_only() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def test_the_rows_counted_are_the_rows_there(database: Database) -> None:
    loaded = await load_sample(database, accounts=30, invoices=2_000)
    counts = (loaded.accounts, loaded.invoices, loaded.lines)
    assert counts[:2] == (30, 2_000)
    assert (await rows_of(database))[:3] == counts
    assert loaded.rows == sum(counts)


async def test_the_mismatches_counted_are_the_mismatches_there(database: Database) -> None:
    loaded = await load_sample(database, accounts=30, invoices=5_000)
    found = await read(
        database,
        "SELECT count(*) FROM (SELECT i.id FROM invoice i LEFT JOIN invoice_line l"
        " ON l.invoice_id = i.id GROUP BY i.id"
        " HAVING coalesce(sum(l.total_cents), 0) <> i.amount_cents) wrong",
    )
    assert found == [(loaded.mismatches,)]
    assert loaded.mismatches > 0


async def test_what_is_stored_is_what_was_generated(database: Database) -> None:
    sample = {"accounts": 7, "invoices": 300, "seed": 9}
    await load_sample(database, **sample)
    generated = {row[0]: row for row in split_rows(sample_bytes(**sample)["invoice"])}
    stored = await read(
        database,
        "SELECT uuid_send(id), uuid_send(account_id), int8send(amount_cents), currency::bytea,"
        " status::text::bytea, timestamptz_send(issued_at), timestamptz_send(created_at),"
        " timestamptz_send(updated_at) FROM invoice",
    )
    assert {row[0]: row for row in stored} == generated


async def test_every_server_and_every_time_hold_the_same_rows(database: Database) -> None:
    await load_sample(database, accounts=40, invoices=1_500, seed=77)
    assert str((await rows_of(database))[3]) == "555743056475287199526"


async def test_statuses_currencies_and_times_make_sense(database: Database) -> None:
    await load_sample(database, accounts=60, invoices=8_000)
    assert await read(
        database, "SELECT bool_and((issued_at IS NULL) = (status = 'draft')) FROM invoice"
    ) == [(True,)]
    statuses = await read(database, "SELECT DISTINCT status::text FROM invoice ORDER BY 1")
    assert statuses == [("draft",), ("open",), ("paid",), ("void",)]
    currencies = await read(database, "SELECT DISTINCT currency FROM invoice")
    assert {Currency(code).exponent for (code,) in currencies} == {0, 2}
    ((newest,),) = await read(
        database,
        "SELECT greatest(max(created_at), max(issued_at), max(updated_at)) FROM invoice",
    )
    assert newest <= SAMPLE_AS_OF


async def test_indexes_constraints_and_triggers_are_as_before(database: Database) -> None:
    before = await describe(database)
    await load_sample(database, accounts=10, invoices=200)
    assert await describe(database) == before
    await load_sample(database, accounts=10, invoices=300, replace=True)
    assert await describe(database) == before


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE INDEX later ON invoice (lower(currency)) WHERE amount_cents > 5"],
        ["CREATE INDEX odd ON account ((name || ':x')) WITH (fillfactor = 70)"],
        ["COMMENT ON INDEX ix_invoice_status IS 'it''s read by :the dashboard'"],
        ["COMMENT ON CONSTRAINT pk_invoice ON invoice IS 'the key'"],
        ["COMMENT ON CONSTRAINT fk_invoice_account_id_account ON invoice IS 'whose'"],
        ["ALTER TABLE account ADD CONSTRAINT uq_name UNIQUE (name) DEFERRABLE INITIALLY DEFERRED"],
        ["CLUSTER invoice USING ix_invoice_account_id", "CLUSTER account USING pk_account"],
        ["ALTER INDEX pk_invoice SET (fillfactor = 80)"],
        ["ALTER TABLE invoice_line REPLICA IDENTITY USING INDEX pk_invoice_line"],
        [
            "CREATE VIEW leaning AS SELECT id, status, count(*) FROM invoice GROUP BY id",
        ],
        [
            "ALTER TABLE invoice DROP CONSTRAINT fk_invoice_account_id_account",
            "ALTER TABLE invoice ADD FOREIGN KEY (account_id) REFERENCES account NOT VALID",
        ],
    ],
    ids=lambda statements: statements[0][:40],
)
async def test_what_a_later_migration_adds_is_brought_back_too(
    database: Database, statements: list[str]
) -> None:
    await run(database, *statements)
    before = await describe(database)
    await load_sample(database, accounts=10, invoices=200)
    assert await describe(database) == before


async def test_the_new_indexes_can_be_read_without_the_table(database: Database) -> None:
    await load_sample(database, accounts=10, invoices=20_000)
    plan = "\n".join(
        str(line)
        for (line,) in await read(
            database,
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)"
            " SELECT sum(total_cents) FROM invoice_line"
            " WHERE invoice_id = (SELECT id FROM invoice LIMIT 1)",
        )
    )
    assert "Index Only Scan using ix_invoice_line_invoice_id" in plan
    assert "Heap Fetches: 0" in plan


async def test_tables_with_rows_are_refused_and_left_alone(database: Database) -> None:
    await load_sample(database, accounts=5, invoices=100, seed=1)
    before = await rows_of(database)
    with pytest.raises(TablesNotEmptyError) as caught:
        await load_sample(database, accounts=3, invoices=10, seed=2)
    assert caught.value.rows["invoice"] == 100
    assert "100 in invoice" in str(caught.value)
    assert "--replace" in str(caught.value)
    assert await rows_of(database) == before


async def test_a_single_row_is_enough_to_be_refused(database: Database) -> None:
    await run(database, "INSERT INTO account VALUES (gen_random_uuid(), 'Mine', 'team')")
    with pytest.raises(TablesNotEmptyError, match="1 in account, 0 in invoice"):
        await load_sample(database, accounts=3, invoices=10)
    assert (await rows_of(database))[0] == 1


async def test_replace_leaves_only_the_new_sample(database: Database) -> None:
    await load_sample(database, accounts=9, invoices=400, seed=2)
    once = await rows_of(database)
    await load_sample(database, accounts=50, invoices=900, seed=1, replace=True)
    assert (await rows_of(database))[:2] == (50, 900)
    await load_sample(database, accounts=9, invoices=400, seed=2, replace=True)
    assert await rows_of(database) == once


async def test_the_least_sample_is_one_account(database: Database) -> None:
    loaded = await load_sample(database, accounts=1, invoices=0)
    assert (loaded.accounts, loaded.invoices, loaded.lines) == (1, 0, 0)
    assert (await rows_of(database))[:3] == (1, 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [{"accounts": 0}, {"accounts": 3_000_001}, {"invoices": -1}, {"seed": -1}, {"seed": 2**64}],
    ids=str,
)
async def test_numbers_out_of_range_are_refused(database: Database, wrong: dict[str, int]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(UsageError, match=f"{name} is {value:,}, and must be from"):
        await load_sample(database, **{"accounts": 1, "invoices": 1} | wrong)


async def test_a_database_without_tables_says_what_to_run(empty_database_url: URL) -> None:
    async with Database(empty_database_url, Settings()) as database:
        with pytest.raises(SchemaMissingError, match="invoicing db upgrade"):
            await load_sample(database, accounts=1, invoices=1)


async def test_a_missing_column_says_what_to_run_and_changes_nothing(database: Database) -> None:
    await run(database, "ALTER TABLE invoice RENAME amount_cents TO amt")
    before = await describe(database)
    with pytest.raises(SchemaMissingError, match="invoicing db upgrade"):
        await load_sample(database, accounts=2, invoices=5)
    assert await describe(database) == before
    assert (await rows_of(database))[:3] == (0, 0, 0)


async def test_a_table_of_another_owner_that_leans_on_ours_is_not_emptied(
    database: Database,
) -> None:
    await run(
        database,
        "CREATE TABLE note (id int, account_id uuid REFERENCES account)",
    )
    before = await describe(database)
    with pytest.raises(StatementFailedError, match="note"):
        await load_sample(database, accounts=2, invoices=5)
    assert await describe(database) == before


async def test_a_locked_table_is_not_waited_for_without_end(migrated_database_url: URL) -> None:
    settings = Settings(lock_timeout=0.2)
    async with Database(migrated_database_url, settings) as database:
        async with database.transaction() as other:
            await other.execute(text("LOCK TABLE invoice IN ROW EXCLUSIVE MODE"))
            with pytest.raises(StatementFailedError) as caught:
                await load_sample(database, accounts=2, invoices=5)
        assert caught.value.sqlstate == "55P03"
        assert (await load_sample(database, accounts=2, invoices=5)).invoices == 5


async def test_behind_pgbouncer_a_load_may_take_its_time(migrated_database_url: URL) -> None:
    with pgbouncer(migrated_database_url, pool_size=2) as url:
        settings = Settings(pgbouncer=True, statement_timeout=0.05)
        async with Database(url, settings) as database:
            loaded = await load_sample(database, accounts=20, invoices=30_000)
    assert loaded.invoices == 30_000


async def test_progress_tells_rows_then_indexes_then_statistics(database: Database) -> None:
    steps: list[SampleProgress] = []
    loaded = await load_sample(database, accounts=10, invoices=40_000, progress=steps.append)
    stages = [progress.stage for progress in steps]
    assert list(dict.fromkeys(stages)) == ["rows", "indexes", "statistics"]
    assert stages == sorted(stages, key=["rows", "indexes", "statistics"].index)
    rows = [progress for progress in steps if progress.stage == "rows"]
    assert len(rows) > 3
    assert rows[-1].done == rows[-1].total == rows[-1].rows == loaded.rows
    assert all(before.done < after.done for before, after in pairwise(rows))
    assert steps[-1].done == steps[-1].total


async def test_an_error_in_the_middle_leaves_everything_as_it_was(database: Database) -> None:
    await load_sample(database, accounts=5, invoices=100)
    before = (await describe(database), await rows_of(database))

    def fail(progress: SampleProgress) -> None:
        if progress.stage == "indexes" and progress.done > 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await load_sample(database, accounts=5, invoices=9_000, replace=True, progress=fail)
    assert (await describe(database), await rows_of(database)) == before


async def begun(database: Database, *, rows: int = -1) -> asyncio.Task[object]:
    """Begin a long load, and return it when more than so many rows are written."""
    far = asyncio.Event()
    load = asyncio.create_task(
        load_sample(
            database,
            accounts=5,
            invoices=500_000,
            replace=True,
            progress=lambda at: far.set() if at.rows > rows else None,
        )
    )
    await far.wait()
    return load


async def test_a_cancelled_load_leaves_everything_as_it_was(database: Database) -> None:
    await load_sample(database, accounts=5, invoices=100)
    before = (await describe(database), await rows_of(database))
    load = await begun(database)
    load.cancel()
    with pytest.raises(asyncio.CancelledError):
        await load
    assert (await describe(database), await rows_of(database)) == before


async def test_a_connection_lost_meanwhile_is_one_error_and_leaves_everything(
    database: Database, server_url: URL
) -> None:
    await load_sample(database, accounts=5, invoices=100)
    before = (await describe(database), await rows_of(database))
    load = await begun(database, rows=100_000)
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
    await execute(server_url, end.format(database.url.database))
    # Not a timeout, which would cancel the load, and so end the very wait this is about.
    done, _ = await asyncio.wait({load}, timeout=10)
    assert done, "the load waits for a server that is gone"
    with pytest.raises(StatementFailedError):
        await load
    await database.dispose()
    await wait_until_alone(database)
    assert (await describe(database), await rows_of(database)) == before


async def wait_until_alone(database: Database) -> None:
    """Wait until the killed client's server process has noticed and gone."""
    for _ in range(200):
        others = await read(
            database,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        )
        if others == [(0,)]:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the killed load is still there after 20 s")


def load_and_kill(url: URL, stage: str, sent: signal.Signals) -> int:
    """Start a load, end it when it says that it has come to `stage`; return its exit code."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    # A shell that runs pytest in the background has it ignore Ctrl-C, and children inherit that.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = f"{heed}; {MAIN}"
    arguments = ["sample", "--accounts=50", "--invoices=120000", "--replace"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        env=os.environ | {"DATABASE_URL": address},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert any(line.startswith(stage) for line in process.stderr)
        process.send_signal(sent)
        process.stderr.read()
    return process.returncode


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
@pytest.mark.parametrize("stage", ["Sending", "Building"])
async def test_a_killed_process_leaves_everything_as_it_was(
    database: Database, stage: str, sent: signal.Signals
) -> None:
    await load_sample(database, accounts=5, invoices=100)
    before = (await describe(database), await rows_of(database))
    await database.dispose()
    assert await asyncio.to_thread(load_and_kill, database.url, stage, sent) == (
        130 if sent == signal.SIGINT else -signal.SIGKILL
    )
    await wait_until_alone(database)
    assert (await describe(database), await rows_of(database)) == before
