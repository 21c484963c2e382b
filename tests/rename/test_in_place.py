"""The contract that renames the column itself: what it takes over, and what it refuses to drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from invoicing.toolkit.rename.errors import ContractRefusedError, RenameRefusedError
from tests.conftest import execute, newest_server_url
from tests.rename.bills import CONFIRM, objections, renaming, verified
from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

server_url = newest_server_url
COMPUTED = "ALTER TABLE bill ADD twice bigint GENERATED ALWAYS AS (amt * 2) STORED"
BY_HAND = {
    "index": ("CREATE INDEX fast ON bill (amount_cents)", "DROP INDEX fast"),
    "check": (
        "ALTER TABLE bill ADD CONSTRAINT small CHECK (amount_cents < 100000)",
        "ALTER TABLE bill DROP CONSTRAINT small",
    ),
    "view": ("CREATE VIEW shows AS SELECT amount_cents FROM bill", "DROP VIEW shows"),
    "statistics": ("CREATE STATISTICS st ON amount_cents, id FROM bill", "DROP STATISTICS st"),
    "policy": ("CREATE POLICY p ON bill USING (amount_cents > 0)", "DROP POLICY p ON bill"),
    "trigger": (
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            " CREATE TRIGGER of_new AFTER UPDATE OF amount_cents ON bill FOR EACH ROW"
            " EXECUTE FUNCTION f()"
        ),
        "DROP TRIGGER of_new ON bill",
    ),
    "generated column": (
        "ALTER TABLE bill ADD thrice bigint GENERATED ALWAYS AS (amount_cents * 3) STORED",
        "ALTER TABLE bill DROP thrice",
    ),
    "a key to it": (
        (
            "ALTER TABLE bill ADD CONSTRAINT u UNIQUE (amount_cents);"
            " CREATE TABLE of (c bigint REFERENCES bill (amount_cents))"
        ),
        "DROP TABLE of; ALTER TABLE bill DROP CONSTRAINT u",
    ),
    "NOT NULL": (
        "ALTER TABLE bill ALTER amount_cents SET NOT NULL",
        "ALTER TABLE bill ALTER amount_cents DROP NOT NULL",
    ),
}


async def test_what_was_made_on_the_new_column_by_hand_closes_the_gate(url: URL) -> None:
    await execute(url, COMPUTED, "ALTER TABLE bill ALTER amt DROP NOT NULL")
    async with renaming(url) as rename:
        await verified(rename)
        for what, (make, undo) in BY_HAND.items():
            await execute(url, make)
            found = await objections(rename)
            assert 'is on "amount_cents", which the contract drops' in found["unfinished"], what
            with pytest.raises(ContractRefusedError):
                await rename.contract(confirm=CONFIRM)
            await execute(url, undo)
        assert await objections(rename) == {}
        await rename.contract(confirm=CONFIRM)
    async with connected(url) as client:
        row = await client.fetchrow("SELECT amount_cents, twice FROM bill WHERE id = 7")
        assert tuple(row) == (70, 140)


async def test_what_was_changed_on_the_new_column_by_hand_is_kept(url: URL) -> None:
    await execute(
        url,
        COMPUTED,
        "COMMENT ON COLUMN bill.amt IS 'was'",
        "ALTER TABLE bill ALTER amt SET STATISTICS 50",
    )
    async with renaming(url) as rename:
        await verified(rename)
        await execute(
            url,
            "COMMENT ON COLUMN bill.amount_cents IS 'is'",
            "GRANT SELECT (amount_cents) ON bill TO pg_monitor",
            "ALTER TABLE bill ALTER amt SET STATISTICS 60",
        )
        await rename.contract(confirm=CONFIRM)
    async with connected(url) as client:
        row = await client.fetchrow(
            "SELECT col_description(attrelid, attnum), attstattarget, attacl::text"
            " FROM pg_attribute WHERE attrelid = 'bill'::regclass AND attname = 'amount_cents'"
        )
        assert tuple(row)[:2] == ("is", 60)
        assert "pg_monitor=r/" in row[2]


async def test_it_is_taken_back_and_made_again(url: URL) -> None:
    await execute(
        url,
        COMPUTED,
        "ALTER TABLE bill ADD CONSTRAINT bill_amt_key UNIQUE (amt)",
        "CREATE TABLE pays (amt bigint REFERENCES bill (amt) ON UPDATE CASCADE)",
        "INSERT INTO pays VALUES (70)",
    )
    async with renaming(url) as rename:
        plan = await rename.plan()
        (noted,) = [finding for finding in plan.findings if finding.slug == "in-place"]
        assert 'the contract drops "amount_cents" and renames "amt" itself' in noted.message
        for subject in ("pays_amt_fkey", "twice"):
            assert subject in noted.message
        steps = [step.sql for step in plan.steps if step.phase == "contract"]
        assert any('DROP COLUMN "amount_cents"' in step for step in steps)
        assert any("bill_amt_key" in step for step in steps)
        await verified(rename)
        await rename.rollback()
        await verified(rename)
        await rename.contract(confirm=CONFIRM)
        await rename.restore()
        await execute(url, "UPDATE bill SET amt = 71 WHERE id = 7")
        async with connected(url) as client:
            query = "SELECT amount_cents, amt, twice, (SELECT amt FROM pays) FROM bill WHERE id = 7"
            assert tuple(await client.fetchrow(query)) == (71, 71, 142, 71)


async def test_what_comes_meanwhile_decides_how_it_ends(url: URL) -> None:
    refers = "CREATE TABLE pays (amt bigint CONSTRAINT of_amt REFERENCES bill (amt))"
    comes = (
        refers,
        "ALTER TABLE bill ADD CONSTRAINT excl EXCLUDE USING btree (amt WITH =)",
        "ALTER TABLE bill DROP CONSTRAINT bill_pkey, ADD CONSTRAINT pk PRIMARY KEY (amt)",
    )
    await execute(url, "ALTER TABLE bill ADD CONSTRAINT bill_amt_key UNIQUE (amt)")
    async with renaming(url) as rename:
        await verified(rename)
        await execute(url, refers)
        assert await objections(rename) == {}
        await execute(url, "DROP TABLE pays")
        assert await objections(rename) == {}
        await execute(url, *comes)
        # An index beside the primary key, for ON CONFLICT by the new name.
        assert (await rename.verify()).indexes["pk_amount_cents"]
        await rename.contract(confirm=CONFIRM)
    async with connected(url) as client:
        rows = await client.fetch(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype IN ('f', 'p', 'x')"
            " AND 'bill'::regclass IN (conrelid, confrelid) ORDER BY 1"
        )
    assert [row[0] for row in rows] == [
        "EXCLUDE USING btree (amount_cents WITH =)",
        "FOREIGN KEY (amt) REFERENCES bill(amount_cents)",
        "PRIMARY KEY (amount_cents)",
    ]


async def test_a_domain_that_loses_its_checks_meanwhile_is_still_the_columns_type(url: URL) -> None:
    await execute(
        url,
        "CREATE DOMAIN cents AS bigint CONSTRAINT few CHECK (VALUE < 100000)",
        "ALTER TABLE bill ALTER amt TYPE cents",
    )
    async with renaming(url) as asking:
        with pytest.raises(RenameRefusedError, match=r"psycopg 3 repeats.*--accept domain"):
            await asking.expand()
    async with renaming(url, accept=frozenset({"domain"})) as rename:
        await verified(rename)
        await execute(url, "ALTER DOMAIN cents DROP CONSTRAINT few")
        await rename.expand()
        await execute(url, "UPDATE bill SET amount_cents = 200000 WHERE id = 7")
        await rename.contract(confirm=CONFIRM)
    async with connected(url) as client:
        query = "SELECT pg_typeof(amount_cents)::text, amount_cents FROM bill WHERE id = 7"
        assert tuple(await client.fetchrow(query)) == ("cents", 200_000)


@pytest.mark.parametrize(
    "comes",
    [
        "CREATE TABLE late PARTITION OF part FOR VALUES FROM (1000) TO (2000)",
        (
            "CREATE TABLE late (id int NOT NULL, place int NOT NULL, num int NOT NULL,"
            " PRIMARY KEY (id, place)); INSERT INTO late VALUES (1500, 1500, 1500);"
            " ALTER TABLE part ATTACH PARTITION late FOR VALUES FROM (1000) TO (2000)"
        ),
    ],
    ids=["created", "attached"],
)
async def test_a_partition_that_comes_meanwhile_closes_no_gate(bare_url: URL, comes: str) -> None:
    """PostgreSQL makes the indexes of its own, as children of those that the rename has made."""
    await execute(
        bare_url,
        "CREATE TABLE part (id int NOT NULL, place int NOT NULL, PRIMARY KEY (id, place))"
        " PARTITION BY RANGE (place)",
        "CREATE TABLE early PARTITION OF part FOR VALUES FROM (0) TO (1000)",
        "INSERT INTO part SELECT n, n FROM generate_series(1, 300) AS n",
        "CREATE TABLE refers (id int, place int, FOREIGN KEY (id, place) REFERENCES part)",
    )
    async with Database(bare_url, Settings()) as database:
        rename = Rename(database, Target("part", "id", "num"), Options(quiet=0.1))
        await verified(rename)
        await execute(bare_url, comes)
        await verified(rename)
        await rename.contract(confirm="part.id")
        async with connected(bare_url) as client:
            query = (
                "SELECT relname::text, pg_get_indexdef(indexrelid, 1, false) FROM pg_index"
                " JOIN pg_class ON pg_class.oid = indrelid WHERE relname IN ('part', 'late')"
            )
            assert [*map(tuple, await client.fetch(query + " ORDER BY 1"))] == [
                ("late", "num"),
                ("part", "num"),
            ]
            await client.execute("INSERT INTO part (num, place) VALUES (1999, 1999)")
            await client.execute("INSERT INTO refers VALUES (1999, 1999), (7, 7)")


async def test_a_name_that_is_taken_is_said_with_what_has_it_and_what_needs_it(url: URL) -> None:
    await execute(
        url,
        COMPUTED,
        "CREATE INDEX bill_amt_idx ON bill (amt)",
        "CREATE TABLE bill_amount_cents_idx (other int)",
        "ALTER TABLE bill ADD CONSTRAINT bill_amt_excl EXCLUDE (amt WITH =)",
        "CREATE SEQUENCE bill_amount_cents_excl",
    )
    async with renaming(url) as rename:
        refusals = {refusal.subject: refusal.message for refusal in (await rename.plan()).refusals}
        copied = refusals['"bill_amount_cents_idx"']
        assert copied.startswith("is the name of table public.bill_amount_cents_idx. ")
        assert 'the contract then renames "bill_amt_idx" to it' in copied
        renamed = refusals['"bill_amt_excl" ON public.bill']
        assert (
            'to "bill_amount_cents_excl", the name of sequence public.bill_amount_cents_excl.'
            in renamed
        )
        assert "copy" not in renamed
        # Either may be renamed.
        await execute(
            url,
            "ALTER TABLE bill_amount_cents_idx RENAME TO elsewhere",
            "ALTER TABLE bill RENAME CONSTRAINT bill_amt_excl TO once",
        )
        assert not (await rename.plan()).refusals


@pytest.mark.parametrize("rows", ["", "DELETE FROM bill"], ids=["rows", "empty"])
async def test_the_contract_returns_that_the_column_itself_was_renamed(url: URL, rows: str) -> None:
    await execute(url, COMPUTED, *filter(None, [rows]))
    async with renaming(url) as rename:
        await verified(rename)
        assert await rename.contract(confirm=CONFIRM) is True
        if not rows:
            assert await rename.contract(confirm=CONFIRM) is True, "run again, it is read"


async def test_the_contract_returns_that_the_old_column_was_dropped(url: URL) -> None:
    async with renaming(url) as rename:
        await verified(rename)
        assert await rename.contract(confirm=CONFIRM) is False
