"""The record of a rename: who, when, what, and how it ended, kept in the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.report import rename_page
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from invoicing.toolkit.rename.errors import RowsDifferError
from tests.conftest import execute, newest_server_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

server_url = newest_server_url

ROWS = 1_000


@pytest.fixture
async def rename(empty_database_url: URL) -> AsyncIterator[Rename]:
    """Yield a rename that has not begun, of a table with an index."""
    await execute(
        empty_database_url,
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint NOT NULL)",
        f"INSERT INTO bill SELECT n, n FROM generate_series(1, {ROWS}) AS n",
        "CREATE INDEX bill_amt ON bill (amt)",
    )
    async with Database(empty_database_url, Settings()) as database:
        options = Options(batch_size=50, quiet=0.0)
        yield Rename(database, Target("bill", "amt", "<cents>"), options)


async def phases(rename: Rename) -> list[tuple[str, str]]:
    return [(run.phase, run.outcome) for run in await rename.runs()]


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_every_phase_is_on_record_and_stays_after_the_contract(
    rename: Rename, strategy: str
) -> None:
    rename = Rename(rename.database, rename.target, Options(strategy=strategy, quiet=0.0))
    await rename.expand()
    await rename.backfill()
    await rename.verify()
    await rename.contract(confirm="bill.amt")
    done = ["expand", "backfill", "verify", "contract"]
    assert await phases(rename) == [(phase, "done") for phase in done]
    runs = await rename.runs()
    assert all(run.seconds > 0 and "@" in run.operator for run in runs)
    statements = [statement for run in runs for statement in run.statements]
    assert any("ALTER TABLE" in statement["sql"] for statement in statements)
    assert all(
        (statement["seconds"] is None) == ("-- each batch" in statement["sql"])
        for statement in statements
    )
    unseen = runs[-1].result["unseen"]
    assert all(reason.startswith("pg_stat_statements: is not installed") for reason in unseen)
    page = rename_page(await rename.status(), runs, "postgresql://h/d")
    assert "Rename of bill.amt to &lt;cents&gt;" in page
    assert "<cents>" not in page
    assert "-- 0.000 s\n" not in page.partition("-- each batch")[2].partition("</pre>")[0]
    assert page.count("<h3>") == len(done)


async def test_a_stop_a_failure_and_what_came_after_are_on_record(rename: Rename) -> None:
    await rename.expand()
    stop = asyncio.Event()
    await rename.backfill(progress=lambda _: stop.set(), stop=stop)
    await rename.backfill()
    trigger = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'bill'::regclass"
    await execute(
        rename.database.url,
        "SET session_replication_role = replica",
        f"DO $$ DECLARE t name; BEGIN FOR t IN {trigger} LOOP EXECUTE"
        " format('ALTER TABLE bill DISABLE TRIGGER %I', t); END LOOP; END $$",
        "UPDATE bill SET amt = -1 WHERE id = 1",
    )
    with pytest.raises(RowsDifferError):
        await rename.verify()
    assert await phases(rename) == [
        ("expand", "done"),
        ("backfill", "stopped"),
        ("backfill", "done"),
        ("verify", "failed"),
    ]
    runs = await rename.runs()
    assert runs[1].options == {"batch_size": 50, "quiet": 0.0}
    assert runs[1].result["rows_updated"] + runs[2].result["rows_updated"] == ROWS
    assert "differ" in runs[3].said


async def test_a_run_that_was_cut_off_is_shown_as_killed(rename: Rename) -> None:
    await rename.expand()
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    ended += " WHERE application_name = 'invoicing rename' AND datname = current_database()"
    cut = asyncio.Event()

    async def cut_off() -> None:
        await cut.wait()
        # First the one that would still have spoken of the others' end.
        journal = "SELECT pg_terminate_backend(pid, 5000) FROM invoicing_rename.run"
        await execute(rename.database.url, f"{journal} WHERE ended_at IS NULL", ended)

    cutting = asyncio.create_task(cut_off())
    slow = Rename(rename.database, rename.target, Options(batch_size=5, pause=0.05))
    with pytest.raises(Exception, match="interrupted"):
        await slow.backfill(progress=lambda _: cut.set())
    await cutting
    assert (await phases(rename))[-1] == ("backfill", "killed")
    await rename.backfill()
    assert (await phases(rename))[-1] == ("backfill", "done")


async def test_a_rollback_leaves_nothing_and_a_refused_expand_neither(rename: Rename) -> None:
    await rename.expand()
    await rename.rollback()
    assert await rename.runs() == []
    async with rename.database.engine.connect() as connection:
        found = await connection.exec_driver_sql("SELECT to_regnamespace('invoicing_rename')")
        assert found.scalar() is None


async def test_a_state_from_before_the_journal_is_taken_as_it_is(rename: Rename) -> None:
    await rename.expand()
    await execute(rename.database.url, "DROP TABLE invoicing_rename.run")
    assert await rename.runs() == []
    await rename.backfill()
    assert await phases(rename) == [("backfill", "done")]
    assert (await rename.status()).phase is Phase.BACKFILLED


async def test_a_restore_is_on_the_same_record(rename: Rename) -> None:
    for phase in (rename.expand, rename.backfill, rename.verify):
        await phase()
    await rename.contract(confirm="bill.amt")
    await rename.restore()
    runs = await rename.runs()
    assert [(run.phase, run.old) for run in runs[4:]] == [
        (phase, "<cents>") for phase in ("expand", "backfill", "verify")
    ]
    page = rename_page(await rename.status(), runs, "postgresql://h/d")
    assert "restore: expand" in page
