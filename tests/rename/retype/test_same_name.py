"""A change of the type that keeps the column's name, judged by a twin and by pg_dump.

The twin gets ALTER TABLE ... ALTER COLUMN ... TYPE ... USING: catalog, dump and rows have to be the
same, but for the order of columns. A sequence is widened with the column, which a plain change
leaves to its owner.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.errors import UsageError
from invoicing.settings import Settings
from invoicing.toolkit.rename import Phase, Rename, type_of
from invoicing.toolkit.rename.errors import RenamePhaseError, RenameRefusedError
from invoicing.toolkit.rename.retype.walk import walk
from tests.conftest import execute, fresh_database
from tests.rename.faults import connected
from tests.rename.retype.test_conversions import (
    BEFORE,
    CASES,
    rows,
    run,
    twins,
    without_not_null_names,
)
from tests.rename.test_taken_away import dumped
from tests.rename.twin import OPTIONS, OURS, TWIN, described
from tests.rename.versions import on_newest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

LONG = "a" * 60 + "_id"
TRIED = ("int to bigint", "serial to bigint", "numeric to cents", "json to jsonb", "partitioned")
ON_ALL = {"int to bigint", "partitioned"}
# What the column has beside its values.
MORE = (
    f"ALTER TABLE thing ADD CONSTRAINT {LONG} CHECK (amt > -90)",
    "CREATE TABLE audit (amt int)",
    """CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO "{schema}".audit VALUES (NEW.amt); RETURN NEW; END'""",
    """CREATE TRIGGER of_it AFTER UPDATE OF amt ON thing FOR EACH ROW WHEN (NEW.amt > 5)
    EXECUTE FUNCTION audit()""",
    "GRANT SELECT (amt) ON thing TO PUBLIC",
)
OF_SEQUENCE = "ALTER SEQUENCE IF EXISTS thing_amt_seq AS bigint"


def options(case: str) -> dict[str, Any]:
    back = CASES[case].back
    return CASES[case].options | {"back": back and back.replace("cents", "amt")}


@asynccontextmanager
async def retyping(
    url: URL, table: str = "thing", column: str = "amt", schema: str | None = OURS, **chosen: Any
) -> AsyncIterator[Rename]:
    async with Database(url, Settings()) as database:
        yield Rename(database, type_of(table, column, schema), replace(OPTIONS, **chosen))


async def write(url: URL, case: str, start: int) -> None:
    """Write each old value to both, in new rows and in old ones."""
    # Of the others the default is none, and the column is NOT NULL.
    default = "DEFAULT" if case in {"int to bigint", "partitioned"} else CASES[case].pairs[0][0]
    for place, (old, _) in enumerate(CASES[case].pairs):
        row = start + 10 * place
        for schema in (OURS, TWIN):
            await run(
                url,
                schema,
                f"INSERT INTO thing (id, amt) VALUES ({row}, {old})",
                f"INSERT INTO thing (id, note, amt) VALUES ({row + 1}, 'it {row}', {default})",
                f"UPDATE thing SET amt = {old} WHERE id = {row - start + 1}",
                f"UPDATE thing SET note = 'other' WHERE id = {row - start + 2}",
            )


@on_newest("case", TRIED, on_all=ON_ALL)
async def test_the_column_is_what_alter_column_type_makes_of_a_twin(
    empty_database_url: URL, case: str
) -> None:
    more = MORE if case == "int to bigint" else ()
    url, change = await twins(empty_database_url, case, more), CASES[case]
    before = dumped(url, OURS)
    async with retyping(url, **options(case)) as rename:
        plan = await rename.plan()
        assert not plan.refusals, plan.refusals
        assert "cached plan" in next(f.message for f in plan.findings if f.slug == "cached-plans")
        await rename.expand()
        await write(url, case, BEFORE)
        await rename.rollback()
        assert dumped(url, OURS) == before
        assert (await walk(rename)).verified
        await write(url, case, 2_000)
        await rename.contract(confirm="thing.amt")
        assert (await rename.status()).phase is Phase.CONTRACTED
    dropped, again = (), ()
    if case == "int to bigint":
        # A plain change is refused where a trigger names the column.
        dropped, again = ("DROP TRIGGER of_it ON thing",), (MORE[3],)
    widened = (OF_SEQUENCE,) if change.type == "bigint" else ()
    await run(url, TWIN, *dropped, change.alter(), *again, *widened)
    found, expected = await described(url, OURS), await described(url, TWIN)
    assert without_not_null_names(found) == without_not_null_names(expected)
    assert dumped(url, OURS) == dumped(url, TWIN)
    assert await rows(url, OURS, "amt") == await rows(url, TWIN, "amt")


@pytest.fixture
async def newest_database_url(newest_server_url: URL) -> AsyncIterator[URL]:
    """Yield a database of the newest server: what follows is the same on all of them."""
    async with fresh_database(newest_server_url) as url:
        yield url


@pytest.fixture
async def url(newest_database_url: URL) -> URL:
    """Return a database of a table whose names are as long as they can be."""
    url = newest_database_url
    await execute(
        url,
        f"CREATE TABLE loan (id bigint PRIMARY KEY, {LONG} int NOT NULL DEFAULT 7, note text)",
        f"CREATE INDEX i{LONG[1:]} ON loan ({LONG})",
        f"ALTER TABLE loan ADD CONSTRAINT u{LONG[1:]} UNIQUE ({LONG}, id)",
        "INSERT INTO loan SELECT n, n FROM generate_series(1, 300) AS n",
    )
    return url


async def indexes(url: URL) -> list[str]:
    async with connected(url) as connection:
        query = "SELECT indexname FROM pg_indexes WHERE tablename = 'loan' ORDER BY 1"
        return [row[0] for row in await connection.fetch(query)]


async def test_clients_see_one_name_and_never_miss_it(url: URL) -> None:
    before = await indexes(url)
    async with (
        retyping(url, "loan", LONG, None, type="bigint") as rename,
        connected(url) as client,
        connected(url) as other,
    ):
        read = await client.prepare(f"SELECT {LONG} FROM loan WHERE id = $1")
        assert await read.fetchval(5) == 5
        written: list[int] = []
        stop = asyncio.Event()

        async def write_on() -> None:
            while not stop.is_set():
                number = 1_000 + len(written)
                await other.execute(f"INSERT INTO loan (id) VALUES ({number})")
                await other.execute(f"UPDATE loan SET {LONG} = {number} WHERE id = {number}")
                written.append(await other.fetchval(f"SELECT {LONG} FROM loan WHERE id = {number}"))

        writing = asyncio.create_task(write_on())
        assert (await walk(rename)).verified
        assert await read.fetchval(5) == 5
        await rename.contract(confirm=f"loan.{LONG}")
        await asyncio.sleep(0.1)
        assert not writing.done()  # no statement failed
        stop.set()
        await writing
        assert written == list(range(1_000, 1_000 + len(written)))
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            await read.fetchval(5)
        again = await client.prepare(f"SELECT {LONG} FROM loan WHERE id = $1")
        assert await again.fetchval(5) == 5
    assert await indexes(url) == before


async def test_what_uses_the_column_by_the_catalog_is_dropped_before_the_contract(
    url: URL,
) -> None:
    await execute(
        url,
        f"CREATE VIEW shown AS SELECT {LONG} FROM loan",
        f"CREATE FUNCTION largest() RETURNS int LANGUAGE sql AS 'SELECT max({LONG}) FROM loan'",
        "CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN NEW.{LONG} := abs(NEW.{LONG}); RETURN NEW; END'",
        "CREATE TRIGGER before BEFORE INSERT ON loan FOR EACH ROW EXECUTE FUNCTION before()",
        "CREATE VIEW whole AS SELECT loan::text FROM loan",
    )
    async with retyping(url, "loan", LONG, None, type="bigint") as rename:
        plan = await rename.plan()
        assert not plan.refusals
        verdicts = {
            finding.subject.removeprefix("public."): finding.verdict for finding in plan.findings
        }
        assert verdicts["shown"] == "later"
        assert verdicts["whole"] == "noted"
        assert "public.largest()" not in verdicts
        assert (await walk(rename)).verified
        await execute(url, "INSERT INTO loan VALUES (1000, -1000)")
        (objection,) = (await rename.gate()).objections
        assert objection.subject == "public.shown"
        assert "Drop it right before the contract" in objection.message
        await execute(url, "DROP VIEW shown")
        await rename.contract(confirm=f"loan.{LONG}")
    async with connected(url) as connection:
        assert await connection.fetchval(f"SELECT {LONG} FROM loan WHERE id = 1000") == 1000


async def test_a_value_that_the_new_type_cannot_hold_is_an_error_that_says_so(url: URL) -> None:
    async with retyping(url, "loan", LONG, None, type="smallint") as rename:
        await rename.expand()
        for statement in (
            f"INSERT INTO loan (id, {LONG}) VALUES (1000, 40000)",
            f"UPDATE loan SET {LONG} = 40000 WHERE id = 1",
        ):
            with pytest.raises(asyncpg.NumericValueOutOfRangeError) as raised:
                await execute(url, statement)
            assert f"loan.{LONG} is on its way to smallint" in str(raised.value)
            assert "invoicing_retype" not in str(raised.value)
        # What only the rename writes follows the column all the same.
        await execute(url, f"UPDATE loan SET {rename.target.new} = 5 WHERE id = 1")
        assert (await walk(rename)).verified


async def test_a_type_is_needed_to_begin_and_to_begin_again(url: URL) -> None:
    async with retyping(url, "loan", LONG, None) as rename:
        with pytest.raises(UsageError, match="no type was given"):
            await rename.expand()
    async with retyping(url, "loan", LONG, None, type="bigint") as rename:
        assert (await walk(rename)).verified
    # As another process would, which knows nothing of the options.
    async with retyping(url, "loan", LONG, None) as rename:
        assert (await rename.status()).phase is Phase.VERIFIED
        await rename.expand()
        await rename.contract(confirm=f"loan.{LONG}")
        for phase in (rename.rollback, rename.backfill):
            with pytest.raises(RenamePhaseError, match=r"retype plan loan .* TYPE"):
                await phase()
        with pytest.raises(UsageError, match="cannot restore"):
            await rename.restore()
    async with retyping(url, "loan", LONG, None, type="int8") as rename:
        (finding,) = (await rename.plan()).refusals
        assert finding.slug == "same-type"
    async with retyping(url, "loan", LONG, None, type="text", back=f"{LONG}::int8") as rename:
        assert (await walk(rename)).verified
        await rename.contract(confirm=f"loan.{LONG}")
    async with connected(url) as connection:
        assert await connection.fetchval(f"SELECT {LONG} FROM loan WHERE id = 7") == "7"


async def test_what_a_lost_journal_has_left_is_named(url: URL) -> None:
    async with retyping(url, "loan", LONG, None, type="bigint") as rename:
        await rename.expand()
        await execute(url, "DROP SCHEMA invoicing_rename CASCADE")
        with pytest.raises(RenameRefusedError, match=f"DROP COLUMN .{rename.target.new}"):
            await rename.expand()
        await execute(url, f"ALTER TABLE loan DROP COLUMN {rename.target.new}")
        assert (await walk(rename)).verified
