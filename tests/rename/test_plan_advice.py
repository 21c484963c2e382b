"""The advice of a plan is true where it is given: the other strategy, names, what to accept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.errors import UsageError
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from invoicing.toolkit.rename.errors import ContractRefusedError
from tests.conftest import execute
from tests.rename.bills import CONFIRM, TARGET, make_bills, renaming, verified

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import RenameStrategy


async def refusals(url: URL, strategy: RenameStrategy, target: Target = TARGET) -> dict[str, str]:
    async with Database(url, Settings()) as database:
        plan = await Rename(database, target, Options(strategy=strategy)).plan()
    return {finding.slug: finding.message for finding in plan.refusals}


@pytest.mark.parametrize(("default", "accepts"), [("", True), ("DEFAULT 7", False)])
async def test_the_view_is_advised_only_where_its_plan_accepts_the_column(
    empty_database_url: URL, default: str, *, accepts: bool
) -> None:
    await execute(
        empty_database_url,
        f"CREATE DOMAIN positive AS int {default} CHECK (VALUE > 0)",
        "CREATE TABLE bill (id int PRIMARY KEY, amt positive)",
    )
    assert (await refusals(empty_database_url, "view") == {}) is accepts
    said = (await refusals(empty_database_url, "columns"))["domain"]
    assert ("Or use --strategy view" in said) is accepts
    assert ("drop the type's" in said) is not accepts


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_a_system_column_is_refused_by_its_name(
    empty_database_url: URL, strategy: RenameStrategy
) -> None:
    await make_bills(empty_database_url, 1)
    for name in ("ctid", "xmin", "tableoid"):
        found = await refusals(empty_database_url, strategy, replace(TARGET, new=name))
        assert "system column" in found["name-taken"], name
        with pytest.raises(UsageError, match=f"{name} is a system column"):
            await refusals(empty_database_url, strategy, replace(TARGET, old=name))


async def test_what_cannot_be_let_through_is_not_accepted_in_silence(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url)
    await execute(
        empty_database_url,
        "CREATE FUNCTION doubles() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.amt := NEW.amt * 2; RETURN NEW; END'",
        "CREATE TRIGGER doubles BEFORE INSERT ON bill FOR EACH ROW EXECUTE FUNCTION doubles()",
    )
    slug = "before-trigger-function"
    assert slug in await refusals(empty_database_url, "columns")
    accept = frozenset({f"{slug}:public.doubles()"})
    async with renaming(empty_database_url, accept=accept) as rename:
        with pytest.raises(UsageError, match=r"cannot accept .*: it names"):
            await rename.plan()


async def test_a_wrong_name_lists_only_what_can_be_accepted(empty_database_url: URL) -> None:
    await make_bills(empty_database_url)
    async with renaming(empty_database_url, accept=frozenset({"update-trigger:t"})) as rename:
        with pytest.raises(UsageError, match="nothing to accept now"):
            await rename.plan()


async def test_what_a_refused_contract_accepted_is_no_fact_of_the_rename(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url)
    for name in ("first", "second"):
        await execute(
            empty_database_url,
            f"CREATE FUNCTION {name}() RETURNS bigint LANGUAGE sql AS 'SELECT max(amt) FROM bill'",
        )
    async with renaming(
        empty_database_url, accept=frozenset({"function:public.first()"})
    ) as rename:
        await verified(rename)
        with pytest.raises(ContractRefusedError, match="second"):
            await rename.contract(confirm=CONFIRM)
        assert not (await rename.gate()).open
        assert (await rename.status()).accepted == []


async def test_a_ban_on_ddl_is_not_said_to_be_of_the_index(bare_url: URL) -> None:
    await execute(
        bare_url,
        "CREATE TABLE bill (id int PRIMARY KEY, amt int)",
        "CREATE INDEX plain ON bill (amt)",
        "CREATE FUNCTION public.ban() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''no indexes on Fridays''; END'",
        "CREATE EVENT TRIGGER ban ON ddl_command_start WHEN TAG IN ('CREATE INDEX')"
        " EXECUTE FUNCTION public.ban()",
    )
    said = (await refusals(bare_url, "columns"))["index"]
    assert "no indexes on Fridays" in said
    assert "event trigger" in said
    assert "Drop it first" not in said


@pytest.mark.parametrize("rows", [0, 3_000, 300_000])
async def test_a_table_that_was_never_analyzed_is_not_taken_for_an_empty_one(
    bare_url: URL, rows: int
) -> None:
    await execute(
        bare_url,
        "CREATE TABLE bill (id bigint, amt bigint) WITH (autovacuum_enabled = false)",
        f"INSERT INTO bill SELECT n, n FROM generate_series(1, {rows}) AS n",
    )
    async with renaming(bare_url) as rename:
        plan = await rename.plan()
    assert plan.rows == pytest.approx(rows, rel=0.1)


@pytest.mark.parametrize("name", ["latency_guard", "pause", "max_replica_lag", "lock_timeout"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_an_option_that_is_no_finite_number_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        Options(**{name: value})
