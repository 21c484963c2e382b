"""The defaults of the window: what they write by either name, whatever else the statement does."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.conftest import execute
from tests.rename.bills import CONFIRM, renaming, verified, verified_rename
from tests.rename.faults import connected
from tests.rename.state import gate_opens

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

# A column, and what its default is once its sequence has begun.
COLUMNS = {
    "constant": ("bigint NOT NULL DEFAULT 5", "5"),
    "none": ("bigint", None),
    "sequence": ("bigint NOT NULL DEFAULT nextval('numbers')", "1.."),
    "uuid": ("uuid NOT NULL DEFAULT gen_random_uuid()", "-"),
    "row": ("pair DEFAULT ROW(1, 'x')", "(1,x)"),
    "domain": ("amount", "3"),
    "domain, its own": ("amount NOT NULL DEFAULT 4", "4"),
    "varchar": ("varchar(3) DEFAULT 'abc'", "abc"),
}
# By the name that stands for {x}; each makes row 1 have the default.
DEFAULTS = {
    "update": "UPDATE bill SET {x} = DEFAULT WHERE id = 1",
    "update of two": "UPDATE bill SET ({x}, note) = (DEFAULT, DEFAULT) WHERE id = 1",
    "on conflict": (
        "INSERT INTO bill (id, note) VALUES (1, '') ON CONFLICT (id) DO UPDATE SET {x} = DEFAULT"
    ),
    "merge": (
        "MERGE INTO bill USING (VALUES (1)) AS v (i) ON id = v.i"
        " WHEN MATCHED THEN UPDATE SET {x} = DEFAULT"
    ),
}
# Functions, with no trigger, that write to the table of the statement that calls them.
FUNCTIONS = """
CREATE FUNCTION by_new(i int, v int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN INSERT INTO bill (id, amount_cents) VALUES (i, v); RETURN v; END';
CREATE FUNCTION by_old(i int, v int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN INSERT INTO bill (id, amt) VALUES (i, v); RETURN v; END';
CREATE FUNCTION by_none(i int, v int) RETURNS int LANGUAGE sql AS
    'INSERT INTO bill (id) VALUES (i); SELECT v';
CREATE FUNCTION nested(i int, v int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN INSERT INTO bill (id, amount_cents) VALUES (i, by_new(i + 1, v + 1)); RETURN v; END';
CREATE FUNCTION failing(i int, v int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN INSERT INTO bill (id, amount_cents) VALUES (i, v), (i, v); RETURN v;
     EXCEPTION WHEN unique_violation THEN RETURN v; END';
CREATE FUNCTION updating(i int, v int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN UPDATE bill SET amount_cents = DEFAULT WHERE id = i; RETURN v; END';
CREATE FUNCTION touching(i int, v int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN UPDATE bill SET note = $$x$$ WHERE id = i; RETURN v; END'
"""
TWO_ROWS = (
    "INSERT INTO bill (id, {names}) VALUES {rows} ON CONFLICT (id) DO UPDATE SET {x} = DEFAULT"
)


async def make(url: URL, definition: str) -> None:
    await execute(
        url,
        "CREATE SEQUENCE numbers",
        "CREATE TYPE pair AS (n int, t text)",
        "CREATE DOMAIN amount AS bigint DEFAULT 3",
        f"CREATE TABLE bill (id bigint PRIMARY KEY, amt {definition}, note text)",
    )


async def refill(url: URL, *pairs: tuple[int, int]) -> None:
    """Leave these rows alone in the table, written as new code does."""
    values = ", ".join(map(str, pairs))
    await execute(url, "DELETE FROM bill", f"INSERT INTO bill (id, amount_cents) VALUES {values}")


async def rows(url: URL, where: str = "true") -> list[tuple[int, int | None, int | None]]:
    async with connected(url) as client:
        found = await client.fetch(
            f"SELECT id, amt, amount_cents FROM bill WHERE {where} ORDER BY id"
        )
    return [tuple(row) for row in found]


@pytest.mark.parametrize("kind", COLUMNS)
async def test_default_is_the_columns_own_by_either_name(
    empty_database_url: URL, kind: str
) -> None:
    url = empty_database_url
    definition, expected = COLUMNS[kind]
    await make(url, definition)
    other = {"row": "ROW(7, 'y')", "uuid": "'00000000-0000-0000-0000-000000000000'"}
    value = other.get(kind, "777")
    await execute(url, f"INSERT INTO bill (id, amt) VALUES (1, {value})")
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        for name, (called, statement) in product(("amt", "amount_cents"), DEFAULTS.items()):
            await client.execute(f"UPDATE bill SET {name} = {value}")
            await client.execute(statement.format(x=name))
            old, new = await client.fetchrow("SELECT amt::text, amount_cents::text FROM bill")
            assert old == new, (name, called)
            if expected == "1..":
                assert 0 < int(old) < 40, (name, called)
            elif expected == "-":
                assert old != other[kind].strip("'"), (name, called)
            else:
                assert old == expected, (name, called)


async def test_an_upsert_of_many_rows_gives_each_row_what_it_named(empty_database_url: URL) -> None:
    url = empty_database_url
    await make(url, "bigint NOT NULL DEFAULT 5")
    async with verified_rename(url):
        values = ", ".join(f"({n}, 7)" for n in (1, 2, 3, 4))
        for names, name in product(("amt", "amount_cents", "note"), ("amt", "amount_cents")):
            await refill(url, (1, 10), (3, 30))
            await execute(url, TWO_ROWS.format(names=names, rows=values, x=name))
            fresh = 5 if names == "note" else 7
            wanted = [(1, 5, 5), (2, fresh, fresh), (3, 5, 5), (4, fresh, fresh)]
            assert await rows(url) == wanted, (names, name)


async def test_an_upsert_of_many_rows_refuses_two_values_after_a_default(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make(url, "bigint DEFAULT 5")
    await execute(url, "INSERT INTO bill (id, amt) VALUES (1, 10)")
    async with verified_rename(url):
        for name in ("amt", "amount_cents"):
            insert = TWO_ROWS.format(names="amt, amount_cents", rows="(1, 7, 7), (2, 8, 9)", x=name)
            with pytest.raises(asyncpg.CheckViolationError, match="one value by two names"):
                await execute(url, insert)


async def test_an_insert_advances_the_sequence_as_often_as_without_a_rename(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make(url, "bigint NOT NULL DEFAULT nextval('numbers')")
    async with renaming(url) as rename:
        await rename.expand()
        await execute(url, "INSERT INTO bill (id) VALUES (1)", "INSERT INTO bill VALUES (2, 9)")
        await execute(url, "INSERT INTO bill (id) VALUES (3)")
    assert await rows(url) == [(1, 1, 1), (2, 9, 9), (3, 2, 2)]


async def test_the_new_columns_default_follows_the_old_ones(empty_database_url: URL) -> None:
    url = empty_database_url
    await make(url, "bigint NOT NULL DEFAULT 5")
    await execute(url, "INSERT INTO bill (id, amt) VALUES (1, 10)")
    async with verified_rename(url) as rename:
        await execute(url, "ALTER TABLE bill ALTER amt SET DEFAULT 6")
        await rename.expand()
        await execute(url, "UPDATE bill SET amount_cents = DEFAULT")
        assert await rows(url) == [(1, 6, 6)]
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)


# What follows INSERT INTO bill, the rows it makes, and how often the old name is counted.
CALLS = {
    "new, new": ("(id, amount_cents) VALUES (11, by_new(12, 7))", {11: 7, 12: 7}, 0),
    "new, old": ("(id, amount_cents) VALUES (11, by_old(12, 7))", {11: 7, 12: 7}, 1),
    "new, none": ("(id, amount_cents) VALUES (11, by_none(12, 7))", {11: 7, 12: 5}, 0),
    "old, new": ("(id, amt) VALUES (11, by_new(12, 7))", {11: 7, 12: 7}, 1),
    "none, new": ("(id, note) VALUES (11, by_new(12, 7)::text)", {11: 5, 12: 7}, 0),
    "the first value": ("(amount_cents, id) VALUES (7, by_new(12, 8) + 3)", {11: 7, 12: 8}, 0),
    "three levels": ("(id, amount_cents) VALUES (11, nested(12, 7))", {11: 7, 12: 8, 13: 8}, 0),
    "the last value": (
        "(id, amount_cents, note) VALUES (11, 7, by_old(12, 8)::text)",
        {11: 7, 12: 8},
        1,
    ),
    "selected": (
        "(id, amount_cents) SELECT n, by_new(n + 1, n) FROM unnest('{11,13}'::int[]) AS n",
        {11: 11, 12: 11, 13: 13, 14: 13},
        0,
    ),
    "an insert that fails": (
        "(id, amount_cents) VALUES (11, failing(12, 7)), (13, 8)",
        {11: 7, 13: 8},
        0,
    ),
    "returning": (
        "(id, amount_cents) VALUES (11, 7), (13, 8) RETURNING by_old(id::int + 1, 9)",
        {11: 7, 12: 9, 13: 8, 14: 9},
        2,
    ),
    "an update to the default": (
        "(id, amount_cents, note) VALUES (11, 7, updating(1, 8)::text)",
        {11: 7, 1: 5},
        0,
    ),
    "an update to the default, old": (
        "(id, amt, note) VALUES (11, 7, updating(1, 8)::text)",
        {11: 7, 1: 5},
        1,
    ),
    "an update of another column": (
        "(id, amount_cents, note) VALUES (11, 7, touching(1, 8)::text)",
        {11: 7, 1: 10},
        0,
    ),
}
# The same of whole statements.
STATEMENTS = {
    name: (f"INSERT INTO bill {insert}", *rest) for name, (insert, *rest) in CALLS.items()
} | {
    "update": ("UPDATE bill SET amount_cents = by_new(12, 7) WHERE id = 1", {1: 7, 12: 7}, 0),
    "with": (
        (
            "WITH w AS (INSERT INTO bill (id, amount_cents) VALUES (11, 7), (12, 8) RETURNING *)"
            " INSERT INTO bill (id, amt) SELECT id + 2, amount_cents FROM w"
        ),
        {11: 7, 12: 8, 13: 7, 14: 8},
        2,
    ),
}


@pytest.mark.parametrize("definition", ["bigint NOT NULL DEFAULT 5", "bigint"])
async def test_a_function_that_writes_to_the_table_leaves_the_callers_row_alone(
    empty_database_url: URL, definition: str
) -> None:
    url = empty_database_url
    await make(url, definition)
    await execute(url, FUNCTIONS)
    default = 5 if "5" in definition else None
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        for call, (statement, expected, count) in STATEMENTS.items():
            await refill(url, (1, 10))
            before = (await rename.status()).old_writes
            async with client.transaction():
                await client.execute(statement)
                # What is left of the statement is not the next one's.
                await client.execute("INSERT INTO bill (id, amount_cents) VALUES (99, 9)")
            assert (await rename.status()).old_writes - before == count, call
            values = {id_: default if value == 5 else value for id_, value in expected.items()}
            wanted = sorted(({1: 10, 99: 9} | values).items())
            assert await rows(url) == [(id_, value, value) for id_, value in wanted], call


async def test_a_default_that_writes_to_the_table_leaves_the_row_alone(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make(url, "bigint")
    function = (
        "CREATE FUNCTION noting() RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO bill (id, amount_cents, note) VALUES (12, 7, ''); RETURN ''; END $$"
    )
    await execute(url, function, "ALTER TABLE bill ALTER note SET DEFAULT noting()")
    async with renaming(url) as rename:
        await rename.expand()
        await execute(url, "INSERT INTO bill (id, amount_cents) VALUES (11, 8)")
    assert await rows(url) == [(11, 8, 8), (12, 7, 7)]
