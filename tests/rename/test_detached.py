"""A partition that is detached while the rename is under way: it is named, cleaned, and kept."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from tests.conftest import execute
from tests.rename.faults import fetch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

COLUMNS = "id int NOT NULL, oldcol text NOT NULL DEFAULT 'x', n int"
TABLE = (
    f"CREATE TABLE t ({COLUMNS}) PARTITION BY RANGE (id)",
    "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (500)",
    "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (500) TO (1000)",
    "CREATE INDEX ON t (oldcol)",
    "INSERT INTO t SELECT n, 'v' || n, n FROM generate_series(1, 999) AS n",
)
DEEP = (
    *TABLE[:2],
    "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (500) TO (1000) PARTITION BY RANGE (id)",
    "CREATE TABLE t2a PARTITION OF t2 FOR VALUES FROM (500) TO (700)",
    "CREATE TABLE t2b PARTITION OF t2 FOR VALUES FROM (700) TO (1000)",
    TABLE[-1],
)
OURS = (
    "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~z_rename%'",
    "SELECT count(*) FROM pg_attrdef WHERE pg_get_expr(adbin, adrelid) LIKE '%invoicing_rename%'",
)
DETACH = "ALTER TABLE t DETACH PARTITION t2"
STAGES = ("expand", "backfill", "verify")


@asynccontextmanager
async def renaming(url: URL) -> AsyncIterator[Rename]:
    async with Database(url, Settings()) as database:
        options = Options(batch_size=100, quiet=0.1, lock_timeout=0.2, lock_attempts=3)
        yield Rename(database, Target("t", "oldcol", "newcol"), options)


async def walk(rename: Rename, last: str) -> None:
    for stage in STAGES[: STAGES.index(last) + 1]:
        await getattr(rename, stage)()


async def assert_clean(url: URL) -> None:
    """Assert that nothing of the rename is left on any table, and that t2 may be written again."""
    for query in OURS:
        assert await fetch(url, query) == 0
    await execute(url, "INSERT INTO t2 (id, oldcol) VALUES (600, 'old code')")
    assert await fetch(url, "SELECT count(*) FROM t2") == 501
    await execute(url, "INSERT INTO t2 (id) VALUES (601)")
    assert await fetch(url, "SELECT count(*) FROM t2 WHERE oldcol = 'x'") == 1


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    await execute(empty_database_url, *TABLE)
    return empty_database_url


@pytest.mark.parametrize("made", [TABLE, DEEP], ids=["leaf", "deep"])
async def test_the_contract_names_it_first_and_then_cleans_it(
    empty_database_url: URL, made: tuple[str, ...]
) -> None:
    url = empty_database_url
    await execute(url, *made)
    async with renaming(url) as rename:
        await walk(rename, "verify")
        await execute(url, DETACH)
        (note,) = (await rename.status()).notes
        assert (await rename.verify()).notes == [note]
        gate = await rename.gate()
        assert gate.open
        assert [noted.subject for noted in gate.unseen if noted.slug == "detached"] == ["public.t2"]
        await rename.contract(confirm="t.oldcol")
        status = await rename.status()
        assert (status.phase, status.notes) == (Phase.CONTRACTED, [])
        assert (await rename.runs())[-1].result["detached"] == [note]
    await assert_clean(url)
    assert await fetch(url, "SELECT count(newcol) FROM t") == 499
    # What the note says finishes it, on one line, as a terminal shows it.
    assert "\n" not in note
    keep = note.partition('to keep "newcol": ')[2].partition(" to keep")[0]
    await execute(url, *keep.strip("; ").split("; "))
    await execute(url, "INSERT INTO t2 (id) VALUES (602)")
    assert await fetch(url, "SELECT count(newcol) FROM t2") == 503


@pytest.mark.parametrize("last", STAGES)
async def test_the_rollback_cleans_it(url: URL, last: str) -> None:
    async with renaming(url) as rename:
        await walk(rename, last)
        await execute(url, DETACH)
        await rename.rollback()
        assert (await rename.status()).phase is Phase.NONE
    await assert_clean(url)
    assert await fetch(url, "SELECT to_regnamespace('invoicing_rename')") is None


async def test_the_expand_cleans_it_under_way(url: URL) -> None:
    async with renaming(url) as rename:
        await walk(rename, "verify")
        await execute(url, DETACH)
        await rename.expand()
        assert (await rename.status()).notes == []
        await execute(url, "INSERT INTO t2 (id, oldcol) VALUES (600, 'old code')")
        assert (await rename.status()).phase is Phase.VERIFIED
        await rename.contract(confirm="t.oldcol")


async def test_a_contract_that_an_older_version_could_not_end_is_ended(url: URL) -> None:
    async with renaming(url) as rename:
        await walk(rename, "verify")
        triggers = await fetch(
            url,
            "SELECT string_agg(pg_get_triggerdef(oid), ';') FROM pg_trigger"
            " WHERE tgrelid = 't2'::regclass AND tgparentid = 0 AND NOT tgisinternal",
        )
        functions = await fetch(
            url,
            "SELECT string_agg(pg_get_functiondef(oid), ';;') FROM pg_proc"
            " WHERE pronamespace = 'invoicing_rename'::regnamespace",
        )
        await execute(url, DETACH)
        await rename.contract(confirm="t.oldcol")
        await execute(url, *functions.split(";;"), *triggers.split(";"))
        await rename.contract(confirm="t.oldcol")
    for query in OURS:
        assert await fetch(url, query) == 0


async def test_a_partition_that_is_attached_again_is_kept_equal(url: URL) -> None:
    async with renaming(url) as rename:
        await walk(rename, "backfill")
        await execute(url, DETACH)
        await rename.expand()
        await execute(url, "INSERT INTO t2 (id, oldcol) VALUES (600, 'while detached')")
        await execute(url, "ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (500) TO (1000)")
        await rename.expand()
        await rename.backfill()
        assert (await rename.verify()).ok
        await rename.contract(confirm="t.oldcol")
    assert await fetch(url, "SELECT count(newcol) FROM t") == 1_000


async def test_a_copy_of_the_table_is_not_taken_for_a_partition(url: URL) -> None:
    async with renaming(url) as rename:
        await walk(rename, "verify")
        await execute(url, "CREATE TABLE copy (LIKE t INCLUDING ALL)")
        assert (await rename.status()).notes == []
