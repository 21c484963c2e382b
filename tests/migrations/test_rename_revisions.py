"""The two revisions of the rename, with rows present: batches, confirmation, the way back, psql."""

from __future__ import annotations

import asyncio
import io
import subprocess
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database, migrations
from invoicing.db.migrations import alembic_config, current_revision
from invoicing.settings import Settings
from invoicing.toolkit.postgres import find_installation
from invoicing.toolkit.rename import Rename, Target
from invoicing.toolkit.rename.errors import (
    ConfirmationError,
    ContractRefusedError,
    RenameInterruptedError,
)
from tests.conftest import execute
from tests.migrations.running import QUICK, downgrade, upgrade
from tests.migrations.test_migrations import catalog

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

BEFORE, EXPANDED, CONTRACTED = "1f0c6a2be9d4", "8d41c7e05b2a", "c5e2907fa316"
TARGET = Target("invoice", "amt", "amount_cents")
ROWS = 3_000
MAKE_ROWS = (
    "INSERT INTO account (id, name, plan) VALUES (gen_random_uuid(), 'Aurora', 'team')",
    (
        "INSERT INTO invoice (id, account_id, {column}, currency)"
        " SELECT gen_random_uuid(), (SELECT id FROM account), n, 'EUR'"
        f" FROM generate_series(1, {ROWS}) AS n"
    ),
)


async def make_rows(url: URL, column: str = "amt") -> None:
    await execute(url, *(statement.format(column=column) for statement in MAKE_ROWS))


async def fetch(database: Database, query: str) -> Any:
    async with database.read_only() as session:
        return await session.scalar(text(query))


@pytest.fixture
async def before(empty_database_url: URL) -> Any:
    """Yield a database with rows, as it is before the rename."""
    async with Database(empty_database_url, Settings()) as database:
        await upgrade(database, BEFORE)
        await make_rows(empty_database_url)
        yield database


async def test_the_expand_fills_every_row_in_batches_and_moves_no_timestamp(
    before: Database,
) -> None:
    newest = await fetch(before, "SELECT max(updated_at) FROM invoice")
    batches: list[int] = []
    await upgrade(before, EXPANDED, progress=lambda progress: batches.append(progress.rows_done))
    equal = "SELECT count(*) FROM invoice WHERE amt = amount_cents"
    assert await fetch(before, equal) == ROWS
    assert len(set(batches)) >= ROWS // QUICK.batch_size
    assert await fetch(before, "SELECT max(updated_at) FROM invoice") == newest
    not_null = "SELECT bool_and(attnotnull) FROM pg_attribute WHERE attname IN {0}"
    assert await fetch(before, not_null.format("('amt', 'amount_cents')"))


async def test_after_the_expand_old_and_new_code_write_side_by_side(before: Database) -> None:
    await upgrade(before, EXPANDED)
    await make_rows_by(before, "amt", 7)
    await make_rows_by(before, "amount_cents", 8)
    sums = "SELECT count(*) FROM invoice WHERE amt = amount_cents AND amt IN (7, 8)"
    assert await fetch(before, sums) == 4  # two of them from MAKE_ROWS


async def make_rows_by(database: Database, column: str, amount: int) -> None:
    async with database.transaction() as session:
        await session.execute(
            text(
                f"INSERT INTO invoice (id, account_id, {column}, currency)"
                " SELECT gen_random_uuid(), (SELECT id FROM account), :amount, 'EUR'"
            ),
            {"amount": amount},
        )


async def test_a_stopped_expand_keeps_its_batches_and_goes_on(before: Database) -> None:
    stop = asyncio.Event()
    with pytest.raises(RenameInterruptedError, match="stopped"):
        await upgrade(before, EXPANDED, stop=stop, progress=lambda _: stop.set())
    assert await current_revision(before) == BEFORE
    filled = await fetch(before, "SELECT count(amount_cents) FROM invoice")
    assert 0 < filled < ROWS
    await upgrade(before, EXPANDED)
    assert await fetch(before, "SELECT count(amount_cents) FROM invoice") == ROWS


async def test_the_expand_goes_back_without_a_trace(before: Database) -> None:
    was = await catalog(before.url)
    await upgrade(before, EXPANDED)
    await downgrade(before, BEFORE)
    assert await catalog(before.url) == was
    assert await fetch(before, "SELECT to_regnamespace('invoicing_rename')") is None
    assert await fetch(before, "SELECT sum(amt) FROM invoice") == ROWS * (ROWS + 1) // 2


async def test_the_contract_wants_the_name_of_what_it_drops(before: Database) -> None:
    with pytest.raises(ConfirmationError) as caught:
        await upgrade(before, CONTRACTED)
    assert caught.value.expected == "invoice.amt"
    assert await current_revision(before) == EXPANDED
    await upgrade(before, CONTRACTED, confirm="invoice.amt")
    assert await current_revision(before) == CONTRACTED
    with pytest.raises(DBAPIError):
        await fetch(before, "SELECT max(amt) FROM invoice")


async def test_the_contract_is_refused_while_a_view_names_the_column(before: Database) -> None:
    await upgrade(before, EXPANDED)
    await execute(before.url, "CREATE VIEW report AS SELECT sum(amt) FROM invoice")
    with pytest.raises(ContractRefusedError, match="report"):
        await upgrade(before, CONTRACTED, confirm="invoice.amt")
    await execute(
        before.url, "CREATE OR REPLACE VIEW report AS SELECT sum(amount_cents) FROM invoice"
    )
    await upgrade(before, CONTRACTED, confirm="invoice.amt")


async def test_the_contract_goes_back_filled_and_the_rest_of_the_way_loses_nothing(
    before: Database,
) -> None:
    was = await catalog(before.url)
    await upgrade(before, CONTRACTED, confirm="invoice.amt")
    await downgrade(before, EXPANDED)
    assert await fetch(before, "SELECT count(*) FROM invoice WHERE amt = amount_cents") == ROWS
    await make_rows_by(before, "amt", 7)
    await downgrade(before, BEFORE)
    assert await fetch(before, "SELECT sum(amt) FROM invoice") == ROWS * (ROWS + 1) // 2 + 7
    assert {*was["columns"]} == {*(await catalog(before.url))["columns"]}


async def test_a_stopped_downgrade_keeps_its_batches_and_goes_on(before: Database) -> None:
    await upgrade(before, CONTRACTED, confirm="invoice.amt")
    stop = asyncio.Event()
    settings = {"options": QUICK, "stop": stop, "progress": lambda _: stop.set()}
    with pytest.raises(RenameInterruptedError, match="stopped"):
        await migrations.downgrade(before, EXPANDED, rename=settings)
    assert await current_revision(before) == CONTRACTED
    assert 0 < await fetch(before, "SELECT count(amt) FROM invoice") < ROWS
    await downgrade(before, EXPANDED)
    assert await fetch(before, "SELECT count(amt) FROM invoice") == ROWS


async def test_the_downgrade_fills_what_a_restore_has_left(before: Database) -> None:
    await upgrade(before, CONTRACTED, confirm="invoice.amt")
    await Rename(before, TARGET, QUICK).reversed().expand()
    await downgrade(before, BEFORE)
    assert await fetch(before, "SELECT sum(amt) FROM invoice") == ROWS * (ROWS + 1) // 2


async def test_an_error_of_the_rename_is_one_line_of_alembics(before: Database) -> None:
    with pytest.raises(CommandError, match="was not confirmed"):
        await upgrade(before, CONTRACTED)


async def test_the_contract_can_be_taken_back_and_done_again(before: Database) -> None:
    await upgrade(before, CONTRACTED, confirm="invoice.amt")
    there = await catalog(before.url)
    await downgrade(before, EXPANDED)
    await upgrade(before, CONTRACTED, confirm="invoice.amt")
    assert await catalog(before.url) == there
    assert await fetch(before, "SELECT sum(amount_cents) FROM invoice") == ROWS * (ROWS + 1) // 2


async def test_a_table_that_was_made_with_the_new_name_is_left_as_it_is(before: Database) -> None:
    """As databases are that were made before the history began with `amt`."""
    await execute(before.url, "ALTER TABLE invoice RENAME amt TO amount_cents")
    was = await catalog(before.url)
    await upgrade(before, CONTRACTED)
    assert await current_revision(before) == CONTRACTED
    assert await catalog(before.url) == was


def script(revisions: str, *arguments: str) -> str:
    """Write what `alembic upgrade --sql` would."""
    config = alembic_config()
    config.attributes["rename"] = {"options": QUICK}
    config.attributes["rename"] |= dict(argument.split("=") for argument in arguments)
    config.output_buffer = io.StringIO()
    with redirect_stdout(config.output_buffer):
        command.upgrade(config, revisions, sql=True)
    return config.output_buffer.getvalue()


def psql(url: URL, sql: str) -> subprocess.CompletedProcess[str]:
    target = url.set(drivername="postgresql").render_as_string(hide_password=False)
    program = find_installation().program("psql")
    return subprocess.run(
        [program, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", target],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_script_renames_with_rows_present_as_a_run_does(
    before: Database, server_url: URL
) -> None:
    for revisions in (f"{BEFORE}:{EXPANDED}", f"{EXPANDED}:{CONTRACTED}"):
        ran = psql(before.url, script(revisions, "confirm=invoice.amt"))
        assert ran.returncode == 0, ran.stderr
    assert await fetch(before, "SELECT sum(amount_cents) FROM invoice") == ROWS * (ROWS + 1) // 2
    other = server_url.set(database=f"{before.url.database}_run")
    await execute(server_url, f"CREATE DATABASE {other.database}")
    try:
        async with Database(other, Settings()) as run:
            await upgrade(run, BEFORE)
            await make_rows(other)
            await upgrade(run, CONTRACTED, confirm="invoice.amt")
        assert await catalog(other) == await catalog(before.url)
    finally:
        await execute(server_url, f"DROP DATABASE {other.database} WITH (FORCE)")


async def test_the_script_commits_every_batch_and_goes_on_when_started_anew(
    before: Database,
) -> None:
    # A row that cannot be written ends the script in the middle.
    await execute(
        before.url,
        "ALTER TABLE invoice ADD CONSTRAINT trouble CHECK (currency <> 'XXX') NOT VALID",
        "ALTER TABLE invoice DISABLE TRIGGER ALL",
        "ALTER TABLE invoice DROP CONSTRAINT trouble",
        "UPDATE invoice SET currency = 'XXX' WHERE amt = 2900",
        "ALTER TABLE invoice ADD CONSTRAINT trouble CHECK (currency <> 'XXX') NOT VALID",
    )
    sql = script(f"{BEFORE}:{EXPANDED}")
    ran = psql(before.url, sql)
    assert "trouble" in ran.stderr
    filled = await fetch(before, "SELECT count(amount_cents) FROM invoice")
    assert 0 < filled < ROWS
    assert await fetch(before, "SELECT sum(rows_updated) FROM invoicing_rename.range") == filled
    await execute(before.url, "ALTER TABLE invoice DROP CONSTRAINT trouble")
    again = psql(before.url, sql)
    assert again.returncode == 0, again.stderr
    assert await fetch(before, "SELECT count(amount_cents) FROM invoice") == ROWS


async def test_the_script_of_the_contract_refuses_rows_without_confirmation(
    before: Database,
) -> None:
    assert psql(before.url, script(f"{BEFORE}:{EXPANDED}")).returncode == 0
    ran = psql(before.url, script(f"{EXPANDED}:{CONTRACTED}"))
    assert "confirm=invoice.amt" in ran.stderr
    assert await fetch(before, "SELECT count(amt) FROM invoice") == ROWS


async def test_the_script_refuses_what_it_cannot_carry_over(before: Database) -> None:
    await execute(before.url, "CREATE RULE kept AS ON DELETE TO invoice DO INSTEAD NOTHING")
    ran = psql(before.url, script(f"{BEFORE}:{EXPANDED}"))
    assert "without --sql" in ran.stderr
    columns = "SELECT count(*) FROM pg_attribute WHERE attname = 'amount_cents'"
    assert await fetch(before, columns) == 0
