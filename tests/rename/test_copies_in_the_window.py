"""What old and new code can do between the expand and the contract with what is copied."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Rename, Target
from invoicing.toolkit.rename.errors import RenameRefusedError
from tests.conftest import execute
from tests.rename.bills import verified
from tests.rename.faults import connected
from tests.rename.test_copies import PARTITIONED, PLAIN, assert_as_the_twin, on
from tests.rename.twin import (
    OPTIONS,
    OURS,
    TWIN,
    described,
    execute_in,
    make_twins,
    of_the_twin,
    renaming,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

UNIQUE = [
    "CREATE TABLE thing (id int, amt bigint)",
    "INSERT INTO thing SELECT n, n FROM generate_series(1, 50) AS n",
    "ALTER TABLE thing ADD CONSTRAINT uq_thing_amt UNIQUE (amt)",
]
DEFERRABLE = [*UNIQUE[:-1], UNIQUE[-1] + " DEFERRABLE INITIALLY DEFERRED"]


def rename_of_thing(database: Database) -> Rename:
    return Rename(database, Target("thing", "amt", "cents"), OPTIONS)


async def test_a_deferrable_copy_is_checked_at_the_commit(empty_database_url: URL) -> None:
    await execute(empty_database_url, *DEFERRABLE)
    async with Database(empty_database_url, Settings()) as database:
        await verified(rename_of_thing(database))
    async with connected(empty_database_url) as connection:
        query = "SELECT sum(amt)::int, sum(cents)::int FROM thing"
        for total, column in ((1_325, "amt"), (1_375, "cents")):
            # Row by row, each value is taken by the next row.
            await connection.execute(f"UPDATE thing SET {column} = {column} + 1")
            assert tuple(await connection.fetchrow(query)) == (total, total)
        await connection.execute("BEGIN; UPDATE thing SET cents = 7")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("COMMIT")


async def test_new_code_names_the_constraint_from_verify_on(empty_database_url: URL) -> None:
    await execute(empty_database_url, *UNIQUE)
    upsert = (
        "INSERT INTO thing (id, cents) VALUES (7, 7) ON CONFLICT ON CONSTRAINT uq_thing_cents"
        " DO UPDATE SET id = thing.id + 100"
    )
    async with Database(empty_database_url, Settings()) as database:
        rename = rename_of_thing(database)
        await verified(rename)
        await execute(empty_database_url, upsert)
        await rename.contract(confirm="thing.amt")
    await execute(empty_database_url, upsert)
    async with connected(empty_database_url) as connection:
        assert await connection.fetchval("SELECT id FROM thing WHERE cents = 7") == 207


async def test_a_verify_that_was_killed_before_it_attached_goes_on(empty_database_url: URL) -> None:
    await execute(empty_database_url, *DEFERRABLE)
    async with Database(empty_database_url, Settings()) as database:
        rename = rename_of_thing(database)
        await rename.expand()
        await rename.backfill()
        await execute(empty_database_url, "CREATE UNIQUE INDEX uq_thing_cents ON thing (cents)")
        assert (await rename.verify()).ok
    async with connected(empty_database_url) as connection:
        query = "SELECT condeferred FROM pg_constraint WHERE conname = 'uq_thing_cents'"
        assert await connection.fetchval(query) is True


# Into the partition and through its table, by old and by new code: what both columns have then.
INSERTS = [
    ("low (id)", "(1)", 9),
    ("low (id, amt)", "(1, 50)", 50),
    ("low (id, cents)", "(1, 50)", 50),
    ("low (id, amt)", "(1, 5)", 5),
    ("low (id, cents)", "(1, 9)", 9),
    ("thing (id)", "(1)", 5),
    ("thing (id, amt)", "(1, 50)", 50),
    ("thing (id, cents)", "(1, 50)", 50),
    ("thing (id, amt)", "(1, 9)", 9),
    ("thing (id, cents)", "(1, 9)", 9),
]


@pytest.mark.parametrize("default", ["9", "(random() * 0 + 9)::bigint"])
async def test_a_partition_with_a_default_of_its_own_takes_every_insert(
    empty_database_url: URL, default: str
) -> None:
    await execute(
        empty_database_url,
        "CREATE TABLE thing (id int, amt bigint DEFAULT 5) PARTITION BY RANGE (id)",
        "CREATE TABLE low PARTITION OF thing FOR VALUES FROM (0) TO (50)",
        f"ALTER TABLE ONLY low ALTER amt SET DEFAULT {default}",
    )
    async with Database(empty_database_url, Settings()) as database:
        await rename_of_thing(database).expand()
    async with connected(empty_database_url) as connection:
        for columns, values, expected in INSERTS:
            query = f"INSERT INTO {columns} VALUES {values} RETURNING amt, cents"
            row = await connection.fetchrow(query)
            assert tuple(row) == (expected, expected), columns


async def attach(url: URL, schema: str, first: int) -> None:
    """Make a partition, and attach a table, both with something of their own."""
    new = ", cents bigint DEFAULT 8" if schema == OURS else ""
    made, joined = f"made_{first}", f"joined_{first}"
    bounds = f"FROM ({first + 50}) TO ({first + 100})"
    await execute_in(
        url,
        schema,
        f"CREATE TABLE {made} PARTITION OF thing FOR VALUES FROM ({first}) TO ({first + 50})",
        f"CREATE TABLE {joined} (note text, amt bigint DEFAULT 8, id int NOT NULL{new})",
        f"ALTER TABLE {joined} DROP note",
        f"ALTER TABLE thing ATTACH PARTITION {joined} FOR VALUES {bounds}",
        f"COMMENT ON COLUMN {joined}.amt IS 'joined'",
        f"GRANT SELECT (amt) ON {made} TO PUBLIC",
        f"ALTER TABLE ONLY {made} ALTER amt SET DEFAULT 6",
    )


async def test_partitions_that_come_and_go_in_the_window_are_as_the_twin_has_them(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make_twins(
        url,
        on(
            PARTITIONED,
            "CREATE INDEX plain ON thing (amt)",
            "ALTER TABLE thing ADD CONSTRAINT once UNIQUE (id, amt) DEFERRABLE",
            "CREATE TABLE list (id bigint PRIMARY KEY)",
            "INSERT INTO list SELECT generate_series(1, 99)",
            "ALTER TABLE thing ADD CONSTRAINT thing_amt_fkey FOREIGN KEY (amt) REFERENCES list",
        ),
    )
    async with renaming(url) as rename:
        await rename.expand()
        for schema in (OURS, TWIN):
            await attach(url, schema, 100)
        await verified(rename)
        for schema in (OURS, TWIN):
            await attach(url, schema, 200)
            low = f'"{schema}".low'
            await execute(url, f'ALTER TABLE "{schema}".thing DETACH PARTITION {low}')
            await execute(url, f"DROP TABLE {low}")
        # Writes of old code to a partition that came since are not counted yet.
        assert not (await rename.gate()).open
        await rename.verify()
        expected = await of_the_twin(url, "amt", "cents")
        await rename.contract(confirm="thing.amt")
    assert await described(url, OURS) == expected


async def test_the_session_does_not_decide_what_is_copied(empty_database_url: URL) -> None:
    url = empty_database_url
    for setting in ("quote_all_identifiers = on", """search_path = '"Its. Twin"', pg_catalog"""):
        await execute(url, f"ALTER DATABASE {url.database} SET {setting}")
    await assert_as_the_twin(
        url,
        on(
            PARTITIONED,
            'CREATE STATISTICS "a b" ON id, amt, (amt % 7) FROM thing',
            'CREATE INDEX "x y" ON thing (abs(amt) DESC, id) WHERE amt > 0',
            "ALTER TABLE thing ADD CONSTRAINT positive CHECK (amt > 0)",
            "CREATE TABLE list (id bigint PRIMARY KEY)",
            "INSERT INTO list VALUES (1)",
            "ALTER TABLE thing ADD CONSTRAINT listed FOREIGN KEY (amt) REFERENCES list",
        ),
    )


async def test_an_index_is_copied_to_its_tablespace(empty_database_url: URL) -> None:
    url, name = empty_database_url, f"space_{uuid4().hex[:8]}"
    async with connected(url) as connection:
        await connection.execute("SET allow_in_place_tablespaces = on")
        await connection.execute(f"CREATE TABLESPACE {name} LOCATION ''")
    # What is in the database's own place stays there, whatever new tables get.
    await execute(url, f"ALTER DATABASE {url.database} SET default_tablespace = {name}")
    try:
        await assert_as_the_twin(
            url,
            on(
                PARTITIONED,
                f"CREATE INDEX there ON thing (amt) TABLESPACE {name}",
                "CREATE INDEX here ON low (amt) TABLESPACE pg_default",
                f"ALTER TABLE thing ADD UNIQUE (id, amt) USING INDEX TABLESPACE {name}",
            ),
        )
    finally:
        await execute(
            url,
            f"ALTER DATABASE {url.database} RESET default_tablespace",
            f'DROP SCHEMA IF EXISTS "{OURS}" CASCADE',
            f'DROP SCHEMA IF EXISTS "{TWIN}" CASCADE',
            "DROP SCHEMA IF EXISTS invoicing_rename CASCADE",
            f"DROP TABLESPACE {name}",
        )


async def assert_refused(url: URL, slug: str, *statements: str) -> None:
    await make_twins(url, on(PLAIN, *statements))
    before = await described(url, OURS)
    async with renaming(url) as rename:
        assert slug in {finding.slug for finding in (await rename.plan()).refusals}
        with pytest.raises(RenameRefusedError):
            await rename.expand()
    assert await described(url, OURS) == before


async def test_a_check_of_the_whole_row_is_refused_by_name(empty_database_url: URL) -> None:
    check = "ALTER TABLE thing ADD CONSTRAINT whole CHECK (amt > 0 AND thing IS NOT NULL)"
    await assert_refused(empty_database_url, "check", check)
