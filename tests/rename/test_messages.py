"""Messages that say what could not be read, whom a backfill waited for, what cannot be accepted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from invoicing.cli import rename_output
from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename
from invoicing.toolkit.rename.errors import RenameRefusedError
from invoicing.toolkit.rename.names import Names
from tests.conftest import execute
from tests.rename.bills import TARGET, renaming, verified_rename
from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def test_a_plan_says_what_it_could_not_read_and_what_to_grant(url: URL) -> None:
    role = f"reader_{url.database}"
    await execute(url, f"CREATE ROLE {role} LOGIN")
    try:
        await execute(url, "CREATE INDEX ON bill (amt)")
        async with Database(url.set(username=role), Settings()) as database:
            with pytest.raises(RenameRefusedError) as caught:
                await Rename(database, TARGET).plan()
        assert "GRANT SELECT ON " in str(caught.value)
        assert f"TO {role}" in str(caught.value)
        for wrong in ("failed at", "committed"):
            assert wrong not in str(caught.value)
    finally:
        await execute(url, f"DROP ROLE {role}")


@pytest.mark.parametrize("name", ["ctid", "xmax"])
@pytest.mark.parametrize("verb", ["plan", "expand"])
async def test_a_system_columns_name_is_refused_as_the_new_one(
    url: URL, name: str, verb: str
) -> None:
    await execute(url, "CREATE INDEX ON bill (amt)", "ALTER TABLE bill ADD CHECK (amt > 0)")
    async with Database(url, Settings()) as database:
        rename = Rename(database, replace(TARGET, new=name), Options(strategy="columns"))
        if verb == "plan":
            assert "system column" in (await rename.plan()).refusals[0].message
            return
        with pytest.raises(RenameRefusedError, match="system column"):
            await rename.expand()


HARD = {
    "view": "CREATE VIEW v AS SELECT id, amt FROM bill",
    "materialized-view": "CREATE MATERIALIZED VIEW v AS SELECT amt FROM bill",
    "function": "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC"
    " SELECT max(amt) FROM bill; END",
}


@pytest.mark.parametrize("statement", HARD.values(), ids=HARD)
async def test_what_would_stop_the_drop_is_not_offered_for_acceptance(
    url: URL, statement: str
) -> None:
    async with verified_rename(url) as rename:
        await execute(url, statement)
        (objection,) = (await rename.gate()).objections
        assert "--accept" not in objection.message
        assert not objection.name


async def test_a_function_of_text_may_still_be_accepted(url: URL) -> None:
    body = "SELECT max(amt) FROM bill"
    async with verified_rename(url) as rename:
        await execute(url, f"CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS '{body}'")
        (objection,) = (await rename.gate()).objections
        assert objection.name == "function:public.f()"


async def test_a_second_backfill_says_for_whom_it_waited(
    url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    async with renaming(url) as rename, connected(url, application_name="first") as first:
        await rename.expand()
        async with Database(url, Settings()) as database:
            other = Rename(database, TARGET)
            key = Names("public", "bill", "amt", "amount_cents").lock_key
            await first.execute("SELECT pg_advisory_lock($1)", key)
            task = asyncio.create_task(other.backfill())
            while not await first.fetchval(  # noqa: ASYNC110 -- the server has no event for it
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%l.objsubid = 1%'"
                " AND pid <> pg_backend_pid() AND datname = current_database()"
            ):
                await asyncio.sleep(0.02)
            await first.execute("SELECT pg_advisory_unlock($1)", key)
            report = await task
        assert report.waited_for is not None
        assert f"pid {first.get_server_pid()} (first" in report.waited_for
        rename_output.print_backfill(report, 1.0)
        assert report.waited_for.split(",")[0] in capsys.readouterr().out.replace("\n", " ")
        assert (await rename.backfill()).waited_for is None
