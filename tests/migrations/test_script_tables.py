"""A table with something of every kind, renamed by the script while clients of both names write it.

The judge is a twin in another schema, of which PostgreSQL renames the column: pg_dump and the rows.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.toolkit.postgres import find_installation
from invoicing.toolkit.rename.rehearsal.dump import Piece, differences, dumped
from invoicing.toolkit.rename.rehearsal.plain import rename_names_with
from tests.conftest import execute
from tests.migrations.loans import fetch, version
from tests.migrations.project import make_project, psql, write_script
from tests.rename.faults import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy.engine import URL

ROWS = 400
MADE = """
CREATE TABLE price (cents bigint PRIMARY KEY);
INSERT INTO price SELECT n FROM generate_series(0, 2000) AS n;
CREATE TABLE thing (id bigserial PRIMARY KEY, amt bigint NOT NULL DEFAULT 7
    CONSTRAINT amt_fine CHECK (amt >= 0), note text, twice bigint GENERATED ALWAYS AS (amt * 2)
    STORED, UNIQUE (id, amt), CONSTRAINT thing_amt_late UNIQUE (amt, note) DEFERRABLE);
INSERT INTO thing (amt, note) SELECT n, 'n' || n FROM generate_series(1, {rows}) AS n;
ALTER TABLE thing ADD CONSTRAINT priced FOREIGN KEY (amt) REFERENCES price ON UPDATE CASCADE;
CREATE TABLE part (thing bigint, amt bigint, FOREIGN KEY (thing, amt) REFERENCES thing (id, amt));
INSERT INTO part SELECT id, amt FROM thing WHERE id < 10;
CREATE INDEX thing_amt_idx ON thing (amt DESC NULLS LAST) INCLUDE (note) WITH (fillfactor = 70);
CREATE INDEX thing_idx ON thing (note, amt);
CREATE UNIQUE INDEX ON thing ((amt * 1000000 + id)) WHERE amt > 3;
CREATE INDEX ON thing USING hash (amt);
CREATE STATISTICS of_amt ON amt, note FROM thing;
CREATE VIEW cheap AS SELECT id, amt FROM thing WHERE amt < 10;
CREATE POLICY seen ON thing USING (amt > 5);
ALTER TABLE thing ALTER amt SET STATISTICS 77, ALTER amt SET (n_distinct = -1);
COMMENT ON COLUMN thing.amt IS 'it''s money';
COMMENT ON CONSTRAINT amt_fine ON thing IS 'fine';
COMMENT ON INDEX thing_amt_idx IS 'quick';
GRANT SELECT (amt), UPDATE (amt) ON thing TO PUBLIC;
ALTER TABLE thing CLUSTER ON thing_amt_idx
"""
ARGUMENTS = '"thing", "amt", "cents", sa.BigInteger(), schema="ours"'


@pytest.fixture
async def things(empty_database_url: URL) -> URL:
    """Return a database with the table, in each of two schemas."""
    url = empty_database_url
    for schema in ("ours", "twin"):
        await execute(url, f"CREATE SCHEMA {schema}; SET search_path = {schema}; " + made())
    await execute(
        url,
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('001')",
    )
    return url


def made() -> str:
    return MADE.format(rows=ROWS)


@pytest.fixture
def project(tmp_path: Path) -> Config:
    config = make_project(
        tmp_path / "project",
        ("pass", "pass"),
        (f"op.expand_rename({ARGUMENTS})", f"op.rollback_rename({ARGUMENTS})"),
        (f"op.contract_rename({ARGUMENTS})", f"op.restore_rename({ARGUMENTS})"),
    )
    config.attributes["rename"]["confirm"] = "ours.thing.amt"
    return config


async def dump(url: URL, schema: str) -> list[Piece]:
    pieces = await dumped(url, find_installation().bin_dir, f"--schema={schema}")
    return [Piece._make(part.replace(schema, "s") for part in piece) for piece in pieces]


async def rename_the_twin(url: URL) -> None:
    async with connected(url) as connection:
        await connection.execute("ALTER TABLE twin.thing RENAME amt TO cents")
        await rename_names_with(connection, '"twin"."thing"', "amt", "cents")


@asynccontextmanager
async def writing(url: URL, name: str, ledger: dict[int, int]) -> AsyncIterator[None]:
    """Write by one name as fast as it goes, and keep what was written; a failure ends the test."""
    stop = asyncio.Event()

    async def write() -> None:
        async with connected(url, search_path="ours") as connection:
            insert = f"INSERT INTO thing ({name}, note) VALUES ($1, $2) RETURNING id"
            change = f"UPDATE thing SET {name} = $2 WHERE id = $1"
            for value in count():
                note = await connection.fetchval(insert, value % 2000, f"{len(ledger)} {name}")
                ledger[note] = (value + 1) % 2000
                await connection.execute(change, note, ledger[note])
                if stop.is_set():
                    return

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        stop.set()
        await task


async def ran(url: URL, config: Config, revisions: str) -> None:
    sql = write_script(config, revisions, confirm="ours.thing.amt")
    done = await asyncio.to_thread(psql, url, sql)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


async def test_it_becomes_what_a_plain_rename_makes_of_the_twin(
    things: URL, project: Config
) -> None:
    ledger: dict[int, int] = {}
    async with writing(things, "amt", ledger):
        await ran(things, project, "001:002")
        async with writing(things, "cents", ledger):
            await asyncio.sleep(0.3)
    built = "SELECT count(*) FROM pg_indexes WHERE tablename = 'thing' AND indexdef ~ 'cents'"
    assert await fetch(things, built) == 6
    async with writing(things, "cents", ledger):
        await ran(things, project, "002:003")
    await rename_the_twin(things)
    assert not differences(await dump(things, "ours"), await dump(things, "twin"))
    rows = "SELECT json_object_agg(id, cents ORDER BY id) FROM {}.thing WHERE id <= {}".format
    assert await fetch(things, rows("ours", ROWS)) == await fetch(things, rows("twin", ROWS))
    for note, value in ledger.items():
        assert await fetch(things, f"SELECT cents FROM ours.thing WHERE id = {note}") == value
    assert await version(things) == "003"


async def test_nothing_is_left_of_it_after_the_downgrade(things: URL, project: Config) -> None:
    await ran(things, project, "001:002")
    await ran(things, project, "002:001")
    assert not differences(await dump(things, "ours"), await dump(things, "twin"))
    assert await fetch(things, "SELECT to_regnamespace('invoicing_rename')") is None


async def test_an_index_that_was_not_built_is_built_by_the_next_run(
    things: URL, project: Config
) -> None:
    """It waits for a transaction, and its lock_timeout ends it, as a kill would."""
    sql = write_script(project, "001:002", confirm="ours.thing.amt")
    assert psql(things, sql.partition("SELECT s.statement")[0]).returncode == 0
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    async with connected(things) as holder, holder.transaction():
        await holder.execute("UPDATE ours.thing SET note = note WHERE id = 1")
        stopped = await asyncio.to_thread(psql, things, sql)
    assert (stopped.returncode, await version(things)) == (3, "001")
    assert await fetch(things, invalid) == 1
    await ran(things, project, "001:002")
    assert (await fetch(things, invalid), await version(things)) == (0, "002")
    await ran(things, project, "002:003")
    await rename_the_twin(things)
    assert not differences(await dump(things, "ours"), await dump(things, "twin"))


async def test_what_it_builds_takes_an_upsert_by_the_new_name(things: URL, project: Config) -> None:
    await ran(things, project, "001:002")
    upsert = (
        "INSERT INTO ours.thing (id, cents, note) VALUES (1, 1, 'x') ON CONFLICT (id, cents)"
        " DO UPDATE SET note = 'again'"
    )
    await execute(things, upsert)
    assert await fetch(things, "SELECT note FROM ours.thing WHERE id = 1") == "again"
    with pytest.raises(asyncpg.CheckViolationError):
        await execute(things, "UPDATE ours.thing SET cents = -1 WHERE id = 1")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await execute(things, "UPDATE ours.thing SET cents = 9999 WHERE id = 20")
