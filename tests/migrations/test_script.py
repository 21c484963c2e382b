"""The script for psql: whatever runs it and whatever fails, no value is lost or wrongly stamped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.errors import UsageError
from tests.conftest import execute
from tests.migrations.loans import (
    ROWS,
    STOPS,
    SUM,
    TROUBLE,
    columns,
    fetch,
    first_step,
    total,
    version,
    without_stop,
)
from tests.migrations.project import make_project, psql, rename_of, write_script

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy.engine import URL


def test_the_first_line_stops_psql_at_an_error(tmp_path: Path) -> None:
    for revisions in ("base:003", "001:002", "002:003", "003:002", "002:001"):
        config = make_project(
            tmp_path / revisions.replace(":", "-"),
            begin="operations.begin_script(context.get_context())",
        )
        assert write_script(config, revisions).startswith(STOPS)


@pytest.mark.parametrize("stop", [True, False])
async def test_the_contract_keeps_a_column_that_is_not_filled(
    loans: URL, project: Config, stop: bool
) -> None:
    """Expanded by the operator, not filled, not confirmed: every reason to drop nothing."""
    expand = write_script(project, "001:002")
    psql(loans, first_step(expand))
    await execute(loans, "UPDATE alembic_version SET version_num = '002'")
    assert "fee_cents" in await columns(loans)
    for confirm in (None, "loan.fee"):
        sql = write_script(project, "002:003", confirm=confirm)
        ran = psql(loans, sql if stop else without_stop(sql))
        assert "ERROR" in ran.stderr
    assert await total(loans, "fee") == SUM
    assert await version(loans) == "002"


@pytest.mark.parametrize("arguments", [(), ("--set", "ON_ERROR_STOP=1"), ("--single-transaction",)])
async def test_the_scripts_rename_and_go_back(
    loans: URL, project: Config, arguments: tuple[str, ...]
) -> None:
    ran = psql(loans, write_script(project, "001:003"), *arguments)
    assert (ran.stderr, await version(loans)) == ("", "003") or arguments
    assert await version(loans) == "003", ran.stderr
    assert (await columns(loans))["fee_cents"] == ("bigint", True)
    assert "fee" not in await columns(loans)
    assert await total(loans, "fee_cents") == SUM
    ran = psql(loans, write_script(project, "003:002"), *arguments)
    assert await version(loans) == "002", ran.stderr
    ran = psql(loans, write_script(project, "002:001"), *arguments)
    assert "added again" in ran.stderr
    assert await version(loans) == "002"
    assert await total(loans, "fee_cents") == SUM


def test_the_expands_downgrade_is_not_written_after_that_of_its_contract(project: Config) -> None:
    """It could not end: the old column is empty until a run has filled it."""
    with pytest.raises(UsageError, match="without --sql"):
        write_script(project, "003:001")


async def test_a_rename_goes_back_before_the_contract(loans: URL, project: Config) -> None:
    before = await columns(loans)
    assert psql(loans, write_script(project, "001:002")).returncode == 0
    ran = psql(loans, write_script(project, "002:001"))
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert await columns(loans) == before
    assert await version(loans) == "001"
    assert await fetch(loans, "SELECT to_regnamespace('invoicing_rename')") is None


async def test_an_own_statement_timeout_does_not_end_the_backfill(
    loans: URL, tmp_path: Path
) -> None:
    body = "BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END"
    slow = (
        # Code of the database's own, which finds its names by the client's path.
        "CREATE FUNCTION least_id() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        "CREATE FUNCTION fine(i int) RETURNS bool LANGUAGE sql AS 'SELECT i >= least_id()'",
        "ALTER TABLE loan ADD CHECK (fine(id::int))",
        f"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS '{body}'",
        "CREATE TRIGGER slow BEFORE UPDATE ON loan FOR EACH ROW EXECUTE FUNCTION slow()",
        "ALTER TABLE loan ENABLE ALWAYS TRIGGER slow",
    )
    await execute(loans, "DELETE FROM loan WHERE id > 40", *slow)
    project = make_project(tmp_path / "slow")
    sql = "SET statement_timeout = '1s';\n" + write_script(project, "001:003")
    ran = psql(loans, sql + "\nSHOW statement_timeout;", "--tuples-only")
    assert ran.stdout.strip() == "1s"
    assert await version(loans) == "003", ran.stderr
    assert await total(loans, "fee_cents") == 40 * 41 // 2


async def test_a_locked_row_is_waited_for(loans: URL, tmp_path: Path) -> None:
    project = make_project(tmp_path / "patient", options=rename_of(lock_attempts=50))
    sql = write_script(project, "001:003")
    assert psql(loans, first_step(sql)).returncode == 0
    holder = await asyncpg.connect(loans.set(drivername="postgresql").render_as_string(False))
    async with holder.transaction():
        await holder.execute("SELECT FROM loan WHERE id = 250 FOR UPDATE")
        running = asyncio.create_task(asyncio.to_thread(psql, loans, sql))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await fetch(loans, waiting) and not running.done():
            pass
        assert not running.done()
    await holder.close()
    ran = await running
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert await version(loans) == "003"
    assert await total(loans, "fee_cents") == SUM


@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize(("begun", "said"), [(True, "stay locked"), (False, "cannot lock")])
async def test_a_row_that_stays_locked_ends_the_script_without_a_stamp(
    loans: URL, project: Config, begun: bool, said: str, stop: bool
) -> None:
    sql = write_script(project, "001:003")
    assert not begun or psql(loans, first_step(sql)).returncode == 0
    holder = await asyncpg.connect(loans.set(drivername="postgresql").render_as_string(False))
    async with holder.transaction():
        await holder.execute("SELECT FROM loan WHERE id = 250 FOR UPDATE")
        ran = await asyncio.to_thread(psql, loans, sql if stop else without_stop(sql))
        assert said in ran.stderr
        assert await version(loans) == "001"
        assert await total(loans, "fee") == SUM
    await holder.close()
    again = psql(loans, sql)
    assert again.returncode == 0, again.stderr
    assert await total(loans, "fee_cents") == SUM


async def test_two_sessions_at_once_lose_nothing(loans: URL, project: Config) -> None:
    sql = write_script(project, "001:003")
    await asyncio.gather(*(asyncio.to_thread(psql, loans, sql) for _ in range(2)))
    psql(loans, sql)
    assert await version(loans) == "003"
    assert await total(loans, "fee_cents") == SUM


async def test_a_script_that_has_run_may_run_again(loans: URL, project: Config) -> None:
    for revisions in ("001:002", "002:003"):
        for _ in range(2):
            ran = psql(loans, write_script(project, revisions))
            assert (ran.stderr, ran.returncode) == ("", 0)
    assert await version(loans) == "003"
    assert await total(loans, "fee_cents") == SUM


SURROUNDED = {
    "an earlier revision": ("op.execute('SELECT 1 / 0')", "pass"),
    "an earlier statement": ("pass", "op.execute('SELECT 1 / 0')"),
}


@pytest.mark.parametrize("whole", ["", ", transaction_per_migration=True"])
@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize(("earlier", "own"), SURROUNDED.values(), ids=SURROUNDED)
async def test_after_an_error_nothing_later_is_stamped_or_dropped(
    loans: URL, tmp_path: Path, earlier: str, own: str, stop: bool, whole: str
) -> None:
    rename = '"loan", "fee", "fee_cents", sa.BigInteger()'
    project = make_project(
        tmp_path / "project",
        ("pass", "pass"),
        (f"op.expand_rename({rename})", "pass"),
        (earlier, "pass"),
        (f"{own}; op.contract_rename({rename})", "pass"),
        ("op.drop_table('kept')", "pass"),
        offline=whole,
    )
    await execute(loans, "CREATE TABLE kept ()")
    assert psql(loans, write_script(project, "001:002")).returncode == 0
    sql = write_script(project, "002:005")
    psql(loans, sql if stop else without_stop(sql))
    assert await version(loans) in {"002", "003"}
    assert await total(loans, "fee") == SUM
    assert await fetch(loans, "SELECT to_regclass('kept')::text") == "kept"


async def test_two_renames_of_one_revision_are_stamped_together(loans: URL, tmp_path: Path) -> None:
    first = 'op.expand_rename("loan", "fee", "fee_cents", sa.BigInteger())'
    second = 'op.expand_rename("other", "a", "b", sa.BigInteger())'
    project = make_project(tmp_path / "project", ("pass", "pass"), (f"{first}; {second}", "pass"))
    await execute(
        loans,
        "CREATE TABLE other (a int)",
        "INSERT INTO other VALUES (1)",
        *TROUBLE,
    )
    sql = write_script(project, "001:002")
    psql(loans, without_stop(sql))
    assert await version(loans) == "001"
    await execute(loans, "DROP TRIGGER trouble ON loan")
    ran = psql(loans, sql)
    assert (ran.stderr, await version(loans)) == ("", "002")


async def test_a_contract_from_another_version_drops_nothing(loans: URL, project: Config) -> None:
    assert psql(loans, write_script(project, "001:002")).returncode == 0
    await execute(loans, "UPDATE alembic_version SET version_num = '001'")
    ran = psql(loans, without_stop(write_script(project, "002:003")))
    assert "alembic current" in ran.stderr
    assert await version(loans) == "001"
    assert await total(loans, "fee") == SUM


async def test_a_script_without_transactions_is_not_written(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", offline=", transactional_ddl=False")
    with pytest.raises(Exception, match="transactional_ddl"):
        write_script(project, "001:003")


async def test_old_code_that_writes_during_the_quiet_time_keeps_its_column(
    loans: URL, tmp_path: Path
) -> None:
    assert psql(loans, write_script(make_project(tmp_path / "a"), "001:002")).returncode == 0
    project = make_project(tmp_path / "b", options=rename_of(quiet=60))
    running = asyncio.create_task(
        asyncio.to_thread(
            psql, loans, write_script(project, "002:003").replace("pg_sleep(60)", "pg_sleep(3)")
        )
    )
    while not running.done():
        await execute(loans, "UPDATE loan SET fee = fee WHERE id = 1")
        await asyncio.sleep(0.1)
    assert "old code" in (await running).stderr
    assert await total(loans, "fee") == SUM
    assert await version(loans) == "002"


HABITS = ("--set", "ON_ERROR_ROLLBACK=on", "--set", "AUTOCOMMIT=off")


async def test_the_habits_of_a_psqlrc_cost_nothing(loans: URL, project: Config) -> None:
    sql = write_script(project, "001:003")
    await execute(loans, *TROUBLE)
    psql(loans, sql, *HABITS)
    assert await version(loans) == "001"
    assert await total(loans, "fee") == SUM
    await execute(loans, "DROP TRIGGER trouble ON loan", "CREATE INDEX ON loan (fee)")
    psql(loans, sql, *HABITS)
    assert await version(loans) == "003"
    assert await total(loans, "fee_cents") == SUM


async def test_the_script_as_one_string_loses_nothing(loans: URL, project: Config) -> None:
    assert psql(loans, write_script(project, "001:002")).returncode == 0
    psql(loans, "", "--command", write_script(project, "002:003"))
    assert await version(loans) == "002"
    assert await total(loans, "fee") == SUM


async def test_a_killed_script_goes_on_where_it_was(loans: URL, project: Config) -> None:
    """Ended by the server after some batches, as by a lost connection."""
    sql = write_script(project, "001:003")
    body = (
        "BEGIN IF NEW.id = 300 THEN PERFORM pg_terminate_backend(pg_backend_pid());"
        " PERFORM pg_sleep(60); END IF; RETURN NEW; END"
    )
    await execute(
        loans,
        f"CREATE FUNCTION kill() RETURNS trigger LANGUAGE plpgsql AS '{body}'",
        "CREATE TRIGGER kill BEFORE UPDATE ON loan FOR EACH ROW EXECUTE FUNCTION kill()",
        "ALTER TABLE loan ENABLE ALWAYS TRIGGER kill",
    )
    assert "terminating connection" in psql(loans, sql).stderr
    filled = await fetch(loans, "SELECT count(fee_cents) FROM loan")
    assert 0 < filled < ROWS
    assert await version(loans) == "001"
    await execute(loans, "DROP TRIGGER kill ON loan")
    ran = psql(loans, sql)
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert await total(loans, "fee_cents") == SUM
