"""Writes that the triggers did not see, or that are of another roll-up, are noticed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.errors import StatementFailedError
from invoicing.rollup import build_rollup, check_rollup, fold_rollup, rollup_state
from invoicing.rollup.errors import NoRollupError
from invoicing.sample import load_sample
from invoicing.schemas.portfolio import Source
from invoicing.toolkit.postgres import find_installation
from tests.conftest import execute, fresh_database
from tests.rollup.test_rollup import answers, assert_answers_are_those_of_the_invoices

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

CHANGED = "UPDATE invoice_line SET total_cents = total_cents + 1"
UPDATE = "invoice_line_rollup_update"
TOGGLED = [
    f"ALTER TABLE invoice_line DISABLE TRIGGER {UPDATE}",
    CHANGED,
    f"ALTER TABLE invoice_line ENABLE ALWAYS TRIGGER {UPDATE}",
]
REMADE = f"""
    DO $$
    DECLARE made text := (SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = '{UPDATE}');
    BEGIN
        DROP TRIGGER {UPDATE} ON invoice_line;
        {CHANGED};
        EXECUTE made;
        ALTER TABLE invoice_line ENABLE ALWAYS TRIGGER {UPDATE};
    END $$
"""
ALL_ON_AGAIN = """
    DO $$
    DECLARE own record;
    BEGIN
        FOR own IN SELECT tgrelid::regclass AS place, tgname FROM pg_trigger
            WHERE NOT tgisinternal AND tgfoid::regproc::text ~ 'rollup'
        LOOP
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', own.place, own.tgname);
        END LOOP;
    END $$
"""
REPLACED = f"""
    DO $$
    DECLARE made text := pg_get_functiondef('invoice_line_rollup'::regproc);
    BEGIN
        CREATE OR REPLACE FUNCTION invoice_line_rollup() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN RETURN NULL; END';
        {CHANGED};
        EXECUTE made;
    END $$
"""
PAST_IT = {
    "switched off and on": TOGGLED,
    "in one transaction": ["BEGIN", *TOGGLED, "COMMIT"],
    "on its table alone": [
        "ALTER TABLE invoice_line DISABLE TRIGGER USER",
        CHANGED,
        "ALTER TABLE invoice_line ENABLE TRIGGER USER",
        ALL_ON_AGAIN,
    ],
    "made again": [REMADE],
    "function replaced": [REPLACED],
    "function altered": ["ALTER FUNCTION invoice_line_rollup() SET row_security = off"],
    "a total": ["UPDATE invoice_day_total SET cents = cents + 1"],
    "a total, as a replica": [
        "SET session_replication_role = replica",
        "UPDATE invoice_account_total SET open_cents = open_cents + 1",
    ],
    "totals truncated": ["TRUNCATE invoice_difference, invoice_day_total"],
    "a change taken away": ["DELETE FROM invoice_delta"],
}


@pytest.mark.broad
@pytest.mark.parametrize("statements", PAST_IT.values(), ids=PAST_IT)
async def test_what_the_triggers_did_not_see_is_noticed(
    rolled_up: Database, statements: list[str]
) -> None:
    await load_sample(rolled_up, accounts=5, invoices=60)
    await assert_answers_are_those_of_the_invoices(rolled_up, Source.ROLL_UP)
    await execute(rolled_up.url, *statements)
    await assert_answers_are_those_of_the_invoices(rolled_up, Source.INVOICES)
    for work in (fold_rollup, check_rollup):
        with pytest.raises(NoRollupError, match="invoicing portfolio build"):
            await work(rolled_up)
    await build_rollup(rolled_up)
    await assert_answers_are_those_of_the_invoices(rolled_up, Source.ROLL_UP)
    assert not (await check_rollup(rolled_up)).different


@pytest.mark.parametrize(
    ("meanwhile", "source"),
    [
        ("SELECT 1", Source.ROLL_UP),
        ("UPDATE invoice SET amount_cents = amount_cents + 1", Source.INVOICES),
        ("DELETE FROM invoice WHERE currency = 'CHF'", Source.INVOICES),
    ],
)
async def test_what_is_written_to_a_child_of_the_table_is_noticed(
    rolled_up: Database, meanwhile: str, source: Source
) -> None:
    """A statement on the parent changes the child's rows, and its triggers are shown those too."""
    await load_sample(rolled_up, accounts=5, invoices=60)
    await execute(
        rolled_up.url,
        "CREATE TABLE invoice_archive () INHERITS (invoice)",
        "INSERT INTO invoice_archive (id, account_id, currency, status, amount_cents)"
        " SELECT gen_random_uuid(), id, 'CHF', 'open', 500 FROM account",
    )
    await assert_answers_are_those_of_the_invoices(rolled_up, Source.INVOICES)
    async with rolled_up.read_only() as session:
        assert "inherits" in (await rollup_state(session)).reason
    await execute(rolled_up.url, meanwhile, "DROP TABLE invoice_archive")
    await assert_answers_are_those_of_the_invoices(rolled_up, source)


@pytest.mark.parametrize("table", ["account", "invoice", "invoice_line"])
async def test_an_account_that_may_see_some_rows_is_not_shown_the_totals_of_all(
    rolled_up: Database, table: str
) -> None:
    await load_sample(rolled_up, accounts=5, invoices=60)
    role = f"some_rows_{rolled_up.url.database}"
    seen = {
        "account": "name > 'M'",
        "invoice": "account_id = (SELECT min(id::text)::uuid FROM account)",
        "invoice_line": "total_cents > 100",
    }[table]
    await execute(
        rolled_up.url,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT ON account, invoice, invoice_line TO {role}",
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY some_rows ON {table} TO {role} USING ({seen})",
    )
    await assert_answers_are_those_of_the_invoices(rolled_up, Source.ROLL_UP)
    limited = Database(rolled_up.url.set(username=role))
    try:
        async with limited.read_only() as session:
            with pytest.raises(StatementFailedError, match="GRANT SELECT ON ALL TABLES"):
                await answers(session)
        await execute(rolled_up.url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        async with limited.read_only() as session:
            _, sources = await answers(session)
            assert sources == {Source.INVOICES}
            assert "row-level security" in (await rollup_state(session)).reason
    finally:
        await limited.dispose()
        await execute(rolled_up.url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def run(program: str, *arguments: str) -> tuple[int | None, str]:
    command = [str(find_installation().bin_dir / program), *arguments]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


def libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


EVERYTHING = (
    "TRUNCATE account, invoice, invoice_line, invoice_rollup, invoice_delta, invoice_line_delta,"
    " invoice_day_total, invoice_account_total, invoice_difference"
)


@pytest.mark.parametrize("emptied", ["TRUNCATE account CASCADE", EVERYTHING, None])
async def test_data_restored_beside_a_roll_up_is_not_counted_twice(
    rolled_up: Database, server_url: URL, template: str, tmp_path: Path, emptied: str | None
) -> None:
    """By a plain pg_restore: the triggers count the invoices, and totals come on top of that."""
    await load_sample(rolled_up, accounts=5, invoices=60)
    await execute(rolled_up.url, "UPDATE invoice SET amount_cents = amount_cents + 1")
    dump = str(tmp_path / "all.dump")
    options = ("-Fc", "--data-only", "-T", "alembic_version", "-f", dump)
    assert await run("pg_dump", libpq(rolled_up.url), *options) == (0, "")
    async with fresh_database(server_url, template) as url, Database(url) as restored:
        await build_rollup(restored)
        if emptied is not None:
            await load_sample(restored, accounts=2, invoices=20)
            await assert_answers_are_those_of_the_invoices(restored, Source.ROLL_UP)
            await execute(url, emptied)
        await run("pg_restore", "-d", libpq(url), "--data-only", dump)
        await assert_answers_are_those_of_the_invoices(restored, Source.INVOICES)
        await build_rollup(restored)
        await assert_answers_are_those_of_the_invoices(restored, Source.ROLL_UP)


async def test_a_whole_database_restored_is_not_trusted_blindly(
    rolled_up: Database, server_url: URL, tmp_path: Path
) -> None:
    await load_sample(rolled_up, accounts=5, invoices=60)
    dump = str(tmp_path / "all.dump")
    assert await run("pg_dump", libpq(rolled_up.url), "-Fc", "-f", dump) == (0, "")
    for options, source in ((), Source.INVOICES), (("--single-transaction",), Source.ROLL_UP):
        async with fresh_database(server_url) as url, Database(url) as restored:
            assert await run("pg_restore", "-d", libpq(url), *options, dump) == (0, "")
            await assert_answers_are_those_of_the_invoices(restored, source)
