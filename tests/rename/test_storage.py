"""Only a table whose rows PostgreSQL keeps itself, and lets be updated, gets a plan."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.errors import UsageError
from invoicing.toolkit.rename.errors import RenameRefusedError
from tests.conftest import execute
from tests.rename.bills import make_bills, renaming, verified
from tests.rename.versions import on_newest, since_18

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

BILL = "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint NOT NULL, note text)"
FOREIGN = (
    "CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;"
    "CREATE FOREIGN TABLE bill (id bigint, amt bigint) SERVER s"
)
COLUMNAR = "CREATE ACCESS METHOD columnar TYPE TABLE HANDLER heap_tableam_handler;"
# How the table is made, and the finding.
REFUSED = {
    "distributed by Citus": (
        (
            f"{BILL}; SET allow_system_table_mods = on;"
            'CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char");'
            "INSERT INTO pg_dist_partition VALUES ('bill', 'h')"
        ),
        "distributed-table",
    ),
    "a partition distributed by Citus": (
        (
            "CREATE TABLE bill (id bigint, amt bigint) PARTITION BY RANGE (id);"
            "CREATE TABLE bill_1 PARTITION OF bill DEFAULT; CREATE SCHEMA citus;"
            "CREATE TABLE citus.pg_dist_partition (logicalrelid regclass);"
            "INSERT INTO citus.pg_dist_partition VALUES ('bill_1')"
        ),
        "distributed-table",
    ),
    "a hypertable": (
        (
            f"{BILL}; CREATE SCHEMA _timescaledb_catalog;"
            "CREATE TABLE _timescaledb_catalog.hypertable (schema_name name, table_name name);"
            "INSERT INTO _timescaledb_catalog.hypertable VALUES ('public', 'bill')"
        ),
        "distributed-table",
    ),
    "listed by another extension": (
        (
            f"{BILL}; CREATE EXTENSION pg_trgm; CREATE TABLE sets (set_reloid regclass);"
            "ALTER EXTENSION pg_trgm ADD TABLE sets; INSERT INTO sets VALUES ('bill')"
        ),
        "distributed-table",
    ),
    "another access method": (f"{COLUMNAR} {BILL} USING columnar", "access-method"),
    "another access method of a partition": (
        (
            f"{COLUMNAR} CREATE TABLE bill (id bigint, amt bigint) PARTITION BY RANGE (id);"
            "CREATE TABLE bill_1 PARTITION OF bill DEFAULT USING columnar"
        ),
        "access-method",
    ),
    "a foreign table": (FOREIGN, "no-table"),
    "a foreign partition": (
        (
            "CREATE TABLE bill (id bigint, amt bigint) PARTITION BY RANGE (id);"
            "CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;"
            "CREATE FOREIGN TABLE bill_1 PARTITION OF bill DEFAULT SERVER s"
        ),
        "foreign-partition",
    ),
    "a view": ("CREATE VIEW bill AS SELECT 1 AS id, 2 AS amt", "no-table"),
    "a materialized view": (
        "CREATE MATERIALIZED VIEW bill AS SELECT 1 AS id, 2 AS amt",
        "no-table",
    ),
    "a typed table": (
        "CREATE TYPE b AS (id bigint, amt bigint); CREATE TABLE bill OF b",
        "typed-table",
    ),
    "a table of an extension": (
        f"{BILL}; CREATE EXTENSION pg_trgm; ALTER EXTENSION pg_trgm ADD TABLE bill",
        "extension",
    ),
}


@on_newest("name", REFUSED, on_all=[name for name in REFUSED if "Citus" not in name])
async def test_what_has_no_heap_of_its_own_is_refused(empty_database_url: URL, name: str) -> None:
    make, slug = REFUSED[name]
    await execute(empty_database_url, make)
    for strategy in ("columns", "view"):
        async with renaming(empty_database_url, strategy=strategy) as rename:
            with pytest.raises(RenameRefusedError) as raised:
                await rename.expand()
            assert slug in {finding.slug for finding in raised.value.findings}, strategy


async def test_a_sequence_is_no_table(empty_database_url: URL) -> None:
    await execute(empty_database_url, "CREATE SEQUENCE bill")
    async with renaming(empty_database_url) as rename:
        with pytest.raises(UsageError, match="no table bill"):
            await rename.plan()


async def test_a_table_beside_a_distributed_table_is_not_refused(empty_database_url: URL) -> None:
    url = await make_bills(empty_database_url)
    await execute(
        url,
        "CREATE TABLE other (id int)",
        "CREATE TABLE pg_dist_partition (logicalrelid regclass)",
        "INSERT INTO pg_dist_partition VALUES ('other')",
    )
    async with renaming(url) as rename:
        assert (await rename.plan()).refusals == []


# Violated by the row that has no note, which is fixed by a note.
NOT_VALID = [
    "ADD CONSTRAINT noted CHECK (note IS NOT NULL) NOT VALID",
    "ADD CONSTRAINT noted CHECK (coalesce(note, '') <> '' AND amt > 0) NOT VALID",
]


async def assert_refused_until_corrected(url: URL, change: str) -> None:
    await make_bills(url)
    await execute(url, "UPDATE bill SET note = NULL WHERE id = 7", f"ALTER TABLE bill {change}")
    async with renaming(url) as rename:
        (refusal,) = (await rename.plan()).refusals
        assert refusal.slug == "not-valid"
        assert "and 1 row violates it" in refusal.message
        assert "VALIDATE CONSTRAINT noted" in refusal.message
        await execute(url, "UPDATE bill SET note = 'x' WHERE id = 7")
        await verified(rename)


@pytest.mark.parametrize("change", NOT_VALID)
async def test_a_violated_constraint_is_refused_until_its_rows_are_corrected(
    empty_database_url: URL, change: str
) -> None:
    await assert_refused_until_corrected(empty_database_url, change)


@since_18
async def test_a_violated_not_null_is_refused_until_its_rows_are_corrected(
    empty_database_url: URL,
) -> None:
    change = "ADD CONSTRAINT noted NOT NULL note NOT VALID"
    await assert_refused_until_corrected(empty_database_url, change)


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_a_constraint_that_is_not_valid_and_holds_is_no_objection(
    empty_database_url: URL, strategy: str
) -> None:
    url = await make_bills(empty_database_url)
    await execute(
        url,
        "ALTER TABLE bill ADD CHECK (note <> '') NOT VALID",
        "UPDATE bill SET note = NULL WHERE id = 7",
    )
    async with renaming(url, strategy=strategy) as rename:
        assert (await rename.plan()).refusals == []


async def test_a_violated_constraint_of_a_partition_is_counted_there(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await execute(
        url,
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint) PARTITION BY RANGE (id)",
        "CREATE TABLE bill_1 PARTITION OF bill DEFAULT",
        "INSERT INTO bill SELECT n, -n FROM generate_series(1, 3000) AS n",
        "ALTER TABLE bill_1 ADD CONSTRAINT positive CHECK (amt > 0) NOT VALID",
    )
    async with renaming(url) as rename:
        (refusal,) = (await rename.plan()).refusals
        assert "1,000 or more rows" in refusal.message
        assert "FROM public.bill_1 WHERE" in refusal.message


@pytest.mark.parametrize(("columns", "fits"), [(1_001, True), (1_002, False)])
async def test_a_row_that_has_no_room_for_a_second_column_is_refused(
    empty_database_url: URL, columns: int, fits: bool
) -> None:
    url = empty_database_url
    listed = "amt bigint NOT NULL DEFAULT 1, note bigint NOT NULL DEFAULT 1"
    listed += "".join(f", c{n} bigint NOT NULL DEFAULT 1" for n in range(columns - 2))
    await execute(url, f"CREATE TABLE bill ({listed})", "INSERT INTO bill DEFAULT VALUES")
    async with renaming(url) as rename:
        refused = {finding.slug for finding in (await rename.plan()).refusals}
    await execute(url, "ALTER TABLE bill ADD d bigint DEFAULT 1", "ALTER TABLE bill DROP amt")
    with nullcontext() if fits else pytest.raises(asyncpg.ProgramLimitExceededError):
        await execute(url, "UPDATE bill SET d = 2")
    assert refused == (set() if fits else {"row-too-long"})
