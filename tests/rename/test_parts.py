"""A part of a value, written by the new name to a row not filled yet, loses no other part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.conftest import execute
from tests.rename.bills import renaming
from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

PARTS = {
    "array": ("bigint[]", "'{1,2,3}'", "SET {}[2] = 5"),
    "jsonb": ("jsonb", """'{"a": 1, "b": {"c": 2}}'""", "SET {}['b']['c'] = '5'"),
    "row": ("pair", "ROW(1, 2)::pair", "SET {}.y = 5"),
    "domain over an array": ("numbers", "'{1,2,3}'", "SET {}[2] = 5"),
}


@pytest.mark.parametrize("kind", PARTS)
async def test_it_is_refused_until_the_row_is_filled_and_then_is_as_the_twins(
    empty_database_url: URL, kind: str
) -> None:
    url = empty_database_url
    column_type, value, change = PARTS[kind]
    await execute(
        url,
        "CREATE TYPE pair AS (x bigint, y bigint)",
        "CREATE DOMAIN numbers AS bigint[]",
        f"CREATE TABLE bill (id bigint PRIMARY KEY, amt {column_type})",
        f"INSERT INTO bill SELECT n, {value} FROM generate_series(1, 3) AS n",
        "CREATE TABLE twin AS SELECT * FROM bill",
    )
    async with connected(url) as client, renaming(url) as rename:
        await rename.expand()
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await client.execute(f"UPDATE bill {change.format('amount_cents')} WHERE id = 1")
        await client.execute(f"UPDATE bill {change.format('amt')} WHERE id = 2")
        assert (await rename.backfill()).completed
        await client.execute(f"UPDATE bill {change.format('amount_cents')} WHERE id = 1")
        await client.execute(f"UPDATE twin {change.format('amt')} WHERE id < 3")
        expected = await client.fetch("SELECT id, amt::text FROM twin ORDER BY id")
        for name in ("amt", "amount_cents"):
            rows = await client.fetch(f"SELECT id, {name}::text FROM bill ORDER BY id")
            assert [tuple(row) for row in rows] == [tuple(row) for row in expected]


async def test_a_whole_value_of_another_type_is_written_at_once(bare_url: URL) -> None:
    await execute(
        bare_url,
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt numeric)",
        "INSERT INTO bill VALUES (1, 10)",
    )
    async with connected(bare_url) as client, renaming(bare_url) as rename:
        await rename.expand()
        await client.execute("UPDATE bill SET amount_cents = 11")
        assert tuple(await client.fetchrow("SELECT amt, amount_cents FROM bill")) == (11, 11)
