"""A script from base is run again after it was killed, or says from where to write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.rename import Options
from tests.conftest import execute
from tests.migrations.loans import ROWS, SUM, TABLE, fetch, total, version
from tests.migrations.project import RENAME, make_project, psql, write_script

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

BEGIN = "operations.begin_script(context.get_context())"
# At the first row of the backfill, and later: nothing but the batches before it is kept.
KILLED_AT = (1, 300)


@pytest.fixture
async def loans(empty_database_url: URL) -> URL:
    """Return a database with the table and without Alembic's."""
    await execute(empty_database_url, *TABLE[:2])
    return empty_database_url


async def run_until(url: URL, sql: str, row: int) -> str:
    """Run the script, which the server ends at the backfill of a row; return what psql said."""
    body = (
        f"BEGIN IF NEW.id = {row} THEN PERFORM pg_terminate_backend(pg_backend_pid());"
        " PERFORM pg_sleep(60); END IF; RETURN NEW; END"
    )
    await execute(
        url,
        f"CREATE FUNCTION kill() RETURNS trigger LANGUAGE plpgsql AS '{body}'",
        "CREATE TRIGGER kill BEFORE UPDATE ON loan FOR EACH ROW EXECUTE FUNCTION kill()",
        "ALTER TABLE loan ENABLE ALWAYS TRIGGER kill",
    )
    ran = psql(url, sql)
    assert "terminating connection" in ran.stderr
    await execute(url, "DROP TRIGGER kill ON loan", "DROP FUNCTION kill")
    return ran.stderr


@pytest.mark.parametrize("begin", ["", BEGIN])
@pytest.mark.parametrize("row", KILLED_AT)
async def test_a_rename_that_is_the_first_revision_is_run_again(
    loans: URL, tmp_path: Path, row: int, begin: str
) -> None:
    sql = write_script(make_project(tmp_path / "project", *RENAME[1:], begin=begin), "base:001")
    await run_until(loans, sql, row)
    assert await fetch(loans, "SELECT to_regclass('alembic_version')") is None
    ran = psql(loans, sql)
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert await version(loans) == "001"
    assert await total(loans, "fee_cents") == SUM


async def test_two_renames_of_the_first_revision_are_run_again(loans: URL, tmp_path: Path) -> None:
    await execute(loans, "CREATE TABLE other (a int)", "INSERT INTO other VALUES (1)")
    first = 'op.expand_rename("other", "a", "b", sa.BigInteger())'
    project = make_project(tmp_path / "project", (f"{first}; {RENAME[1][0]}", "pass"))
    sql = write_script(project, "base:001")
    await run_until(loans, sql, 300)
    ran = psql(loans, sql)
    assert (ran.stderr, ran.returncode, await version(loans)) == ("", 0, "001")


async def test_what_came_before_is_stamped_and_the_script_says_from_where_to_go_on(
    loans: URL, tmp_path: Path
) -> None:
    made = ("op.create_table('early', sa.Column('x', sa.Integer()))", "op.drop_table('early')")
    project = make_project(tmp_path / "project", made, *RENAME[1:], begin=BEGIN)
    sql = write_script(project, "base:002")
    assert "alembic upgrade 001:" in await run_until(loans, sql, 300)
    assert 0 < await fetch(loans, "SELECT count(fee_cents) FROM loan") < ROWS
    assert await version(loans) == "001"
    again = psql(loans, sql)
    assert again.returncode
    assert "alembic upgrade 001:" in again.stderr
    ran = psql(loans, write_script(project, "001:002"))
    assert (ran.stderr, ran.returncode, await version(loans)) == ("", 0, "002")
    assert await total(loans, "fee_cents") == SUM


async def test_the_contract_says_that_it_waits(loans: URL, tmp_path: Path) -> None:
    options = Options(batch_size=50, quiet=0.2, lock_timeout=0.2, lock_attempts=2)
    project = make_project(tmp_path / "project", *RENAME, options=options)
    ran = psql(loans, write_script(project, "base:003"))
    assert ran.returncode == 0, ran.stderr
    assert "waiting 0.2 s" in ran.stderr


@pytest.mark.parametrize(("name", "to"), [("fee", "foo"), ("fee_cents", "bar")])
async def test_a_column_that_was_renamed_under_way_ends_the_script(
    loans: URL, tmp_path: Path, name: str, to: str
) -> None:
    project = make_project(tmp_path / "project", *RENAME)
    assert psql(loans, write_script(project, "base:002")).returncode == 0
    await execute(loans, f"ALTER TABLE loan RENAME {name} TO {to}")
    for revisions in ("002:003", "002:001"):
        ran = psql(loans, write_script(project, revisions))
        assert f"RENAME COLUMN {to} TO {name}" in ran.stderr.replace('"', "")
        assert await version(loans) == "002"
