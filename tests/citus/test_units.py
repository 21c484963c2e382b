"""A unit answers as a single server does, wherever it is, and moves there empty or filled."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from invoicing.db import Database
from invoicing.db.migrations import current_revision, downgrade, head_revision, upgrade
from invoicing.db.url import quoted
from invoicing.load import load_files
from invoicing.models import Account, Invoice, InvoiceLine, InvoiceStatus
from invoicing.rollup import build_rollup, check_rollup, fold_rollup, rollup_state
from invoicing.sample import load_sample
from invoicing.settings import Settings
from invoicing.units import distribute, list_units, over_units, plan_distribution
from invoicing.units.errors import CannotDistributeError, NotAUnitError
from tests.answers import answers
from tests.citus.conftest import schema
from tests.cli.here import run_here
from tests.cli.rename_line import environment
from tests.conftest import execute, newest_server_url
from tests.load.conftest import ACCOUNTS, INVOICES, LINES

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

server_url = newest_server_url
SIZE = {"accounts": 40, "invoices": 600}


async def write(database: Database) -> None:
    """Insert, change and delete by the ORM, in transactions of their own."""
    account = Account(id=uuid4(), name="Zeta", plan="team")
    invoice = Invoice(id=uuid4(), amount_cents=700, currency="EUR", status=InvoiceStatus.OPEN)
    invoice.lines = [InvoiceLine(total_cents=300), InvoiceLine(total_cents=400)]
    account.invoices = [invoice, Invoice(amount_cents=5, currency="USD", lines=[])]
    async with database.transaction() as session:
        session.add(account)
    async with database.transaction() as session:
        changed = (await session.scalars(select(Invoice).where(Invoice.id == invoice.id))).one()
        changed.amount_cents, changed.status = 900, InvoiceStatus.PAID
    async with database.transaction() as session:
        gone = (await session.scalars(select(Account).order_by(Account.name).limit(1))).one()
        await session.delete(gone)


async def fill(database: Database, folder: Path) -> None:
    """Do what fills a database: a sample, a load, a load of a change."""
    await load_sample(database, **SIZE)
    files = {name: folder / f"{name}.csv" for name in ("accounts", "invoices", "lines")}
    for path, rows in zip(files.values(), (ACCOUNTS, INVOICES, LINES), strict=True):
        path.write_text(rows)
    await load_files(database, **files)  # type: ignore[arg-type]
    files["invoices"].write_text(INVOICES.replace("1500", "1501"))
    report = await load_files(database, **files)  # type: ignore[arg-type]
    assert [(file.inserted, file.updated, file.unchanged) for file in report.files] == [
        (0, 0, 2),
        (0, 1, 1),
        (0, 0, 3),
    ]


async def test_units_on_two_nodes_answer_as_a_single_server(
    cluster_url: URL, migrated_database_url: URL, tmp_path: Path
) -> None:
    """One is filled before it is distributed, the other is migrated and filled where it is."""
    async with Database(migrated_database_url) as twin:
        await fill(twin, tmp_path)
        expected = await answers(twin)
    async with schema(cluster_url) as before, schema(cluster_url) as after:
        await upgrade(before)
        await fill(before, tmp_path)
        await build_rollup(before)
        plan = await plan_distribution(before)
        assert (plan.distributed, plan.rolled_up, len(plan.tables)) == (False, True, 10)
        await distribute(before)
        assert (await plan_distribution(before)).is_done
        await distribute(after)
        await upgrade(after)
        await fill(after, tmp_path)
        assert await answers(before) == expected
        assert await answers(after) == expected
        names = [before.settings.database_schema, after.settings.database_schema]
        units = {unit.schema: unit for unit in await list_units(before) if unit.schema in names}
        assert len({unit.node for unit in units.values()}) == 2
        assert {unit.accounts for unit in units.values()} == {SIZE["accounts"] + 2}
        await ask_all(before, names)


async def ask_all(database: Database, names: list[str | None]) -> None:
    """One statement over all units is what each unit says by itself."""
    question = (
        select(Invoice.currency, Invoice.status, func.sum(Invoice.amount_cents))
        .where(Invoice.status == InvoiceStatus.PAID)
        .group_by(Invoice.currency, Invoice.status)
    )
    units = [name for name in names if name is not None]
    async with database.read_only() as session:
        found = await over_units(session, units, question)
        own = [(c, s.value, int(total)) for c, s, total in await session.execute(question)]
    assert sorted((u, c, s, int(total)) for u, c, s, total in found) == sorted(
        (name, *row) for name in units for row in own
    )


async def test_writes_are_rolled_up_on_the_node(database: Database) -> None:
    """Triggers fire where the rows are; TRUNCATE, which they cannot follow there, gives it up."""
    await load_sample(database, **SIZE)
    await build_rollup(database)
    await write(database)
    checked = await check_rollup(database)
    assert (checked.different, checked.unfolded > 0) == (0, True)
    await fold_rollup(database)
    checked = await check_rollup(database)
    assert (checked.different, checked.unfolded) == (0, 0)
    await load_sample(database, accounts=5, invoices=50, replace=True)
    assert (await check_rollup(database)).different == 0
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE invoice_line"))
    async with database.transaction() as session:
        assert not (await rollup_state(session)).usable


async def test_an_empty_unit_is_migrated_down_and_up(cluster_url: URL) -> None:
    async with schema(cluster_url) as database:
        await distribute(database)
        await upgrade(database)
        await downgrade(database, "base")
        assert await current_revision(database) is None
        await upgrade(database)
        assert await current_revision(database) == head_revision()
        (own,) = (u for u in await list_units(database) if u.schema in database_names(database))
        assert (own.accounts, own.invoices, own.lines) == (0, 0, 0)


def database_names(database: Database) -> list[str | None]:
    return [database.settings.database_schema]


async def test_what_cannot_be_distributed_is_named(cluster_url: URL) -> None:
    async with schema(cluster_url) as database, schema(cluster_url) as other:
        names = [quoted(str(d.settings.database_schema)) for d in (database, other)]
        await execute(
            cluster_url,
            f"CREATE TABLE {names[0]}.parent (id int PRIMARY KEY)",
            f"CREATE TABLE {names[1]}.child (id int CONSTRAINT away REFERENCES {names[0]}.parent)",
        )
        for side in (database, other):
            with pytest.raises(CannotDistributeError, match=r"away of .* leads to another schema"):
                await distribute(side)
        await execute(cluster_url, f"DROP TABLE {names[1]}.child")


async def test_the_public_schema_is_left_by_what_its_refusal_says(cluster_url: URL) -> None:
    """What it says to run moves the tables, and what is there then is distributed."""
    async with Database(cluster_url, Settings()) as public:
        if await current_revision(public) is not None:
            pytest.skip("the public schema of the cluster's database has tables of ours already")
        there = text(f"SELECT CAST(to_regnamespace('{NotAUnitError.unit}') AS text)")
        async with public.read_only() as session:
            if await session.scalar(there) is not None:
                pytest.skip("the cluster's database has a schema of that name already")
        await upgrade(public)
        await load_sample(public, accounts=5, invoices=20)
        with pytest.raises(NotAUnitError) as refused:
            await distribute(public)
    words = shlex.split(str(refused.value))
    (script,) = (word for word in words if word.startswith("CREATE SCHEMA"))
    settings = Settings(INVOICING_SCHEMA=NotAUnitError.unit)
    try:
        await execute(cluster_url, *script.rstrip(",").split("; "))
        async with Database(cluster_url, settings) as database:
            await distribute(database)
            (own,) = (u for u in await list_units(database) if u.schema == NotAUnitError.unit)
            assert (own.accounts, own.invoices) == (5, 20)
    finally:
        drop = f"DROP SCHEMA IF EXISTS {NotAUnitError.unit} CASCADE"
        await execute(cluster_url, drop)


def test_the_commands_show_the_plan_and_the_units(cluster_url: URL, tmp_path: Path) -> None:
    name = f"unit {uuid4().hex[:6]}"
    given = environment(cluster_url) | {"INVOICING_SCHEMA": name, "INVOICING_HOME": str(tmp_path)}
    asyncio.run(execute(cluster_url, f"CREATE SCHEMA {quoted(name)}"))
    try:
        shown = run_here(given, "db", "distribute")
        assert f"citus_schema_distribute('\"{name}\"')" in shown.stdout
        assert name not in run_here(given, "db", "units", "--json").stdout
        assert run_here(given, "db", "distribute", "--yes").returncode == 0
        again = run_here(given, "db", "distribute", "--yes")
        assert "distributed already" in again.stdout
        units = json.loads(run_here(given, "db", "units", "--json").stdout)
        assert [unit["invoices"] for unit in units if unit["schema"] == name] == [None]
    finally:
        asyncio.run(execute(cluster_url, f"DROP SCHEMA {quoted(name)} CASCADE"))
