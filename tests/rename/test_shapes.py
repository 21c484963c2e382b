"""Tables as they come: any key or none, partitions, any type, any name, changed in the middle."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from invoicing.toolkit.rename.names import quote
from tests.conftest import execute
from tests.rename.bills import verified
from tests.rename.faults import fetch
from tests.rename.versions import on_newest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

ROWS = 300
SERIES = f"generate_series(1, {ROWS}) AS n"
# Each with its statements; every row of `amt` is NULL or differs from the others.
SHAPES = {
    "no key at all": [
        "CREATE TABLE thing (amt bigint)",
        f"INSERT INTO thing SELECT n FROM {SERIES}",
    ],
    "a key of two columns": [
        "CREATE TABLE thing (a int, b text, amt bigint NOT NULL, PRIMARY KEY (b, a))",
        f"INSERT INTO thing SELECT n, n::text, n FROM {SERIES}",
    ],
    "some are NULL": [
        "CREATE TABLE thing (id int, amt bigint)",
        f"INSERT INTO thing SELECT n, nullif(n % 3, 0) FROM {SERIES}",
    ],
    "empty": ["CREATE TABLE thing (id int, amt bigint NOT NULL)"],
    "unlogged, with room on its pages": [
        "CREATE UNLOGGED TABLE thing (id int, amt bigint) WITH (fillfactor = 50)",
        f"INSERT INTO thing SELECT n, n FROM {SERIES}",
    ],
    "columns were dropped before": [
        "CREATE TABLE thing (gone int, amt bigint, also_gone text, id int)",
        f"INSERT INTO thing SELECT n, n, 'x', n FROM {SERIES}",
        "ALTER TABLE thing DROP gone, DROP also_gone",
    ],
    "by range, in two levels, with a default": [
        "CREATE TABLE thing (id int, amt bigint NOT NULL) PARTITION BY RANGE (id)",
        "CREATE TABLE low PARTITION OF thing FOR VALUES FROM (0) TO (100) PARTITION BY HASH (id)",
        "CREATE TABLE low_0 PARTITION OF low FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE low_1 PARTITION OF low FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "CREATE TABLE high (note text, amt bigint NOT NULL, gone int, id int)",
        "ALTER TABLE high DROP gone, DROP note",
        "ALTER TABLE thing ATTACH PARTITION high FOR VALUES FROM (100) TO (200)",
        "CREATE TABLE rest PARTITION OF thing DEFAULT",
        "CREATE INDEX ix_thing_amt ON thing (amt)",
        "ALTER TABLE thing ADD CONSTRAINT ck_amt CHECK (amt > 0)",
        f"INSERT INTO thing SELECT n, n FROM {SERIES}",
    ],
    "row security that does not hide from the owner": [
        "CREATE TABLE thing (id int, amt bigint)",
        "ALTER TABLE thing ENABLE ROW LEVEL SECURITY",
        f"INSERT INTO thing SELECT n, n FROM {SERIES}",
    ],
    "generated and identity neighbours": [
        (
            "CREATE TABLE thing (id int GENERATED ALWAYS AS IDENTITY, amt bigint,"
            " other int DEFAULT 2, twice int GENERATED ALWAYS AS (other * 2) STORED)"
        ),
        f"INSERT INTO thing (amt) SELECT n FROM {SERIES}",
    ],
    "a column beside it that is out of line": [
        "CREATE TABLE thing (id int, big text, amt bigint)",
        "ALTER TABLE thing ALTER big SET STORAGE EXTERNAL",
        f"INSERT INTO thing SELECT n, repeat(md5(n::text), 200), n FROM {SERIES}",
    ],
}
TYPES = {
    "text out of line": ("text", "repeat(md5(n::text), 300)"),
    "numeric that keeps its zeros": ("numeric", "CASE n % 2 WHEN 0 THEN 1.0 ELSE 1.000 END"),
    "numeric(12, 2)": ("numeric(12, 2)", "n / 7.0"),
    "json": ("json", "json_build_object('n', n)"),
    "jsonb": ("jsonb", "jsonb_build_object('n', n)"),
    "bytea": ("bytea", "sha256(n::text::bytea)"),
    "double precision": (
        "double precision",
        "(ARRAY['NaN', '-0', n::text])[n % 3 + 1]::float8",
    ),
    "timestamptz": ("timestamptz", "now() - make_interval(hours => n)"),
    "uuid": ("uuid", "gen_random_uuid()"),
    "boolean": ("boolean", "n % 2 = 0"),
    "array": ("bigint[]", "ARRAY[n, NULL, n]"),
    "enum": ("mood", "CASE n % 2 WHEN 0 THEN 'glad' ELSE 'sad' END::mood"),
    "composite": ("pair", "ROW(n, n::text)::pair"),
    "domain": ("label", "n::text"),
    "text of another collation": ('text COLLATE "C"', "n::text"),
    "text that ignores case": ("text COLLATE ignoring", "CASE n % 2 WHEN 0 THEN 'a' ELSE 'A' END"),
    "xml": ("xml", "xmlelement(name a, n)"),
    "point": ("point", "point(n, n)"),
}
KINDS = (
    "CREATE TYPE mood AS ENUM ('glad', 'sad')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE DOMAIN label AS text",
)
# Not every build of the server knows ICU, or XML.
IGNORING = (
    "CREATE COLLATION ignoring (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
)
DIGEST = "SELECT md5(string_agg({}::text, '|' ORDER BY {}::text COLLATE \"C\")) FROM thing"


@asynccontextmanager
async def renaming(url: URL, target: Target | None = None) -> AsyncIterator[Rename]:
    options = Options(batch_size=50, quiet=0.05, lock_timeout=0.5, lock_attempts=2, workers=2)
    async with Database(url, Settings()) as database:
        yield Rename(database, target or Target("thing", "amt", "cents"), options)


async def assert_renamed(url: URL) -> None:
    """Walk the whole way, and find every value where it was."""
    before = await fetch(url, DIGEST.format("amt", "amt"))
    async with renaming(url) as rename:
        await verified(rename)
        assert await fetch(url, DIGEST.format("cents", "cents")) == before
        await rename.contract(confirm="thing.amt")
    assert await fetch(url, DIGEST.format("cents", "cents")) == before


@pytest.mark.parametrize("shape", SHAPES)
async def test_any_table_is_renamed(empty_database_url: URL, shape: str) -> None:
    await execute(empty_database_url, *SHAPES[shape])
    await assert_renamed(empty_database_url)


@on_newest("kind", TYPES, on_all=("xml", "text that ignores case"))
async def test_any_type_is_renamed_to_the_byte(empty_database_url: URL, kind: str) -> None:
    column, value = TYPES[kind]
    try:
        await execute(
            empty_database_url,
            *KINDS,
            *([IGNORING] if "ignoring" in column else []),
            f"CREATE TABLE thing (id int PRIMARY KEY, amt {column})",
            f"INSERT INTO thing SELECT n, {value} FROM {SERIES}",
            "INSERT INTO thing VALUES (0, NULL)",
        )
    except asyncpg.FeatureNotSupportedError as error:
        pytest.skip(str(error))
    await assert_renamed(empty_database_url)
    declared = "SELECT format_type(atttypid, atttypmod) || attcollation FROM pg_attribute"
    made = f"CREATE TABLE made (cents {column})"
    await execute(empty_database_url, made)
    of = "{} WHERE attrelid = '{}'::regclass AND attname = 'cents'"
    assert await fetch(empty_database_url, of.format(declared, "thing")) == await fetch(
        empty_database_url, of.format(declared, "made")
    )


NAMES = {
    "plain": ("plain", "amt", "cents"),
    "quotes": ("With Space", 'quo"te', "süß"),
    "signs": ("100%", "a$1", "it's \\ $$"),
    "63 bytes": ("x" * 63, "y" * 63, "z" * 63),
    "keywords": ("select", "from", "where"),
    "not ASCII": ("名前", "旧", "新"),
}


@on_newest("kind", NAMES)
async def test_any_name_is_right(empty_database_url: URL, kind: str) -> None:
    table, old, new = NAMES[kind]
    schema = "Some Schema"
    where = f"{quote(schema)}.{quote(table)}"
    await execute(
        empty_database_url,
        f"CREATE SCHEMA {quote(schema)}",
        f"CREATE TABLE {where} (id int, {quote(old)} bigint NOT NULL DEFAULT 5 CHECK"
        f" ({quote(old)} > 0))",
        f"CREATE INDEX ON {where} ({quote(old)})",
        f"INSERT INTO {where} SELECT n, n FROM {SERIES}",
    )
    async with renaming(empty_database_url, Target(table, old, new, schema)) as rename:
        await rename.expand()
        await execute(
            empty_database_url,
            f"INSERT INTO {where} (id, {quote(old)}) VALUES (0, 7)",
            f"INSERT INTO {where} (id, {quote(new)}) VALUES (-1, 8)",
        )
        assert (await rename.backfill()).completed
        assert (await rename.verify()).ok
        await rename.contract(confirm=f"{table}.{old}")
    total = await fetch(empty_database_url, f"SELECT sum({quote(new)})::int FROM {where}")
    assert total == ROWS * (ROWS + 1) // 2 + 15


@pytest.mark.parametrize(
    "change",
    [
        "VACUUM (FULL) thing",
        "TRUNCATE thing",
        "CLUSTER thing USING thing_pkey",
        f"DELETE FROM thing WHERE id > {ROWS // 2}",
    ],
)
async def test_a_table_that_changes_in_the_middle_is_filled_all_the_same(
    empty_database_url: URL, change: str
) -> None:
    await execute(
        empty_database_url,
        "CREATE TABLE thing (id int PRIMARY KEY, amt bigint NOT NULL, big text)",
        f"INSERT INTO thing SELECT n, n, repeat('x', 1000) FROM {SERIES}",
    )
    async with renaming(empty_database_url) as rename:
        await rename.expand()
        stop = asyncio.Event()
        report = await rename.backfill(progress=lambda _: stop.set(), stop=stop)
        assert not report.completed
        await execute(empty_database_url, change)
        assert (await rename.backfill()).completed
        assert (await rename.verify()).ok
        counts = await rename.counts()
        assert counts.missing == counts.different == 0
        await rename.contract(confirm="thing.amt")


async def test_a_partition_that_comes_in_the_middle_is_filled_too(empty_database_url: URL) -> None:
    await execute(
        empty_database_url,
        "CREATE TABLE thing (id int, amt bigint NOT NULL) PARTITION BY RANGE (id)",
        "CREATE TABLE low PARTITION OF thing FOR VALUES FROM (0) TO (1000)",
        "CREATE INDEX ON thing (amt)",
        f"INSERT INTO thing SELECT n, n FROM {SERIES}",
    )
    async with renaming(empty_database_url) as rename:
        await rename.expand()
        assert (await rename.backfill()).completed
        await execute(
            empty_database_url,
            "CREATE TABLE high (id int, amt bigint NOT NULL, cents bigint)",
            "INSERT INTO high SELECT n + 1000, n FROM generate_series(1, 100) AS n",
            "ALTER TABLE thing ATTACH PARTITION high FOR VALUES FROM (1000) TO (2000)",
        )
        assert (await rename.backfill()).completed
        assert (await rename.verify()).ok
        await rename.contract(confirm="thing.amt")
        assert (await rename.status()).phase is Phase.CONTRACTED
    assert await fetch(empty_database_url, "SELECT count(cents)::int FROM thing") == ROWS + 100
