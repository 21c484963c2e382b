"""Types that bring something along: a default, a check, a row inside the row; and awkward names."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from invoicing.toolkit.rename.errors import RenameRefusedError
from tests.conftest import execute
from tests.rename.faults import connected
from tests.rename.versions import on_newest

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.connection.pool import Connection

TYPES = """
CREATE TYPE st AS ENUM ('a', 'b');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN plain AS int;
CREATE DOMAIN seven AS int DEFAULT 7;
CREATE DOMAIN over_seven AS seven;
CREATE DOMAIN nine_over_seven AS seven DEFAULT 9;
CREATE DOMAIN none_over_seven AS seven DEFAULT NULL;
CREATE DOMAIN list AS int[] DEFAULT '{1,2}';
CREATE DOMAIN choice AS st DEFAULT 'b';
CREATE DOMAIN span AS int4range DEFAULT '[1,3)';
CREATE DOMAIN two AS pair DEFAULT ROW(1, NULL);
CREATE DOMAIN chance AS float8 DEFAULT random();
CREATE DOMAIN positive AS int DEFAULT 5 CHECK (VALUE > 0);
CREATE DOMAIN over_positive AS positive;
CREATE DOMAIN over_over_positive AS over_positive;
CREATE DOMAIN needed AS int NOT NULL;
CREATE DOMAIN over_needed AS needed;
CREATE DOMAIN short_list AS int[] CHECK (cardinality(VALUE) < 9);
CREATE TYPE holds_positive AS (a positive);
CREATE TYPE own;
CREATE FUNCTION own_in(cstring) RETURNS own IMMUTABLE STRICT LANGUAGE internal AS 'int4in';
CREATE FUNCTION own_out(own) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'int4out';
CREATE TYPE own (INPUT = own_in, OUTPUT = own_out, LIKE = int4, DEFAULT = '5');
"""
# How the column is declared, two values of it, and whether it is to be NOT NULL.
COLUMNS = {
    "domain with a default": ("seven", "1", "2"),
    "domain over it": ("over_seven", "1", "2"),
    "default over a default": ("nine_over_seven", "1", "2"),
    "no default over a default": ("none_over_seven", "1", "2"),
    "own default beside it": ("seven DEFAULT 3", "1", "2"),
    "own default of nothing": ("seven DEFAULT NULL", "1", "2"),
    "not null": ("seven NOT NULL", "1", "2"),
    "array": ("list", "'{4}'", "'{5,NULL}'"),
    "enum": ("choice", "'a'", "'a'"),
    "range": ("span", "'[1,9)'", "'empty'"),
    "row": ("two", "'(2,)'", "'(,)'"),
    "changing": ("chance NOT NULL", "0.5", "0.25"),
    "current schema": ("text NOT NULL DEFAULT CURRENT_SCHEMA", "'x'", "'y'"),
    "type of C code": ("own", "'1'", "'2'"),
    "array of a domain": ("positive[]", "'{1}'", "'{2}'"),
    "row with a checked field": ("holds_positive", "'(1)'", "'(2)'"),
    "row, a field of it empty": ("pair", "'(1,)'", "'(,3)'"),
    # No column of these can be added without rewriting the table.
    "checked, two levels over it": ("over_over_positive", "1", "2"),
    "over one that is never null": ("over_needed DEFAULT 1", "1", "2"),
    "array that is checked": ("short_list", "'{1}'", "'{2}'"),
    "row of it NOT NULL": ("pair NOT NULL DEFAULT ROW(1, NULL)", "'(,)'", "'(2,)'"),
}
DEFINITION = """
SELECT format_type(atttypid, atttypmod), atthasdef, pg_get_expr(adbin, adrelid), attnotnull
FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
WHERE attrelid = $1::text::regclass AND attname = $2
"""
RAISED = asyncpg.ObjectNotInPrerequisiteStateError
FILE = "SELECT pg_relation_filenode('bill')"


async def make(url: URL, declared: str, value: str, old: str = "amt") -> None:
    await execute(
        url,
        TYPES,
        f"CREATE TABLE bill (id int PRIMARY KEY, {old} {declared})",
        f"INSERT INTO bill SELECT n, {value} FROM generate_series(1, 50) AS n",
        "CREATE TABLE twin (LIKE bill INCLUDING DEFAULTS)",
        f"ALTER TABLE twin RENAME {old} TO amount",
    )


def rename_of(database: Database, old: str = "amt", **options: object) -> Rename:
    usual = {"quiet": 0.1, "lock_timeout": 0.2, "lock_attempts": 3}
    return Rename(database, Target("bill", old, "amount"), Options(**usual | options))


async def written(client: Connection, value: str, *, changing: bool, parts: bool) -> None:
    """Write by each name and by neither, and see that both names have it.

    Args:
        client: a client's connection.
        value: what is written.
        changing: whether the default gives another value each time.
        parts: whether a value by the new name is refused in a row that is not filled, for only a
            part of it may have been written.
    """
    for number, name in enumerate(["amt", "amount"], 101):
        if not (changing and name == "amt"):  # which looks like old code
            await client.execute(f"INSERT INTO bill (id, {name}) VALUES ({number}, {value})")
        update = f"UPDATE bill SET {name} = {value} WHERE id = {number - 100}"
        with pytest.raises(RAISED) if parts and name == "amount" else nullcontext():
            await client.execute(update)
    await client.execute("INSERT INTO bill (id) VALUES (103)")
    differ = "SELECT count(*) FROM bill WHERE id > 100 AND amt::text IS DISTINCT FROM amount::text"
    assert await client.fetchval(differ) == 0
    await client.execute("DELETE FROM bill WHERE id > 100")


@on_newest("column", COLUMNS, on_all=[name for name in COLUMNS if "NOT NULL" in COLUMNS[name][0]])
async def test_a_types_default_is_neither_written_at_once_nor_lost(
    empty_database_url: URL, column: str
) -> None:
    url, (declared, value, other) = empty_database_url, COLUMNS[column]
    await make(url, declared, value)
    changing, parts = column == "changing", column.startswith(("array", "row"))
    async with Database(url, Settings()) as database, connected(url) as client:
        rename = rename_of(database, accept=frozenset({"domain"}))
        file = await client.fetchval(FILE)
        await rename.expand()
        assert await client.fetchval("SELECT count(*) FROM bill WHERE amount::text <> ''") == 0
        await written(client, other, changing=changing, parts=parts)
        await rename.rollback()
        await rename.expand()
        assert (await rename.backfill()).rows_updated == 50
        await written(client, other, changing=changing, parts=False)
        assert (await rename.verify()).ok
        assert await client.fetchval(FILE) == file
        await rename.contract(confirm="bill.amt")
        plain = await client.fetchrow(DEFINITION, "twin", "amount")
        assert await client.fetchrow(DEFINITION, "bill", "amount") == plain
        assert (await rename.restore()).completed


@on_newest("declared", ["seven", "choice", "own"])
async def test_a_view_would_write_a_types_default_by_both_names(
    empty_database_url: URL, declared: str
) -> None:
    await make(empty_database_url, declared, COLUMNS["enum"][1] if declared == "choice" else "'1'")
    async with Database(empty_database_url, Settings()) as database:
        with pytest.raises(RenameRefusedError) as raised:
            await rename_of(database, strategy="view").expand()
    assert "domain-default" in {finding.slug for finding in raised.value.findings}


@on_newest("old", ["new", "old", "tg_op", "found", "select", "Amt", "sqlstate", "r"])
async def test_a_column_may_be_called_what_plpgsql_calls_its_own(
    empty_database_url: URL, old: str
) -> None:
    url = empty_database_url
    await make(url, "int DEFAULT 5", "1", f'"{old}"')
    async with Database(url, Settings()) as database, connected(url) as client:
        rename = rename_of(database, old)
        await rename.expand()
        await client.execute(f'INSERT INTO bill (id, "{old}") VALUES (101, 3)')
        await client.execute("INSERT INTO bill (id, amount) VALUES (102, 4)")
        await rename.backfill()
        assert (await rename.verify()).ok
        await rename.contract(confirm=f"bill.{old}")
        assert await client.fetchval("SELECT sum(amount) FROM bill") == 57
