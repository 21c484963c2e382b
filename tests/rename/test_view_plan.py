"""The plan of the instant way: what it refuses, what an operator may accept, what it compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.toolkit.rename.errors import RenameRefusedError
from tests.conftest import execute
from tests.rename.bills import renaming, verified, verified_rename
from tests.rename.faults import connected
from tests.rename.whole import RICH, contracted, everything

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Rename

VIEW = {"strategy": "view", "quiet": 0.1}


async def slugs(rename: Rename) -> set[str]:
    return {refusal.slug for refusal in (await rename.plan()).refusals}


REFUSED = {
    "rule": "ALTER TABLE bill ALTER amt SET DEFAULT 5; CREATE RULE again AS ON UPDATE TO bill"
    " WHERE NEW.amt < 0 DO INSTEAD NOTHING",
    "domain-default": "CREATE DOMAIN cents AS bigint DEFAULT 5;"
    " ALTER TABLE bill ALTER amt TYPE cents",
    "null-default": "ALTER TABLE bill ALTER amt SET DEFAULT 5, ALTER amt DROP NOT NULL;"
    " CREATE FUNCTION resets() RETURNS void LANGUAGE sql AS 'UPDATE public.bill SET amt=DEFAULT'",
    "trigger-function": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
    " IF to_jsonb(NEW) ->> ''amt'' IS NULL THEN RAISE ''no''; END IF; RETURN NEW; END';"
    " CREATE TRIGGER checks BEFORE INSERT ON bill FOR EACH ROW EXECUTE FUNCTION f()",
    "function-rewrite": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
    " IF NEW.amt < 1 THEN NEW.note := 1; END IF; RETURN NEW; END';"
    " CREATE TRIGGER checks BEFORE INSERT ON bill FOR EACH ROW EXECUTE FUNCTION f()",
    "table-name": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE LOG ''%'',"
    " TG_TABLE_NAME; RETURN NULL; END'; CREATE TRIGGER audits AFTER INSERT ON bill"
    " FOR EACH STATEMENT EXECUTE FUNCTION f()",
    "row-type": "CREATE FUNCTION f(bill) RETURNS bigint LANGUAGE sql AS 'SELECT $1.amt'",
    "view-statement": "CREATE FUNCTION empties() RETURNS void LANGUAGE sql"
    " AS 'TRUNCATE TABLE public.bill'",
    "inheritance": "CREATE TABLE old_bill () INHERITS (bill)",
    "name-taken": "CREATE TABLE bill_x (amount_cents int); ALTER TABLE bill ADD amount_cents int",
}


@pytest.mark.parametrize("slug", REFUSED)
async def test_what_a_view_would_break_is_refused_by_name(url: URL, slug: str) -> None:
    await execute(url, REFUSED[slug])
    before = await everything(url)
    async with renaming(url, **VIEW) as rename:
        with pytest.raises(RenameRefusedError, match="Nothing was changed") as raised:
            await rename.expand()
        assert {finding.slug for finding in raised.value.findings} == {slug}
    assert await everything(url) == before
    async with renaming(url) as by_columns:
        estimates = {
            estimate.strategy: estimate for estimate in (await by_columns.plan()).estimates
        }
        assert not estimates["view"].safe
        assert list(estimates) == ["columns", "view"]


OF_TABLES = (
    "CREATE INDEX ON bill (note)",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS x ON ONLY public.bill (note)",
    "REINDEX TABLE bill",
    "ALTER TABLE IF EXISTS public.bill SET (fillfactor = 90)",
    "ALTER TABLE ONLY bill DISABLE TRIGGER USER",
    "CREATE TABLE child (bill bigint REFERENCES bill)",
    "COMMENT ON TABLE bill IS ''x''",
    "CREATE TRIGGER t AFTER INSERT ON bill EXECUTE FUNCTION f()",
    "CREATE TABLE heir () INHERITS (bill)",
    "CREATE TEMP TABLE x (LIKE bill INCLUDING ALL)",
)
OF_OTHERS = (
    "CREATE INDEX ON bill_line (note)",
    "SELECT note FROM bill JOIN x ON bill.id = x.index",
    "ALTER TABLE other ADD bill int",
    "CREATE TEMP TABLE x AS SELECT id FROM bill",
    "SELECT id FROM bill WHERE note LIKE ''bill including''",
)


async def test_a_function_that_changes_the_table_itself_is_refused(url: URL) -> None:
    kinds = {"table": OF_TABLES, "other": OF_OTHERS}
    make = "CREATE FUNCTION {}_{}() RETURNS void LANGUAGE plpgsql AS 'BEGIN {}; END'"
    await execute(
        url,
        *(
            make.format(kind, number, body)
            for kind, bodies in kinds.items()
            for number, body in enumerate(bodies)
        ),
    )
    async with renaming(url, **VIEW) as rename:
        refused = {
            found.subject
            for found in (await rename.plan()).refusals
            if found.slug == "view-statement"
        }
    assert refused == {f"public.table_{number}()" for number in range(len(OF_TABLES))}


async def test_what_the_operator_knows_to_be_harmless_can_be_accepted(url: URL) -> None:
    harmless = {"table-name", "view-statement", "inheritance"}
    await execute(url, *(REFUSED[slug] for slug in sorted(harmless)))
    async with renaming(url, **VIEW) as rename:
        assert await slugs(rename) == harmless
    async with verified_rename(url, **VIEW, accept=frozenset(harmless)) as rename:
        await contracted(rename)


async def test_a_partitioned_table_takes_writes_through_the_view(empty_database_url: URL) -> None:
    url = empty_database_url
    await execute(
        url,
        "CREATE TABLE bill (id bigint, amt bigint NOT NULL, PRIMARY KEY (id, amt))"
        " PARTITION BY RANGE (amt)",
        "CREATE TABLE bill_1 PARTITION OF bill FOR VALUES FROM (0) TO (1000)",
        "CREATE TABLE bill_2 PARTITION OF bill DEFAULT",
        "CREATE INDEX ix_bill_amt ON bill (amt)",
        "INSERT INTO bill SELECT n, n FROM generate_series(1, 100) AS n",
    )
    async with renaming(url, **VIEW) as rename:
        (noted,) = [
            found for found in (await rename.plan()).findings if found.slug == "partitioned"
        ]
        # This server does not keep statements, which is no news of them.
        assert "pg_stat_statements is not kept" in noted.message
        await rename.expand()
        await execute(url, "UPDATE bill SET amount_cents = 2000 WHERE amt = 7")
        await verified(rename)
        await contracted(rename)
        async with connected(url) as client:
            assert await client.fetchval("SELECT amount_cents FROM bill_2") == 2000
            assert await client.fetchval("SELECT to_regclass('ix_bill_amount_cents')") is not None


NAMING = {
    "UPDATE public.bill_1 SET amt = 3": "bill_1",
    "ALTER TABLE bill DETACH PARTITION bill_2": "partitions of the table",
    "CREATE TABLE bill_3 PARTITION OF public.bill FOR VALUES IN (3)": "partitions of the table",
}
HARMLESS = ("UPDATE public.bill_1 SET id = 3", "SELECT amt FROM bill_12", "SELECT amt FROM bill")


async def test_code_that_names_a_partition_is_refused(empty_database_url: URL) -> None:
    bodies = [*NAMING, *HARMLESS]
    await execute(
        empty_database_url,
        "CREATE TABLE bill (id bigint, amt bigint) PARTITION BY LIST (id)",
        "CREATE TABLE bill_1 PARTITION OF bill FOR VALUES IN (1)",
        "CREATE TABLE bill_2 PARTITION OF bill DEFAULT",
        *(
            f"CREATE FUNCTION f{number}() RETURNS void LANGUAGE plpgsql AS $$BEGIN {body}; END$$"
            for number, body in enumerate(bodies)
        ),
    )
    async with renaming(empty_database_url, **VIEW) as rename:
        refusals = (await rename.plan()).refusals
    assert {refusal.slug for refusal in refusals} == {"partitioned"}
    found = {refusal.subject: refusal.message for refusal in refusals}
    assert sorted(found) == ["public.f0()", "public.f1()", "public.f2()"]
    for message, named in zip(found.values(), NAMING.values(), strict=True):
        assert named in message
        assert "--accept partitioned" in message


async def test_the_plan_compares_both_ways_and_its_statements_are_what_runs(url: URL) -> None:
    await execute(url, RICH)
    before = await everything(url)
    async with renaming(url, **VIEW) as rename, connected(url) as client:
        plan = await rename.plan()
        columns, view = plan.estimates
        assert (columns.strategy, view.strategy, plan.strategy) == ("columns", "view", "view")
        assert view.safe
        assert view.extra_bytes < columns.extra_bytes
        assert any("COPY" in broken for broken in view.breaks)
        assert any("bill_number_seq" in broken for broken in view.breaks)
        # By hand, in the order that is printed, and without the rename's own notes.
        await client.execute("CREATE SCHEMA invoicing_rename")
        for phase in ("expand", "rollback"):
            async with client.transaction():
                for step in plan.steps:
                    if step.phase == phase:
                        await client.execute(step.sql)
            assert (await everything(url) == before) is False
        await client.execute("DROP SCHEMA invoicing_rename CASCADE")
    assert await everything(url) == before


@pytest.mark.parametrize(
    "column", ["int GENERATED ALWAYS AS IDENTITY", "int GENERATED ALWAYS AS (id) STORED"]
)
async def test_a_value_that_the_server_makes_is_noted_for_no_update_can_ask_for_it(
    url: URL, column: str
) -> None:
    await execute(url, f"ALTER TABLE bill ADD made {column}")
    async with renaming(url, **VIEW) as rename:
        (noted,) = [
            found for found in (await rename.plan()).findings if found.slug == "server-value"
        ]
        assert (noted.subject, noted.verdict) == ('"made"', "noted")
        await rename.expand()
        with pytest.raises(asyncpg.PostgresError):
            await execute(url, "UPDATE bill SET made = DEFAULT")
        await execute(url, "INSERT INTO bill (id, amt, made) VALUES (-1, 5, DEFAULT)")
        await rename.rollback()
        await execute(url, "UPDATE bill SET made = DEFAULT")
