"""DDL that gives a column another default in the window breaks no INSERT by either name.

The judge is a twin whose column was renamed: the same DDL and the same INSERT, by its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.toolkit.rename.errors import RenameRefusedError
from tests.conftest import execute
from tests.rename.bills import CONFIRM, renaming, verified, verified_rename
from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DDL = {
    "constant": "ALTER {} SET DEFAULT 5",
    "expression": "ALTER {} SET DEFAULT length(current_database()) * 2",
    "none": "ALTER {} DROP DEFAULT",
    "null": "ALTER {} SET DEFAULT NULL",
    "sequence": "ALTER {} SET DEFAULT nextval('numbers')",
    "random": "ALTER {} SET DEFAULT 1000 + floor(random() * 1000000)",
    "needs the client's path": "ALTER {} SET DEFAULT five()",
}
# Of values that differ each time, only that there is one can be compared.
VOLATILE = {"sequence", "random"}
INSERTS = (
    "INSERT INTO {} (id, {}) VALUES (1, 7)",
    "INSERT INTO {} (id, {}) VALUES (2, 5)",
    "INSERT INTO {} (id, {}) SELECT n, n FROM generate_series(3, 6) AS n",
    "INSERT INTO {} (id, {}) VALUES (7, NULL)",
    "INSERT INTO {} (id, {}) VALUES (8, DEFAULT), (9, 7)",
    "INSERT INTO {} (id, {}) VALUES (1, 8) ON CONFLICT (id) DO UPDATE SET {} = excluded.{}",
)
WITHOUT = "INSERT INTO {} (id) VALUES (10)"
TABLES = {
    "plain": ("CREATE TABLE {} (id bigint PRIMARY KEY, amt bigint DEFAULT 3)",),
    "partitioned": (
        "CREATE TABLE {} (id bigint PRIMARY KEY, amt bigint DEFAULT 3) PARTITION BY RANGE (id)",
        "CREATE TABLE {}_part PARTITION OF {} (amt DEFAULT 4) DEFAULT",
    ),
}


async def _insert(url: URL, table: str, name: str) -> list[tuple[int, int | None]]:
    async with connected(url) as client:
        for statement in (*INSERTS, WITHOUT):
            await client.execute(statement.format(table, name, name, name))
        rows = await client.fetch(f'SELECT id, "{name}" FROM {table} ORDER BY id')
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("column", ["amt", "amount_cents"])
@pytest.mark.parametrize(
    ("shape", "kind"),
    [*(("plain", kind) for kind in DDL), ("partitioned", "constant"), ("partitioned", "none")],
)
async def test_each_insert_does_what_the_twins_does(
    empty_database_url: URL, shape: str, column: str, kind: str
) -> None:
    url, table = empty_database_url, TABLES[shape]
    await execute(url, "CREATE SEQUENCE numbers START 50000")
    await execute(
        url,
        "CREATE FUNCTION five() RETURNS bigint LANGUAGE plpgsql"
        " AS 'BEGIN RETURN (SELECT 5 FROM one_row); END'",
        "CREATE TABLE one_row AS SELECT 1",
    )
    for name in ("bill", "twin"):
        await execute(url, *(statement.replace("{}", name) for statement in table))
    await execute(url, "ALTER TABLE twin RENAME amt TO amount_cents")
    await execute(url, "ALTER TABLE twin " + DDL[kind].format("amount_cents"))
    expected = await _insert(url, "twin", "amount_cents")
    async with renaming(url) as rename:
        await rename.expand()
        await execute(url, "ALTER TABLE bill " + DDL[kind].format(column))
        for by in ("amt", "amount_cents"):
            rows = await _insert(url, "bill", by)
            assert rows == await _rows(url, "amount_cents" if by == "amt" else "amt")
            if kind in VOLATILE:
                assert rows[:7] == expected[:7]
                assert all(value > 999 for _, value in (rows[7], rows[9]))
            else:
                assert rows == expected, by
            await execute(url, "TRUNCATE bill")


@pytest.mark.parametrize("column", ["amt", "amount_cents"])
async def test_the_next_expand_keeps_the_default_whichever_column_it_was_given(
    empty_database_url: URL, column: str
) -> None:
    url = empty_database_url
    await execute(url, TABLES["plain"][0].format("bill"))
    async with renaming(url) as rename:
        await rename.expand()
        await execute(url, f"ALTER TABLE bill ALTER {column} SET DEFAULT 5")
        await rename.expand()
        assert (await rename.status()).notes == []
        await execute(url, "INSERT INTO bill (id) VALUES (1)")
        assert await _rows(url, "amt") == await _rows(url, "amount_cents") == [(1, 5)]
        assert (await rename.backfill()).completed
        assert (await rename.verify()).ok
        await rename.contract(confirm=CONFIRM)
    await execute(url, "INSERT INTO bill (id) VALUES (2)")
    assert await _rows(url, "amount_cents") == [(1, 5), (2, 5)]


async def test_a_default_of_a_domains_own_type_comes_back_as_it_was(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await execute(
        url,
        "CREATE DOMAIN cents AS bigint",
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt cents DEFAULT '1'::text::cents)",
    )
    query = "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'bill'::regclass"
    async with connected(url) as client, renaming(url) as rename:
        before = await client.fetch(query)
        await rename.expand()
        await rename.rollback()
        assert await client.fetch(query) == before
        await verified(rename)
        await rename.contract()
        assert await client.fetch(query) == before


async def test_a_default_that_the_type_was_given_is_asked_for_and_taken_over(
    bare_url: URL,
) -> None:
    await execute(bare_url, "CREATE DOMAIN cents AS bigint DEFAULT 4")
    await execute(bare_url, "CREATE TABLE bill (id bigint PRIMARY KEY, amt cents)")
    async with verified_rename(bare_url) as rename:
        assert (await rename.status()).notes == []
        await execute(bare_url, "ALTER DOMAIN cents SET DEFAULT 6")
        assert all("expand" in note for note in (await rename.status()).notes)
        assert not (await rename.gate()).open
        await rename.expand()
        assert (await rename.status()).notes == []
        await execute(bare_url, "INSERT INTO bill (id) VALUES (1)")
        assert await _rows(bare_url, "amt") == await _rows(bare_url, "amount_cents") == [(1, 6)]
        await execute(bare_url, "ALTER DOMAIN cents DROP DEFAULT")
        assert (await rename.status()).notes


@pytest.mark.parametrize("column", ["amt", "amount_cents"])
async def test_an_identity_given_meanwhile_breaks_no_insert_and_is_named_by_every_phase(
    empty_database_url: URL, column: str
) -> None:
    url = empty_database_url
    await execute(url, "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint NOT NULL)")
    async with renaming(url) as rename:
        await verified(rename)
        await execute(
            url,
            f"ALTER TABLE bill ALTER {column} DROP DEFAULT",
            f"ALTER TABLE bill ALTER {column} SET NOT NULL",
            f"ALTER TABLE bill ALTER {column} ADD GENERATED BY DEFAULT AS IDENTITY (START 70)",
        )
        await execute(url, "INSERT INTO bill (id, amt) VALUES (1, 7)")
        await execute(url, "INSERT INTO bill (id, amount_cents) VALUES (2, 8)")
        await execute(url, "INSERT INTO bill (id) VALUES (3)")
        assert await _rows(url, "amt") == await _rows(url, "amount_cents")
        assert [value for _, value in await _rows(url, "amt")][:2] == [7, 8]
        statement = f"ALTER TABLE public.bill ALTER COLUMN {column} DROP IDENTITY"
        assert any(statement in note for note in (await rename.status()).notes)
        for phase in (rename.expand, rename.verify, rename.rollback):
            with pytest.raises(RenameRefusedError) as raised:
                await phase()
            assert statement in str(raised.value)
        await execute(url, statement)
        await rename.expand()
        assert (await rename.status()).notes == []
        await rename.rollback()
    assert [value for _, value in await _rows(url, "amt")][:2] == [7, 8]


async def test_a_column_dropped_by_hand_leaves_no_default_of_the_renames(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await execute(url, TABLES["partitioned"][0].format("bill"))
    await execute(url, TABLES["partitioned"][1].format("bill", "bill"))
    query = (
        "SELECT adrelid::regclass::text, pg_get_expr(adbin, adrelid) FROM pg_attrdef"
        " WHERE adrelid = ANY ('{bill,bill_part}'::regclass[]) ORDER BY 1"
    )
    async with connected(url) as client, renaming(url) as rename:
        before = [tuple(row) for row in await client.fetch(query)]
        await rename.expand()
        await client.execute("ALTER TABLE bill DROP COLUMN amt CASCADE")
        await rename.contract(confirm=CONFIRM)
        assert [tuple(row) for row in await client.fetch(query)] == before


async def test_two_values_for_one_column_are_an_error_all_the_same(empty_database_url: URL) -> None:
    url = empty_database_url
    await execute(url, TABLES["plain"][0].format("bill"))
    async with renaming(url) as rename:
        await rename.expand()
        await execute(url, "ALTER TABLE bill ALTER amt SET DEFAULT 5")
        async with connected(url) as client:
            with pytest.raises(asyncpg.CheckViolationError):
                await client.execute("INSERT INTO bill (id, amt, amount_cents) VALUES (1, 6, 7)")


async def _rows(url: URL, name: str) -> list[tuple[int, int | None]]:
    async with connected(url) as client:
        return [
            tuple(row) for row in await client.fetch(f"SELECT id, {name} FROM bill ORDER BY id")
        ]
