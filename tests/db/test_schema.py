"""`INVOICING_SCHEMA`: everything works in a schema of a name that needs quotes, on one server."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy import func, select, text

from invoicing.db import Database, libpq_url
from invoicing.db.errors import SchemaNotFoundError
from invoicing.db.migrations import current_revision, downgrade, upgrade
from invoicing.db.url import beside, in_schema, quoted
from invoicing.errors import SettingsError, UsageError
from invoicing.load import load_files
from invoicing.models import Account, Invoice, InvoiceStatus
from invoicing.rollup import build_rollup, check_rollup, fold_rollup
from invoicing.sample import load_sample
from invoicing.settings import Settings
from invoicing.units import over_units
from tests.answers import answers
from tests.cli.here import run_apart, run_here
from tests.cli.rename_line import CommandLine, environment
from tests.conftest import execute, newest_server_url
from tests.load.conftest import ACCOUNTS, INVOICES, LINES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.engine import URL

server_url = newest_server_url
UNIT = 'Unit "A", $user \\ ü'
SIZE = {"accounts": 30, "invoices": 400}


def settings_of(schema: str, **more: object) -> Settings:
    return Settings(INVOICING_SCHEMA=schema, **more)  # type: ignore[arg-type]


@pytest.fixture
async def unit(migrated_database_url: URL) -> AsyncIterator[Database]:
    """Yield a migrated schema beside a public one that holds other rows."""
    await execute(migrated_database_url, f"CREATE SCHEMA {quoted(UNIT)}")
    async with Database(migrated_database_url, settings_of(UNIT)) as database:
        await upgrade(database)
        yield database


async def test_answers_are_those_of_the_public_schema(
    unit: Database, server_url: URL, template: str, tmp_path: Path
) -> None:
    """Beside other rows in public, of which nothing is read, and which stay as they are."""
    async with Database(unit.url, Settings()) as decoy:
        await load_sample(decoy, accounts=7, invoices=20, seed=1)
        before = await answers(decoy)
        await load_sample(unit, **SIZE)
        await build_rollup(unit)
        files = {name: tmp_path / f"{name}.csv" for name in ("accounts", "invoices", "lines")}
        for path, rows in zip(files.values(), (ACCOUNTS, INVOICES, LINES), strict=True):
            path.write_text(rows)
        report = await load_files(unit, **files)  # type: ignore[arg-type]
        assert [file.inserted for file in report.files] == [2, 2, 3]
        found = await answers(unit)
        assert before == await answers(decoy)
    twin_url = server_url.set(database="test_schema_twin")
    await execute(server_url, f"CREATE DATABASE test_schema_twin TEMPLATE {template}")
    try:
        async with Database(twin_url, Settings()) as twin:
            await load_sample(twin, **SIZE)
            await build_rollup(twin)
            await load_files(twin, **files)  # type: ignore[arg-type]
            assert found == await answers(twin)
    finally:
        await execute(server_url, "DROP DATABASE test_schema_twin WITH (FORCE)")
    await fold_rollup(unit)
    assert (await check_rollup(unit)).different == 0


async def test_a_question_over_schemas_is_what_each_answers(unit: Database) -> None:
    """Values are written into the statement: none of them may end a literal, or be a parameter."""
    hostile = '50% of :all, it\'s \\ $1 "x"'
    async with Database(unit.url, Settings()) as public:
        for database, cents in ((public, 5), (unit, 700)):
            paid = Invoice(amount_cents=cents, currency="EUR", status=InvoiceStatus.PAID)
            async with database.transaction() as session:
                session.add(Account(name=hostile, plan="team", invoices=[paid]))
                session.add(Account(name="other", plan="team"))
    question = (
        select(Account.name, Invoice.status, func.sum(Invoice.amount_cents))
        .join(Invoice)
        .where(Account.name == hostile, Invoice.status == InvoiceStatus.PAID)
        .group_by(Account.name, Invoice.status)
    )
    async with unit.read_only() as session:
        rows = await over_units(session, ["public", UNIT], question)
        assert rows == [("public", hostile, "paid", 5), (UNIT, hostile, "paid", 700)]
        assert await over_units(session, [], question) == []


async def test_migrations_go_down_and_up_in_the_schema_alone(unit: Database) -> None:
    """Each schema has a revision of its own."""
    await downgrade(unit, "base")
    async with Database(unit.url, Settings()) as public, public.read_only() as session:
        left = "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace = :s::regnamespace"
        kept = text(left.replace(":s::", "CAST(:s AS text)::"))
        assert await session.scalar(kept, {"s": quoted(UNIT)}) == 2  # alembic_version and its key
        assert await current_revision(public) is not None
    assert await current_revision(unit) is None
    await upgrade(unit)
    assert (await answers_of_none(unit)) == 0


async def answers_of_none(database: Database) -> int:
    async with database.read_only() as session:
        return await session.scalar(text("SELECT count(*) FROM invoice")) or 0


def test_commands_and_psql_open_the_schema(unit: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOICING_SCHEMA", UNIT)
    invoicing = CommandLine(unit.url)
    assert invoicing("sample", "--accounts", "3", "--invoices", "9").returncode == 0
    query = ("db", "psql", "-XAtc", "SELECT current_schema(), count(*) FROM invoice")
    # Apart: it becomes psql.
    assert run_apart(environment(unit.url), *query).stdout.strip() == f"{UNIT}|9"
    assert "invoice" in invoicing("rename", "plan", "invoice", "currency", "money").stdout
    assert json.loads(invoicing("db", "status", "--json").stdout)["schema"] == UNIT
    for command in (["db", "units"], ["db", "distribute"]):
        refused = invoicing(*command)
        assert refused.returncode == 1
        assert "Citus" in refused.stderr
        assert "Nothing was changed" in refused.stderr
    shown = invoicing("db", "url").stdout.strip()
    monkeypatch.delenv("INVOICING_SCHEMA")
    counted = run_here(os.environ | {"DATABASE_URL": shown}, "accounts", "--json").stdout
    assert sum(account["invoices"] for account in json.loads(counted)) == 9


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "has no such schema"),
        (UNIT.swapcase(), repr(UNIT)),
        (f'"{UNIT}"', repr(UNIT)),
    ],
)
async def test_a_schema_that_is_not_there_is_refused(unit: Database, name: str, said: str) -> None:
    """PostgreSQL would find no table, and say so of each; nothing is made elsewhere."""
    async with Database(unit.url, settings_of(name)) as database:
        with pytest.raises(SchemaNotFoundError) as refused:
            await upgrade(database)
    assert said in str(refused.value)
    # What it says to run is taken by a shell and by psql.
    command = shlex.split(str(refused.value).rpartition("run: ")[2])
    await execute(unit.url, command[-1])
    async with Database(unit.url, settings_of(name)) as database:
        assert await current_revision(database) is None


async def test_a_schema_without_usage_says_whose_right_is_missing(unit: Database) -> None:
    role = "schema_stranger"
    await execute(unit.url, f"CREATE ROLE {role} LOGIN")
    try:
        async with Database(unit.url.set(username=role), settings_of(UNIT)) as database:
            with pytest.raises(SchemaNotFoundError, match=f"{role} may not use it"):
                await current_revision(database)
    finally:
        await execute(unit.url, f"DROP ROLE {role}")


@pytest.mark.parametrize("name", ["x" * 64, "ü" * 32, "$user", "pg_temp", "information_schema"])
def test_a_name_that_the_server_would_take_for_another_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("INVOICING_SCHEMA", name)
    with pytest.raises(SettingsError, match="INVOICING_SCHEMA: is") as refused:
        Settings.read()
    assert name not in str(refused.value)


async def test_pgbouncer_cannot_keep_a_schema() -> None:
    database = Database("postgresql://u@h/d", settings_of("unit", pgbouncer=True))
    with pytest.raises(UsageError, match="connect_query='SET search_path = \"unit\"'"):
        _ = database.engine


async def test_the_longest_name_and_a_url_that_names_its_own_path(unit: Database) -> None:
    longest = "Ü" * 31 + "x"
    await execute(unit.url, f"CREATE SCHEMA {quoted(longest)}")
    async with Database(unit.url, settings_of(longest)) as database:
        assert await current_revision(database) is None
    own = in_schema(unit.url, UNIT)
    async with Database(own, settings_of("nowhere")) as database:
        assert await current_revision(database) is not None
    connection = await asyncpg.connect(libpq_url(own, password=True))
    assert await connection.fetchval("SELECT current_schema()") == UNIT
    await connection.close()


async def test_another_database_of_the_server_has_no_such_schema(
    unit: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made beside the database, to practise on for instance, works in its public schema."""
    monkeypatch.setenv("INVOICING_SCHEMA", UNIT)
    for url in (unit.url, in_schema(unit.url, UNIT)):
        async with Database(beside(url, "postgres")) as server, server.read_only() as session:
            assert await session.scalar(text("SELECT current_schema()")) == "public"
