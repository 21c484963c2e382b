"""What a client gets while both columns live and a value fits only one of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from invoicing.toolkit.rename.errors import RenameFailedError, RowsDifferError
from tests.conftest import execute
from tests.rename.bills import objections, renaming, verified
from tests.rename.faults import connected
from tests.rename.state import gate_opens

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

CENTS = {"type": "bigint", "using": "round(amt * 100)", "back": "amount_cents / 100.0"}


@pytest.fixture
async def server_url(newest_server_url: URL) -> URL:
    """Return the newest server: what is tested is plpgsql that every version has."""
    return newest_server_url


async def make(url: URL, declared: str, *values: str) -> None:
    await execute(url, f"CREATE TABLE bill (id bigint PRIMARY KEY, amt {declared}, note text)")
    for number, value in enumerate(values, 1):
        await execute(url, f"INSERT INTO bill VALUES ({number}, {value}, 'note')")


async def both(url: URL) -> list[tuple[Any, Any]]:
    async with connected(url) as connection:
        query = "SELECT amt::text, amount_cents::text FROM bill ORDER BY id"
        return [tuple(row) for row in await connection.fetch(query)]


FAILS = {
    "too large for the old type": (
        "int",
        {"type": "bigint"},
        "amount_cents",
        "3000000000",
        "22003",
    ),
    "no number": (
        "text",
        {"type": "int", "using": "amt::int", "back": "amount_cents::text"},
        "amt",
        "'many'",
        "22P02",
    ),
    "a fraction of a cent": ("numeric", CENTS, "amt", "1.005", "23514"),
    "a fraction in new": ("int", {"type": "numeric"}, "amount_cents", "1.5", "23514"),
    "too long": ("text", {"type": "varchar(3)"}, "amt", "'four'", "22001"),
    "too long for the old": ("varchar(3)", {"type": "text"}, "amount_cents", "'four'", "22001"),
    "nothing, which is something": (
        "text",
        {"type": "int", "using": "nullif(amt, '')::int", "back": "amount_cents::text"},
        "amt",
        "''",
        "23514",
    ),
}


@pytest.mark.parametrize("case", FAILS)
async def test_a_value_that_only_one_column_can_hold_is_an_error_that_names_both(
    empty_database_url: URL, case: str
) -> None:
    url, (declared, options, column, value, sqlstate) = empty_database_url, FAILS[case]
    await make(url, declared, "'1'", "'2'")
    async with renaming(url, **options) as rename:
        await rename.expand()
        before = await both(url)
        for statement in (
            f"UPDATE bill SET {column} = {value} WHERE id = 1",
            f"INSERT INTO bill (id, {column}) VALUES (3, {value})",
        ):
            with pytest.raises(
                asyncpg.PostgresError,
                match=r"bill\.amt\b.*bill\.amount_cents|"
                r"bill\.amount_cents\b.*bill\.amt",
            ) as raised:
                await execute(url, statement)
            assert raised.value.sqlstate == sqlstate
            assert raised.value.hint is not None
        assert await both(url) == before
        await verified(rename)


async def test_two_values_that_are_one_may_both_be_written_and_no_others(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make(url, "numeric(10,2) NOT NULL", "1")
    async with renaming(url, **CENTS) as rename:
        await verified(rename)
        await execute(url, "UPDATE bill SET amt = 2.5, amount_cents = 250")
        await execute(url, "INSERT INTO bill (id, amt, amount_cents) VALUES (2, 0.07, 7)")
        for statement in (
            "UPDATE bill SET amt = 3, amount_cents = 299",
            # A stale value that is written back beside the other's new one.
            "UPDATE bill SET amt = 3, amount_cents = amount_cents",
            "UPDATE bill SET amt = amt, amount_cents = 1",
            "INSERT INTO bill (id, amt, amount_cents) VALUES (3, 0.07, 8)",
        ):
            with pytest.raises(asyncpg.CheckViolationError, match="two values"):
                await execute(url, statement)
        assert await both(url) == [("2.50", "250"), ("0.07", "7")]


async def test_a_part_of_an_array_may_be_written_by_either_name(empty_database_url: URL) -> None:
    url = empty_database_url
    await make(url, "int[]", "'{1,NULL}'")
    async with renaming(url, type="bigint[]") as rename:
        await verified(rename)
        # It has no NULL any more, and is stored in another way than an array that never had any.
        await execute(url, "UPDATE bill SET amount_cents[2] = 9", "UPDATE bill SET amt[1] = 8")
        assert await both(url) == [("{8,9}", "{8,9}")]
        assert (await rename.verify()).ok


async def test_nothing_is_cut_off_in_an_array_either(empty_database_url: URL) -> None:
    url = empty_database_url
    await make(url, "text[]", "'{abc}'", "'{four}'")
    async with renaming(url, type="varchar(3)[]") as rename:
        await rename.expand()
        with pytest.raises(asyncpg.StringDataRightTruncationError, match="cannot hold"):
            await execute(url, "UPDATE bill SET amt = '{five}' WHERE id = 1")
        with pytest.raises(RenameFailedError, match="too long"):
            await rename.backfill()


async def test_rows_that_cannot_be_computed_back_stop_the_gate_until_they_are_accepted(
    bare_url: URL,
) -> None:
    await make(bare_url, "numeric NOT NULL", "1.005", "2", "3.999")
    async with renaming(bare_url, **CENTS) as rename:
        await verified(rename)
        await execute(bare_url, "UPDATE bill SET note = 'of another column'")
        found = await objections(rename)
        assert "2 of 3 rows" in found["lossy"]
        assert "--accept lossy:rows" in found["lossy"]
        await execute(bare_url, "UPDATE bill SET amt = 1.01 WHERE id = 1")
        assert "1 of 3 rows" in (await objections(rename))["lossy"]
    async with renaming(bare_url, accept=frozenset({"lossy:rows"})) as rename:
        await gate_opens(rename)
        await rename.contract(confirm="bill.amt")
    async with connected(bare_url) as connection:
        assert [row[0] for row in await connection.fetch("SELECT * FROM bill ORDER BY 2")]
        values = await connection.fetch("SELECT amount_cents FROM bill ORDER BY id")
        assert [row[0] for row in values] == [101, 200, 400]


async def test_with_loss_at_the_gate_no_write_fails_that_can_be_converted(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make(url, "numeric NOT NULL", "1", "2", "3")
    options = {"type": "numeric(12,1)", "using": "amt * 10", "back": "amount_cents / 10"}
    async with renaming(url, **options, loss="gate") as rename:
        await rename.expand()
        await execute(url, "UPDATE bill SET amt = 1.234 WHERE id = 1")
        await verified(rename)
        await execute(url, "UPDATE bill SET amt = 2.345 WHERE id = 2")
        await execute(url, "UPDATE bill SET amount_cents = 33.3 WHERE id = 3")
        with pytest.raises(asyncpg.NumericValueOutOfRangeError, match=r"bill\.amount_cents"):
            await execute(url, "UPDATE bill SET amt = 1e12 WHERE id = 3")
        rows = [(float(old), new) for old, new in await both(url)]
        assert rows == [(1.234, "12.3"), (2.345, "23.5"), (3.33, "33.3")]
        assert (await rename.verify()).ok
        assert "2 of 3 rows" in (await objections(rename))["lossy"]
        await rename.rollback()


async def test_a_rollback_keeps_what_only_the_new_column_has(empty_database_url: URL) -> None:
    url = empty_database_url
    await make(url, "int", "1")
    async with renaming(url, type="numeric", loss="gate") as rename:
        await verified(rename)
        await execute(url, "UPDATE bill SET amount_cents = 1.5")
        with pytest.raises(RowsDifferError, match="Dropping amount_cents now would lose"):
            await rename.rollback()
        await execute(url, "UPDATE bill SET amount_cents = 2")
        await rename.rollback()


async def test_a_row_that_cannot_be_converted_stops_the_backfill_and_no_client(
    bare_url: URL,
) -> None:
    await make(bare_url, "text", "'1'", "'many'", "'3'")
    options = {"type": "int", "using": "amt::int", "back": "amount_cents::text"}
    async with renaming(bare_url, **options) as rename:
        await rename.expand()
        with pytest.raises(RenameFailedError, match="many") as raised:
            await rename.backfill()
        # A client that writes another column of that row has nothing to do with it.
        await execute(bare_url, "UPDATE bill SET note = 'seen' WHERE id = 2")
        query = raised.value.advice.partition("SELECT ... ")[2].partition(". Change")[0]
        async with connected(bare_url) as connection:
            assert await connection.fetchval(f"SELECT id {query}") == 2
        # New code knows what it is.
        await execute(bare_url, "UPDATE bill SET amount_cents = 2 WHERE id = 2")
        assert (await rename.backfill()).completed
        assert await both(bare_url) == [("1", "1"), ("2", "2"), ("3", "3")]


async def test_an_account_that_may_only_write_the_table_can_write_either_column(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make(url, "numeric(10,2)", "1")
    await execute(
        url,
        "DROP ROLE IF EXISTS retype_writer",
        "CREATE ROLE retype_writer",
        "GRANT SELECT, INSERT, UPDATE ON bill TO retype_writer",
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    )
    async with renaming(url, **CENTS) as rename:
        await verified(rename)
        async with connected(url) as connection:
            await connection.execute("SET ROLE retype_writer; SET search_path = ''")
            await connection.execute("UPDATE public.bill SET amt = 2")
            await connection.execute("UPDATE public.bill SET amount_cents = amount_cents + 1")
            await connection.execute("INSERT INTO public.bill (id, amt) VALUES (2, 3)")
        assert await both(url) == [("2.01", "201"), ("3.00", "300")]
        await rename.rollback()
    await execute(url, "DROP OWNED BY retype_writer", "DROP ROLE retype_writer")


async def test_writers_by_either_name_lose_nothing_from_expand_to_contract(
    empty_database_url: URL,
) -> None:
    url, rows = empty_database_url, 300
    await make(url, "int NOT NULL")
    await execute(url, f"INSERT INTO bill SELECT n, n, 'x' FROM generate_series(1, {rows}) AS n")
    ended, added = asyncio.Event(), {"amt": 0, "amount_cents": 0}

    async def write(column: str) -> None:
        async with connected(url) as connection:
            while not ended.is_set():
                number = 1 + (added[column] * 7) % rows
                row = f"coalesce({column}, -1) >= 0 AND id = {number}"
                done = await connection.execute(
                    f"UPDATE bill SET {column} = {column} + 1 WHERE {row}"
                )
                added[column] += int(done.split()[1])
                await asyncio.sleep(0.002)

    async with renaming(url, type="bigint", batch_size=20, pause=0.01) as rename:
        await rename.expand()
        writers = [asyncio.create_task(write(column)) for column in added]
        await rename.backfill()
        await rename.verify()
        await asyncio.sleep(0.2)
        ended.set()
        await asyncio.gather(*writers)
        await gate_opens(rename)
        await rename.contract(confirm="bill.amt")
    async with connected(url) as connection:
        total = await connection.fetchval("SELECT sum(amount_cents) FROM bill")
    assert total == rows * (rows + 1) // 2 + sum(added.values())
    assert min(added.values()) > 0
